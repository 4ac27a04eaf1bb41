"""Which completions the base model reads."""

from typing import Literal

from tasks.runtime.sections import Count, section


@section("perplexity")
class Perplexity:
    """What the stage measures."""

    splits: tuple[Literal["test", "validation"], ...]
    samples: Count  # of each prompt's completions, the first ones
    batch_size: Count
