"""What the page shows."""

from dataclasses import dataclass

from tasks.runtime.config import require_least


@dataclass(frozen=True)
class Report:
    """What the page shows."""

    title: str
    sampled_prompts: int  # prompts shown side by side, drawn by `seed`
    seed: int

    def __post_init__(self) -> None:
        require_least(0, self, "sampled_prompts")
