"""Rows of different lengths as one tensor."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch.nn.utils.rnn import pad_sequence

Side = Literal["left", "right"]


def padded(
    rows: Sequence[Sequence[float]], filler: float, dtype: torch.dtype = torch.long, side: Side = "right"
) -> torch.Tensor:
    """The rows (rows, longest), on the CPU, filled with `filler` on `side`."""
    tensors = [torch.tensor(row, dtype=dtype) for row in rows]
    return pad_sequence(tensors, batch_first=True, padding_value=filler, padding_side=side)


def attention_mask(rows: Sequence[Sequence[float]], side: Side = "right") -> torch.Tensor:
    """The mask that goes with `padded`: 1 where a row holds a token, 0 at padding."""
    return padded([[1] * len(row) for row in rows], 0, side=side)
