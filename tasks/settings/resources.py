"""What stages ask of the hardware; no stage tracks it."""

from dataclasses import dataclass

from tasks.runtime.config import require_least


@dataclass(frozen=True)
class FinetuneResources:
    """What fine-tuning one model asks of the hardware."""

    micro_batch_size: int  # samples that one process trains on at once

    def __post_init__(self) -> None:
        require_least(1, self, "micro_batch_size")


@dataclass(frozen=True)
class Resources:
    """What stages ask of the hardware; no stage tracks this."""

    finetune: dict[str, FinetuneResources]  # by model, and `default` for the others

    def __post_init__(self) -> None:
        if "default" not in self.finetune:
            raise ValueError("finetune: expected an entry `default` for the models that have none of their own")
