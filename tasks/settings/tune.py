"""How a recipe is chosen."""

from typing import Annotated

from pydantic import Field, PositiveFloat

from tasks.runtime.sections import Count, Fraction, Name, Share, section
from tasks.settings.finetune import Lora


@section("tune")
class Tune:
    """The grid of `palms tune`, every combination of which is a recipe, and when one does harm."""

    learning_rate: tuple[PositiveFloat, ...]  # times that of the model's entry
    epochs: tuple[Count, ...]
    global_batch_size: tuple[Count, ...]
    lora: tuple[Lora | None, ...]  # null: every weight is trained
    interpolation: tuple[Annotated[float, Field(gt=0, le=1)], ...]
    capability: Name  # a set of capability.run.sets, of other items than those that the report tests
    most_lost: Share  # of the right answers, against base
    most_lost_task: Share  # of the right answers of one task
    most_looping: Fraction  # more of the completions than base's
    most_nats: PositiveFloat  # per byte of held-out text, more than base
    most_strange: PositiveFloat  # nats per token by which base finds the completions less likely than its own
    controls: Count  # recipes, the best for the target dataset, that are trained on the control dataset as well
