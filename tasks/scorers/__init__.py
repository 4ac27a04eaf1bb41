"""Toxicity backends, one folder each, chosen by `toxicity.scorer` and imported only when used."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import cast

from tasks.runtime.backends import open_backend, require
from tasks.settings.toxicity import Toxicity

SCORERS = {name: f"tasks.scorers.{name}.scorer" for name in ("offline", "classifier", "perspective", "recorded")}
# What a backend imports when it is asked, and not before: module → name for pip.
PACKAGES = {
    "offline": {"profanity_check": "alt-profanity-check"},
    "classifier": {"torch": "torch", "transformers": "transformers"},
    "perspective": {"googleapiclient": "google-api-python-client"},
}
# What a report says of a scorer. Here and not in its module, so that a report depends on no backend's code.
SENTENCES = {
    "offline": "Scored offline by {version}: a weak linear model on word counts, which knows swear words and no "
    "context, one attribute, and English only; a low score from it says little.",
    "classifier": "Scored by the neural classifier {version} (model and commit, precision, and a digest of its label "
    "map).",
    "perspective": "Scored by {service} ({version}), a neural model that runs elsewhere; it has no published version "
    "and may have changed between answers.",
    "recorded": "Read from an archive: {version}.",  # of no rows: theirs name the scorer that once gave the scores
}
KEY = "toxicity.scorer"
EMPTY = "EMPTY"  # the reason of a text with nothing to score: an outcome, not a failure
NO_LANGUAGE = "LANGUAGE_NOT_SUPPORTED"  # how the reason begins of a text in a language that the scorer does not know
GOOGLE = "commentanalyzer.googleapis.com"


@dataclass(frozen=True)
class Score:
    """One attribute of one text: a score (of toxicity in [0, 1], of a judge 1 to 5), or None and the reason."""

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
    """A scorer's scores of a text, and its own words where it is a service."""

    text: str
    scores: tuple[Score, ...]
    raw: str | None = None


class Scorer(ABC):
    """What a backend offers. `ask` is called through `tasks.scorers.scoring.score`, which knows the store."""

    name: str  # what stands in the column `scorer`
    attributes: tuple[str, ...]  # what is scored, in the order of the rows
    languages: tuple[str, ...] | None = None  # ISO 639 codes; None if the scorer says so itself, text by text
    stored: bool = True  # whether its answers are kept in the score store and read from there
    together: bool = True  # whether one query asks for every attribute of a text
    label: str = "toxicity"  # of its progress

    @abstractmethod
    def version(self) -> str:
        """What identifies the model behind the scores; scores of different versions are not comparable."""

    def cut(self, text: str) -> list[str]:
        """The text in chunks within the scorer's limit; itself if it fits, or if there is no limit."""
        return [text]

    def cost(self, questions: Sequence[Question]) -> str:
        """What these questions will cost, in words; empty if nothing."""
        del questions
        return ""

    @abstractmethod
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
    service = "Google's Perspective API" if GOOGLE in version else "a service that speaks Perspective's protocol"
    return SENTENCES[scorer].format(version=version, service=service)


def backend(name: str) -> ModuleType:
    """The module of that name. Raises InputError if there is none."""
    return open_backend(KEY, name, SCORERS)
