"""The choices of the analysis that are made before its data are seen."""

from dataclasses import dataclass

from tasks.runtime.config import require_least, require_share


@dataclass(frozen=True)
class Significance:
    """The choices of the analysis that are made before its data are seen."""

    target: str  # the dataset whose effect is claimed
    control: str  # the dataset it is compared with
    primary: str  # metric of the confirmatory family
    secondary: str
    confidence: float
    permutations: int
    seed: int

    def __post_init__(self) -> None:
        require_share(self, "confidence")
        require_least(1, self, "permutations")
        if self.target == self.control:
            raise ValueError(f"control: expected another dataset than the target, found '{self.control}'")
