"""How every stage opens a model: from a local folder of safetensors, on the best device there is.

No pickle is loaded and no remote code runs: `use_safetensors` and `trust_remote_code=False` are fixed here.
"""

import inspect
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
import transformers

from tasks.lm.devices import best_device, has_bf16, quiet
from tasks.runtime import launch
from tasks.runtime.errors import InputError, one_line


@dataclass(frozen=True)
class OpenedModel:
    """A model ready for use, with its tokenizer and where it runs."""

    model: transformers.PreTrainedModel
    tokenizer: Any
    device: torch.device

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
    model.to(device)  # type: ignore[arg-type]
    model.train(False)
    return OpenedModel(model, load_tokenizer(folder), device)


def load_weights(folder: Path) -> transformers.PreTrainedModel:
    """The model of a folder in fp32 on the CPU."""
    try:
        model = transformers.AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, use_safetensors=True, trust_remote_code=False, local_files_only=True
        )
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{folder}: no model that transformers can read: {one_line(error)}") from None
    assert isinstance(model, transformers.PreTrainedModel)
    return model


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer of a folder, with a padding token."""
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{folder}: no tokenizer that transformers can read: {one_line(error)}") from None
    if tokenizer.eos_token_id is None:
        raise InputError(f"{folder}: the tokenizer has no end-of-text token; a completion could not end")
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer
