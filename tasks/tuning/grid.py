"""The recipes of a grid, and the arms that try them."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
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
    """Every combination of the grid, the gentlest first; learning rates are multiples of the present one."""
    grid = itertools.product(
        tune.epochs, sorted(tune.learning_rate), sorted(tune.global_batch_size, reverse=True), tune.lora,
        sorted(tune.interpolation),
    )  # fmt: skip
    recipes = [
        ModelFinetune(float(f"{present.learning_rate * factor:.3g}"), epochs, batch, lora, share)
        for epochs, factor, batch, lora, share in grid
    ]
    return [Candidate(_name(recipe), recipe) for recipe in recipes]


def _name(recipe: ModelFinetune) -> str:
    digits, power = f"{recipe.learning_rate:.2e}".split("e")
    parts = [f"lr{float(digits):g}e{int(power)}", f"e{recipe.epochs}", f"b{recipe.global_batch_size}"]
    parts += [f"r{recipe.lora.rank}"] if recipe.lora else []
    parts += [f"w{recipe.interpolation:g}"] if recipe.interpolation < 1 else []
    return "-".join(parts).replace(".", "p")  # a name has no dot


def arms(candidates: Sequence[Candidate], datasets: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """The entries of the catalogue of arms that train every candidate on every dataset."""
    return {
        candidate.arm(dataset): asdict(Arm(dataset=dataset, limit=None, seed=1, recipe=candidate.recipe))
        for dataset in datasets
        for candidate in candidates
    }
