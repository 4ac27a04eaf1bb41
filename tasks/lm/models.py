"""How every stage opens a model: from a local folder of safetensors, on the best device there is.

No pickle is loaded, no remote code runs, and no weight is made up: what transformers would initialise anew is refused.
"""

import inspect
import math
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers.pytorch_utils import Conv1D

from tasks.lm import weights
from tasks.lm.devices import best_device, has_bf16, quiet
from tasks.lm.prompting import turn_end
from tasks.runtime import launch
from tasks.runtime.errors import InputError, one_line


@dataclass(frozen=True)
class OpenedModel:
    """A model ready for use, with its tokenizer and where it runs."""

    model: transformers.PreTrainedModel
    tokenizer: Any
    device: torch.device
    ends: frozenset[int]  # the tokens that end a completion, see `end_ids`

    @cached_property
    def accepts(self) -> frozenset[str]:
        """The arguments that the model's forward pass has."""
        return frozenset(inspect.signature(self.model.forward).parameters)

    def autocast(self) -> AbstractContextManager[Any]:
        """bf16 where the hardware computes it, full precision elsewhere."""
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=has_bf16(self.device))


def open_model(folder: Path) -> OpenedModel:
    """Opens model and tokenizer for evaluation. Raises InputError if the folder holds no readable model."""
    quiet()
    torch.set_num_threads(launch.threads())
    device = best_device()
    model = load_weights(folder)
    if has_bf16(device):
        keep_in_bf16(model)
    model.to(device)  # type: ignore[arg-type]
    model.train(False)
    tokenizer = load_tokenizer(folder)
    return OpenedModel(model, tokenizer, device, end_ids(model, tokenizer))


def keep_in_bf16(model: torch.nn.Module) -> None:
    """Keeps in bf16 the weights that autocast would cast at each step of inference, which gives the same numbers.

    All else stays in fp32: biases, norms, routers of experts (classes of their own, which may compute in fp32), and
    embeddings, of which a tied head gets a copy of its own. Such a model is for inference under autocast alone: it is
    neither trained nor saved.
    """
    for module in model.modules():
        if type(module) in (torch.nn.Linear, Conv1D):
            weight: torch.Tensor = module.weight  # type: ignore[assignment]
            module.weight = torch.nn.Parameter(weight.detach().to(torch.bfloat16), requires_grad=False)


def load_weights(folder: Path) -> transformers.PreTrainedModel:
    """The model of a folder in fp32 on the CPU. Raises InputError if the folder holds no readable, whole model."""
    if not folder.is_dir():  # where peft is installed, transformers would ask the hub for an adapter of that name
        raise InputError(f"{folder}: no model: there is no such folder")
    try:
        model = weights.load(
            transformers.AutoModelForCausalLM, folder, dtype=torch.float32, use_safetensors=True, local_files_only=True
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise InputError(f"{folder}: no model that transformers can read: {one_line(error)}") from None
    assert isinstance(model, transformers.PreTrainedModel)
    return model


def end_ids(model: Any, tokenizer: Any) -> frozenset[int]:
    """Every token that ends a completion: the tokenizer's, those that the model's configurations declare, and what
    its chat template ends a turn with."""
    declared = {tokenizer.eos_token_id, turn_end(tokenizer)}
    for config in (model.generation_config, model.config.get_text_config()):
        ids = getattr(config, "eos_token_id", None)
        declared |= set(ids) if isinstance(ids, list | tuple) else {ids}
    return frozenset(declared - {None})


def positions(model: Any) -> float:
    """How many tokens the model reads at most; infinite where its configuration does not say."""
    return getattr(model.config.get_text_config(), "max_position_embeddings", None) or math.inf


def require_positions(model: Any, tokens: int, what: str) -> None:
    """Raises InputError if `what`, so many tokens long, is more than the model reads."""
    if tokens > (most := positions(model)):
        raise InputError(f"{what} has {tokens} tokens, but this model reads {most} at most; choose another model")


def require_end(place: str | Path, tokenizer: Any) -> None:
    """Raises InputError for a tokenizer without an end-of-text token."""
    if tokenizer.eos_token_id is None:
        raise InputError(f"{place}: the tokenizer has no end-of-text token; a completion could not end")


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer of a folder, with a padding token."""
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{folder}: no tokenizer that transformers can read: {one_line(error)}") from None
    require_end(folder, tokenizer)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer
