"""What a model runs on: bf16 only where the processor computes it."""

from pathlib import Path

import pytest
import torch

from tasks.lm.devices import has_bf16

CPUINFO = Path("/proc/cpuinfo")


@pytest.mark.skipif(not CPUINFO.exists(), reason="the kernel does not tell what the processor can")
def test_bf16_is_not_taken_where_it_is_emulated() -> None:
    """torch's own answer is yes for AVX-512 without bf16, where it is four times slower than fp32."""
    lines = [line for line in CPUINFO.read_text().splitlines() if line.startswith(("flags", "Features"))]
    flags = set(lines[0].split(":", 1)[1].split())
    assert has_bf16(torch.device("cpu")) == bool(flags & {"avx512_bf16", "amx_bf16", "bf16", "svebf16"})
