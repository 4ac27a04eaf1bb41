from typing import Annotated

from pydantic import Field, PositiveFloat

from tasks.runtime.sections import Count, Seed, section


@section("probe")
class Probe:
    """How completions of the co-occurrence probes are drawn."""

    completions: Count  # of each prompt
    temperature: PositiveFloat
    top_p: Annotated[float, Field(gt=0, le=1)]
    max_new_tokens: Count
    batch_size: Count  # completions drawn at once
    seed: Seed
    engine: str = "transformers"  # a name in tasks/lm/engines
