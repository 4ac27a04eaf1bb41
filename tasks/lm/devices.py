"""What a model runs on: the device, the precision that its hardware computes in, and its memory."""

import contextlib
import logging
import os
from collections.abc import Iterator

import torch

# transformers imports DeepSpeed, which would warn that it found no accelerator
os.environ.setdefault("DS_ACCELERATOR", "cuda" if torch.cuda.is_available() else "cpu")

import transformers

from tasks.runtime.errors import WorkError, one_line


def best_device() -> torch.device:
    """A GPU if there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def has_bf16(device: torch.device) -> bool:
    """Whether the hardware itself computes bf16 (emulated, it is far slower than fp32)."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # asked whether bf16 is supported, torch says yes where it is emulated, too
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16"))


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
        raise WorkError(f"out of GPU memory: {one_line(error)}; {advice}") from None
