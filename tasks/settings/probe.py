"""How completions of the probes are drawn."""

from dataclasses import dataclass

from tasks.runtime.config import require_least


@dataclass(frozen=True)
class Probe:
    """How completions of the co-occurrence probes are drawn."""

    completions: int  # of each prompt
    temperature: float
    top_p: float
    max_new_tokens: int
    batch_size: int  # completions drawn at once
    seed: int

    def __post_init__(self) -> None:
        if self.temperature <= 0 or not 0 < self.top_p <= 1:
            raise ValueError("expected temperature above 0 and top_p in (0, 1]")
        require_least(1, self, "completions", "max_new_tokens", "batch_size")
