"""Rows of different lengths as one tensor."""

import torch

from tasks.lm.padding import attention_mask, padded


def test_rows_are_filled_on_either_side_and_the_mask_says_where() -> None:
    rows = [[5, 6, 7], [8]]
    assert padded(rows, 9).tolist() == [[5, 6, 7], [8, 9, 9]]
    assert padded(rows, 9, side="left").tolist() == [[5, 6, 7], [9, 9, 8]]
    assert attention_mask(rows).tolist() == [[1, 1, 1], [1, 0, 0]]
    assert attention_mask(rows, side="left").tolist() == [[1, 1, 1], [0, 0, 1]]


def test_weights_stay_fractions() -> None:
    found = padded([[0.25, 1.0], [0.5]], 0.0, torch.float32)
    assert found.dtype == torch.float32
    assert found.tolist() == [[0.25, 1.0], [0.5, 0.0]]
