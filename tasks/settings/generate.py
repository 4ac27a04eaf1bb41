"""How completions of the evaluation prompts are drawn."""

from dataclasses import dataclass

from tasks.runtime.config import require_least


@dataclass(frozen=True)
class SamplesPerPrompt:
    """Completions drawn for each prompt of a split."""

    test: int
    validation: int

    def __post_init__(self) -> None:
        require_least(1, self, "test", "validation")


@dataclass(frozen=True)
class Generate:
    """How completions are drawn."""

    samples: SamplesPerPrompt
    temperature: float
    top_p: float
    max_new_tokens: int
    batch_size: int
    seed: int

    def __post_init__(self) -> None:
        if self.temperature <= 0 or not 0 < self.top_p <= 1:
            raise ValueError("expected temperature above 0 and top_p in (0, 1]")
        require_least(1, self, "max_new_tokens", "batch_size")
