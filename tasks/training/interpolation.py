"""Weights between base and tuned: part of the way keeps more of what the base model knew.

Reference: Wortsman et al. (2022), Robust fine-tuning of zero-shot models, CVPR.
"""

from collections.abc import Mapping

import torch


def interpolate(tuned: Mapping[str, torch.Tensor], base: Mapping[str, torch.Tensor], share: float) -> None:
    """Moves `tuned` in place to base + share × (tuned - base), tensor by tensor; tied ones are moved once."""
    moved: set[int] = set()
    with torch.no_grad():
        for name, tensor in tuned.items():
            if tensor.data_ptr() not in moved:
                moved.add(tensor.data_ptr())
                tensor.copy_(torch.lerp(base[name].to(tensor), tensor, share))
