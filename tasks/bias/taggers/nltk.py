"""Tagger `nltk`: NLTK's averaged perceptron with WordNet lemmas, as in Brown et al. (2020); its data is a download."""

import functools
import importlib
from collections.abc import Sequence
from typing import Any

from tasks.bias.backends import Description, Kind, no_language
from tasks.runtime.errors import InputError

nltk: Any = importlib.import_module("nltk")  # without types
NAME = "nltk"
DATA = "averaged_perceptron_tagger_eng wordnet"
KINDS: dict[str, tuple[Kind, str]] = {"JJ": ("adjective", "a"), "RB": ("adverb", "r")}  # Penn tag, WordNet's letter


def version(language: str) -> str:
    """NLTK's version and the data it uses."""
    if language != "en":
        raise no_language(NAME, language, ["en"])
    return f"NLTK {nltk.__version__} {DATA.replace(' ', ', ')}"


def tag(sentences: Sequence[Sequence[str]], language: str) -> list[list[Description | None]]:
    """Each sentence's tokens as descriptions. Raises InputError if the data is not there."""
    version(language)
    try:
        tagged = nltk.pos_tag_sents([list(sentence) for sentence in sentences])
        return [[_description(word, penn[:2]) for word, penn in sentence] for sentence in tagged]
    except LookupError:
        raise InputError(f"cooccurrence.tagger 'nltk' needs NLTK's data: python -m nltk.downloader {DATA}") from None


@functools.cache
def _description(word: str, penn: str) -> Description | None:
    if penn not in KINDS:
        return None
    kind, letter = KINDS[penn]
    return Description(nltk.stem.WordNetLemmatizer().lemmatize(word.lower(), letter), kind)
