"""Tagger `spacy`: spaCy's small pipeline of the language, where the user has installed it.

Universal part-of-speech tags (ADJ, ADV), so that any language with a pipeline works.
"""

import functools
import importlib
from collections.abc import Sequence
from typing import Any

from tasks.bias.backends import Description, Kind
from tasks.runtime.errors import InputError

spacy: Any = importlib.import_module("spacy")  # not a dependency, so a type checker may not find it
NAME = "spacy"
KINDS: dict[str, Kind] = {"ADJ": "adjective", "ADV": "adverb"}
TRAINED_ON_THE_WEB = ("en", "zh")  # the pipelines of all other languages were trained on news


def version(language: str) -> str:
    """The versions of spaCy and of the pipeline."""
    meta = _load(language).meta
    return f"spaCy {spacy.__version__} {meta['lang']}_{meta['name']} {meta['version']}"


def tag(sentences: Sequence[Sequence[str]], language: str) -> list[list[Description | None]]:
    """Each sentence's tokens as descriptions; spaCy's own tokeniser is not used."""
    tagger = _load(language)
    docs = tagger.pipe(spacy.tokens.Doc(tagger.vocab, words=list(sentence)) for sentence in sentences)
    return [[_description(token) for token in doc] for doc in docs]


@functools.cache
def _load(language: str) -> Any:
    name = f"{language}_core_{'web' if language in TRAINED_ON_THE_WEB else 'news'}_sm"
    try:
        return spacy.load(name, exclude=["parser", "ner"])
    except OSError:
        raise InputError(
            f"cooccurrence.tagger 'spacy' needs the pipeline '{name}': python -m spacy download {name}"
        ) from None


def _description(token: Any) -> Description | None:
    kind = KINDS.get(token.pos_)
    return Description((token.lemma_ or token.text).lower(), kind) if kind else None
