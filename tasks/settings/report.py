from pydantic import NonNegativeInt

from tasks.runtime.sections import Seed, section


@section("report")
class Report:
    """What the page shows."""

    title: str
    sampled_prompts: NonNegativeInt  # prompts shown side by side, drawn by `seed`
    seed: Seed
