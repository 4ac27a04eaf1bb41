"""Toxicity backends, one module each, chosen by `toxicity.scorer` and imported only when used."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Protocol, cast

from tasks.runtime.backends import open_backend, require
from tasks.settings.toxicity import Toxicity

SCORERS = {name: f"tasks.scorers.{name}.scorer" for name in ("offline", "classifier", "perspective", "recorded")}
# What a backend imports when it is asked, and not before, so that a report can describe it: module → name for pip.
PACKAGES = {
    "offline": {"profanity_check": "alt-profanity-check"},
    "classifier": {"torch": "torch", "transformers": "transformers"},
    "perspective": {"googleapiclient": "google-api-python-client", "limits": "limits"},
}
KEY = "toxicity.scorer"
EMPTY = "EMPTY"  # the reason of a text with nothing to score: an outcome, not a failure


@dataclass(frozen=True)
class Score:
    """One attribute of one text: a score in [0, 1], or None and the reason."""

    attribute: str
    score: float | None
    error: str | None = None
    permanent: bool = True  # false where asking again in another run may help; such a score is not stored


@dataclass(frozen=True)
class Question:
    """A text and the attributes that are not known of it yet."""

    text: str
    attributes: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """What a scorer said about a text, and its own words where it is a service."""

    text: str
    scores: tuple[Score, ...]
    raw: str | None = None


class Scorer(Protocol):
    """What a backend offers. `ask` is called through `tasks.scorers.scoring.score`, which knows the store."""

    @property
    def name(self) -> str:
        """What stands in the column `scorer`."""

    @property
    def attributes(self) -> tuple[str, ...]:
        """What is scored, in the order of the rows."""

    @property
    def languages(self) -> tuple[str, ...] | None:
        """ISO 639 codes of the languages it can score; None if it says so itself, text by text."""

    @property
    def stored(self) -> bool:
        """Whether its answers are kept in the score store and read from there."""

    def version(self) -> str:
        """What identifies the model behind the scores; scores of different versions are not comparable."""

    def cut(self, text: str) -> list[str]:
        """The text in chunks within the scorer's limit; itself if it fits."""

    def cost(self, questions: int) -> str:
        """What so many questions will cost, in words; empty if nothing."""

    def ask(self, questions: Sequence[Question], language: str) -> Iterator[Sequence[Answer]]:
        """Answers in any order, as soon as they are there; those given together are committed together.

        An attribute without a score has its reason.
        """


def open_scorer(config: Toxicity) -> Scorer:
    """The backend that `config` names. Raises InputError if there is none or its package is missing."""
    module = backend(config.scorer)
    require(KEY, config.scorer, PACKAGES.get(config.scorer, {}))
    return cast(Scorer, module.open_scorer(config))


def describe(scorer: str, version: str) -> str:
    """A sentence for the reader of a report on where the scores of `scorer` and `version` come from."""
    return cast(str, backend(scorer).describe(version))


def backend(name: str) -> ModuleType:
    """The module of that name. Raises InputError if there is none."""
    return open_backend(KEY, name, SCORERS)
