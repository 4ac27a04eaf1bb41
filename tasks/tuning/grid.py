"""The recipes of a grid, and the arms that try them."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from tasks.settings.finetune import ModelFinetune
from tasks.settings.sweep import Arm
from tasks.settings.tune import Tune


@dataclass(frozen=True)
class Candidate:
    """A recipe that is tried, and the name that its arms end in."""

    name: str
    recipe: ModelFinetune

    def arm(self, dataset: str) -> str:
        """The arm that is trained on a dataset by this recipe."""
        return f"{dataset}-{self.name}"


def candidates(present: ModelFinetune, tune: Tune) -> list[Candidate]:
    """Every combination of the grid, the gentlest first; what the grid does not name stays as in the model's entry."""
    grid = itertools.product(tune.epochs, sorted(tune.learning_rate), sorted(tune.global_batch_size, reverse=True))
    recipes = [
        replace(present, epochs=epochs, learning_rate=float(f"{present.learning_rate * factor:.3g}"),
                global_batch_size=batch)
        for epochs, factor, batch in grid
    ]  # fmt: skip
    return [Candidate(_name(recipe), recipe) for recipe in recipes]


def _name(recipe: ModelFinetune) -> str:
    digits, power = f"{recipe.learning_rate:.2e}".split("e")
    rate = f"{float(digits):g}e{int(power)}".replace(".", "p")  # a name has no dot
    return f"lr{rate}-e{recipe.epochs}-b{recipe.global_batch_size}"


def arms(candidates: Sequence[Candidate], datasets: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """The entries of the catalogue of arms that train every candidate on every dataset."""
    return {
        candidate.arm(dataset): asdict(Arm(dataset=dataset, limit=None, seed=1, recipe=candidate.recipe))
        for dataset in datasets
        for candidate in candidates
    }
