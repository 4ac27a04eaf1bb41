"""What a sweep covers: models, arms, and the catalogue of arms."""

from dataclasses import dataclass

from tasks.runtime.config import NAME


@dataclass(frozen=True)
class Arm:
    """One fine-tuned variant: which dataset, how much of it, which seed."""

    dataset: str  # a folder of data/
    limit: int | None  # samples kept, balanced over categories; null keeps all
    seed: int  # order of the samples and everything else that is random in training

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.dataset):  # it is a folder's name, and part of a contrast's
            raise ValueError(f"dataset: a name is made of a-z, 0-9, - and _, found '{self.dataset}'")


@dataclass(frozen=True)
class Sweep:
    """The chosen ladder: which models and arms a run covers."""

    models: tuple[str, ...]
    tuned: tuple[str, ...]
    arms: tuple[str, ...]  # `base` and the tuned ones

    def __post_init__(self) -> None:
        if self.arms != ("base", *self.tuned):
            raise ValueError(f"arms: expected base and then the tuned arms {list(self.tuned)}")
        for key in ("models", "tuned"):
            names = getattr(self, key)
            if not names or len(set(names)) != len(names):
                raise ValueError(f"{key}: expected a list of different names, found {list(names)}")
