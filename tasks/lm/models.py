"""How every stage opens a model: from a local folder of safetensors, on the best device there is.

No pickle is loaded and no remote code runs: `use_safetensors` and `trust_remote_code=False` are fixed here.
"""

import contextlib
import inspect
import logging
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

# transformers imports DeepSpeed, which would warn that it found no accelerator
os.environ.setdefault("DS_ACCELERATOR", "cuda" if torch.cuda.is_available() else "cpu")

import transformers
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from tasks.runtime import launch
from tasks.runtime.errors import InputError, WorkError


@dataclass(frozen=True)
class Opened:
    """A model ready for use, with its tokenizer and where it runs."""

    model: PreTrainedModel
    tokenizer: Any
    device: torch.device

    @cached_property
    def accepts(self) -> frozenset[str]:
        """The arguments that the model's forward pass has."""
        return frozenset(inspect.signature(self.model.forward).parameters)

    def autocast(self) -> AbstractContextManager[Any]:
        """bf16 where the hardware computes it, full precision elsewhere."""
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=has_bf16(self.device))


def open_model(folder: Path) -> Opened:
    """Opens model and tokenizer for evaluation. Raises InputError if the folder holds no readable model."""
    quiet()
    torch.set_num_threads(launch.threads())
    device = best_device()
    model = load_weights(folder)
    model.to(device)  # type: ignore[arg-type]
    model.train(False)
    return Opened(model, load_tokenizer(folder), device)


def load_weights(folder: Path) -> PreTrainedModel:
    """The model of a folder in fp32 on the CPU."""
    try:
        model = AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, use_safetensors=True, trust_remote_code=False, local_files_only=True
        )
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{folder}: no model that transformers can read: {first_line(error)}") from None
    assert isinstance(model, PreTrainedModel)
    return model


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer of a folder, with a padding token."""
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{folder}: no tokenizer that transformers can read: {first_line(error)}") from None
    if tokenizer.eos_token_id is None:
        raise InputError(f"{folder}: the tokenizer has no end-of-text token; a completion could not end")
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def best_device() -> torch.device:
    """A GPU if there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def has_bf16(device: torch.device) -> bool:
    """Whether the hardware itself computes bf16 (emulated, it is far slower than fp32)."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # torch's own question whether bf16 is supported is answered with yes where it is emulated, too
    found = torch.cpu.get_capabilities()
    return any(found.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16"))


def quiet() -> None:
    """Keeps transformers' bars and advice out of the log; real warnings stay."""
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    transformers.utils.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.getLogger("accelerate").setLevel(logging.ERROR)


@contextlib.contextmanager
def out_of_memory(advice: str) -> Iterator[None]:
    """Turns an accelerator's out-of-memory error into one line with `advice`."""
    try:
        yield
    except torch.cuda.OutOfMemoryError as error:
        raise WorkError(f"out of GPU memory: {first_line(error)}; {advice}") from None


def first_line(error: BaseException) -> str:
    """An error's text on one line, short."""
    return " ".join(str(error).split())[:300]
