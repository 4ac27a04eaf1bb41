"""Sentiment lexicons, one module each, chosen by `cooccurrence.lexicon` and imported only when used."""

from collections.abc import Sequence
from typing import Protocol, cast

from tasks.bias.taggers import Kind
from tasks.runtime.backends import open_backend

LEXICONS = {name: f"tasks.bias.lexicons.{name}" for name in ("vader", "sentiwordnet")}
NEGATED = -0.74  # "not kind" has this share of the sentiment of "kind" (Hutto and Gilbert 2014)


class Lexicon(Protocol):
    """What a backend's module offers."""

    NAME: str
    LANGUAGES: Sequence[str]

    def version(self) -> str:
        """What identifies the lexicon; sentiments of different lexicons are not comparable."""

    def sentiment(self, word: str, kind: Kind, senses: str) -> float | None:
        """From -100 (negative) to 100; None for a word that is not in it. `senses`: first or mean."""


def open_lexicon(name: str) -> Lexicon:
    """The backend of that name. Raises InputError if there is none or its package is missing."""
    return cast(Lexicon, open_backend("cooccurrence.lexicon", name, LEXICONS))
