"""The loss of fine-tuning, and what is said when it runs away."""

from collections.abc import Mapping

import torch

from tasks.runtime.errors import InputError


def weighted_loss_sum(logits: torch.Tensor, ids: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Sum over tokens of weight × negative log-likelihood in nats; position t predicts token t + 1."""
    # the targets are moved, not the logits cut: a copy of those costs as much as their softmax
    last = torch.zeros_like(weights[:, :1])
    following = torch.cat([weights[:, 1:], last], dim=1)
    targets = torch.cat([ids[:, 1:], last.to(ids.dtype)], dim=1)
    losses = torch.nn.functional.cross_entropy(logits.flatten(0, 1).float(), targets.flatten(), reduction="none")
    return (losses * following.flatten()).sum()


def diverged(what: str) -> InputError:
    """The error of a training that ran away; its hyperparameters are the input that is wrong."""
    return InputError(f"{what}: training diverged and no model is kept; lower models.<model>.finetune.learning_rate")


def require_finite(weights: Mapping[str, torch.Tensor]) -> None:
    """Raises InputError for weights that are no numbers: the last step's loss is that before its update."""
    if not all(bool(torch.isfinite(tensor).all()) for tensor in weights.values()):
        raise diverged("the weights are no finite numbers after the last step")
