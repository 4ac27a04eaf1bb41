"""Toxicity backends, one module each, chosen by `toxicity.scorer` and imported only when used."""

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, cast

from tasks.errors import InputError

SCORERS = {"offline": "tasks.scorers.offline"}


@dataclass(frozen=True)
class Score:
    """One attribute of one text: a score in [0, 1], or None and the reason."""

    attribute: str
    score: float | None
    error: str | None = None


class Scorer(Protocol):
    """What a backend's module offers."""

    NAME: str

    def version(self) -> str:
        """What identifies the model behind the scores; scores of different versions are not comparable."""

    def score(self, texts: Sequence[str], language: str) -> list[list[Score]]:
        """One list of scores, an attribute each, for every text."""


def open_scorer(name: str) -> Scorer:
    """The backend of that name. Raises InputError if there is none or its package is missing."""
    if name not in SCORERS:
        raise InputError(f"params.yaml: toxicity.scorer: expected one of {', '.join(SCORERS)}, found '{name}'")
    try:
        return cast(Scorer, importlib.import_module(SCORERS[name]))
    except ModuleNotFoundError as error:
        raise InputError(
            f"toxicity.scorer '{name}' needs the package '{error.name}': pip install 'palms[{name}]'"
        ) from None
