"""How well a base model must be able to read the texts that people wrote."""

from pydantic import NonNegativeFloat, PositiveFloat

from tasks.runtime.sections import Count, section


@section("fluency")
class Fluency:
    """What the stage measures; beyond the limits `palms check` warns, and refuses nothing."""

    samples: Count  # of each dataset, spread over it
    batch_size: Count
    max_nats: PositiveFloat  # per token, of a dataset's answers given their questions
    max_difference: NonNegativeFloat  # between values and control
    max_pair_margin: NonNegativeFloat  # |desired - undesired| without the prompt, of a prompt's pairs on average
