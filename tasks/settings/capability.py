"""Which tasks are run, and which loss must be ruled out."""

from dataclasses import dataclass
from typing import Literal

from tasks.runtime.config import require_least


@dataclass(frozen=True)
class CapabilityRun:
    """Which tasks of lm-evaluation-harness are run, and how."""

    tasks: tuple[str, ...]  # names of sets, of the harness's tasks, or of tasks in data/capability
    sets: dict[str, tuple[str, ...]]  # names that stand for several tasks
    num_fewshot: int | None  # examples before each item; null leaves it to the tasks
    batch_size: int  # the largest; halved until it fits in memory

    def __post_init__(self) -> None:
        require_least(1, self, "batch_size")
        if self.num_fewshot is not None and self.num_fewshot < 0:
            raise ValueError(f"num_fewshot: expected 0 or more, or null, found {self.num_fewshot}")


@dataclass(frozen=True)
class Margin:
    """How a task, or all items of a set, is tested for a loss; chosen before the data are seen."""

    metric: Literal["acc", "acc_norm"]  # what counts as right
    chance: float  # share of items that are right without any ability
    margin: float  # the loss, as a share of items, that must be ruled out

    def __post_init__(self) -> None:
        if not 0 <= self.chance < 1 or not 0 < self.margin < 1:
            raise ValueError("expected chance in [0, 1) and margin in (0, 1)")


@dataclass(frozen=True)
class Capability:
    """Tasks that a fine-tuned model should do as well as its base."""

    run: CapabilityRun
    margins: dict[str, Margin]  # by task or set
