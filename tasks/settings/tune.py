"""How a recipe is chosen."""

from pydantic import PositiveFloat

from tasks.runtime.sections import Count, Fraction, Name, Share, section


@section("tune")
class Tune:
    """The grid of `palms tune`, every combination of which is a recipe, and when one does harm."""

    learning_rate: tuple[PositiveFloat, ...]  # times that of the model's entry
    epochs: tuple[Count, ...]
    global_batch_size: tuple[Count, ...]
    capability: Name  # a set of capability.run.sets, of other items than those that the report tests
    most_lost: Share  # of the right answers, against base
    most_looping: Fraction  # more of the completions than base's
    most_nats: PositiveFloat  # per byte of held-out text, more than base
    controls: Count  # recipes, the best for the target dataset, that are trained on the control dataset as well
