"""What a sweep covers: models, arms, and the catalogue of arms."""

from tasks.runtime.sections import Name, Names, Seed, section
from tasks.settings.finetune import ModelFinetune


@section("arms.*")
class Arm:
    """One fine-tuned variant: which dataset, how much of it, which seed."""

    dataset: Name  # a folder of data/, and part of a contrast's name
    limit: int | None  # samples kept, balanced over categories; null keeps all
    seed: Seed  # order of the samples and everything else that is random in training
    recipe: ModelFinetune | None = None  # in place of the model's own


@section("sweep")
class Sweep:
    """The chosen ladder: which models and arms a run covers."""

    models: Names
    tuned: Names
    arms: tuple[str, ...]  # `base` and the tuned ones

    def __post_init__(self) -> None:
        if self.arms != ("base", *self.tuned):
            raise ValueError(f"arms: expected base and then the tuned arms {list(self.tuned)}")
