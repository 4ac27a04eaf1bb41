from typing import Annotated

from pydantic import Field, NonNegativeInt, PositiveFloat

from tasks.runtime.sections import Count, Seed, part, section


@part
class SamplesPerPrompt:
    """Completions drawn for each prompt of a split; none of a split with 0."""

    test: NonNegativeInt
    validation: NonNegativeInt


@section("generate")
class Generate:
    """How completions are drawn."""

    samples: SamplesPerPrompt
    temperature: PositiveFloat
    top_p: Annotated[float, Field(gt=0, le=1)]
    max_new_tokens: Count
    batch_size: Count
    seed: Seed
    engine: str = "transformers"  # a name in tasks/lm/engines
