"""How likelihood adherence is measured."""

from dataclasses import dataclass

from tasks.runtime.config import require_least


@dataclass(frozen=True)
class Adherence:
    """How the likelihood of desired and undesired answers is measured."""

    batch_size: int

    def __post_init__(self) -> None:
        require_least(1, self, "batch_size")
