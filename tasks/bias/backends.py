"""Taggers and lexicons, one module each, chosen by `cooccurrence.tagger` and `cooccurrence.lexicon`.

A tagger says which tokens of a sentence describe: adjectives and adverbs. What counts as a token, a clause or a
negation is decided before, the same for every tagger. A lexicon says how kind a word is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, cast

from tasks.runtime.backends import open_backend
from tasks.runtime.errors import InputError

TAGGERS = {name: f"tasks.bias.taggers.{name}" for name in ("hanta", "spacy", "nltk")}
LEXICONS = {name: f"tasks.bias.lexicons.{name}" for name in ("vader", "sentiwordnet")}
Kind = Literal["adjective", "adverb"]


@dataclass(frozen=True, slots=True)
class Description:
    """What a descriptive token is: its lemma in lower case, and its part of speech."""

    lemma: str
    kind: Kind


class Tagger(Protocol):
    """What a tagger's module offers."""

    NAME: str

    def version(self, language: str) -> str:
        """What identifies the model behind the tags. Raises InputError if it, or the language, is missing."""

    def tag(self, sentences: Sequence[Sequence[str]], language: str) -> list[list[Description | None]]:
        """For every sentence its tokens' descriptions; None for a token that is neither adjective nor adverb."""


class Lexicon(Protocol):
    """What a lexicon's module offers."""

    NAME: str
    LANGUAGES: Sequence[str]

    def version(self) -> str:
        """What identifies the lexicon; sentiments of different lexicons are not comparable."""

    def sentiment(self, word: str, kind: Kind, senses: str) -> float | None:
        """From -100 (negative) to 100; None for a word that is not in it. `senses`: first or mean."""


def open_tagger(name: str) -> Tagger:
    """The tagger of that name. Raises InputError if there is none or its package is missing."""
    return cast(Tagger, open_backend("cooccurrence.tagger", name, TAGGERS))


def open_lexicon(name: str) -> Lexicon:
    """The lexicon of that name. Raises InputError if there is none or its package is missing."""
    return cast(Lexicon, open_backend("cooccurrence.lexicon", name, LEXICONS))


def no_language(name: str, language: str, known: Sequence[str]) -> InputError:
    """The error of a tagger that does not know the language of `cooccurrence.language`."""
    return InputError(
        f"cooccurrence.tagger '{name}' knows no '{language}' (cooccurrence.language), only {', '.join(known)}; "
        f"choose another of {', '.join(TAGGERS)}"
    )
