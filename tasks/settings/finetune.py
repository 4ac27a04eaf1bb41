"""How a model is fine-tuned."""

from dataclasses import dataclass

from tasks.runtime.config import require_least


@dataclass(frozen=True)
class FinetuneCommon:
    """Training settings that hold for every model."""

    prompt_loss_weight: float  # of a question's tokens; an answer's weigh 1
    max_tokens: int  # of a sample; longer ones are an error, never cut
    weight_decay: float
    warmup_fraction: float  # of all optimiser steps
    max_grad_norm: float

    def __post_init__(self) -> None:
        require_least(0, self, "prompt_loss_weight", "weight_decay", "warmup_fraction")
        require_least(1, self, "max_tokens")
        if self.warmup_fraction > 1 or self.max_grad_norm <= 0:
            raise ValueError("expected warmup_fraction of 1 at most and max_grad_norm above 0")


@dataclass(frozen=True)
class FinetuneModel:
    """Training settings of one model."""

    learning_rate: float
    epochs: int
    global_batch_size: int  # samples per optimiser step, over all processes

    def __post_init__(self) -> None:
        if self.learning_rate <= 0 or self.epochs < 1 or self.global_batch_size < 1:
            raise ValueError("expected a learning rate above 0, and at least one epoch and one sample a step")


@dataclass(frozen=True)
class Finetune:
    """Training settings, common and by model."""

    common: FinetuneCommon
    models: dict[str, FinetuneModel]
