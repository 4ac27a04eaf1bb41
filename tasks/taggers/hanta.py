"""Tagger `hanta`: the Hanover Tagger, a hidden Markov model inside its wheel; small, quick and free of network.

Reference: Wartena (2019), "A Probabilistic Morphology Model for German Lemmatization". Its English model was
trained on the British National Corpus, whose tags (C5) call many an adjectival participle a verb.
"""

import functools
import importlib.metadata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from HanTa.HanoverTagger import HanoverTagger

from tasks.taggers import Description, Kind, no_language

NAME = "hanta"
END = "."  # the models were trained on whole sentences: without an end mark, a last "kind" becomes a noun


@dataclass(frozen=True)
class Model:
    """A model file of the wheel, and how its tags of descriptive words begin."""

    file: str
    adjective: str
    adverb: str


MODELS = {
    "en": Model("morphmodel_en.pgz", "AJ", "AV0"),
    "de": Model("morphmodel_ger.pgz", "ADJ", "ADV"),
    "nl": Model("morphmodel_dutch.pgz", "ADJ", "BW"),
}
PARTICIPLES = ("VVN", "VVG", "VVD")
DEGREES = frozenset("very so too quite rather really extremely more most less least highly pretty".split())


def version(language: str) -> str:
    """The wheel's version and its model."""
    return f"HanTa {importlib.metadata.version('HanTa')} {_model(language).file.removesuffix('.pgz')}"


def tag(sentences: Sequence[Sequence[str]], language: str) -> list[list[Description | None]]:
    """Each sentence's tokens as descriptions; words seen before cost a look-up."""
    model, tagger = _model(language), _tagger(language)
    found = []
    for sentence in sentences:
        tags = tagger.tag_sent([*sentence, END], taglevel=0)[:-1] if sentence else []
        kinds: list[Kind | None] = [_kind(one, model) for one in tags]
        if language == "en":
            _describe_participles(sentence, tags, kinds)
        pairs = zip(sentence, tags, kinds, strict=True)
        found.append([_description(language, word, one, kind) if kind else None for word, one, kind in pairs])
    return found


def _model(language: str) -> Model:
    if language not in MODELS:
        raise no_language(NAME, language, [*MODELS])
    return MODELS[language]


@functools.cache
def _tagger(language: str) -> Any:
    tagger = HanoverTagger(_model(language).file)
    tagger.analyze_forward = functools.cache(tagger.analyze_forward)  # milliseconds for a word it has not seen
    return tagger


def _kind(tag: str, model: Model) -> Kind | None:
    return "adjective" if tag.startswith(model.adjective) else "adverb" if tag.startswith(model.adverb) else None


def _describe_participles(sentence: Sequence[str], tags: Sequence[str], kinds: list[Kind | None]) -> None:
    """A participle describes after a word of degree ("very upset"), in a row of adjectives ("upset and
    disappointed") and with a hyphen ("well-behaved"); elsewhere it is left a verb ("was arrested")."""
    for i, one in enumerate(tags):
        if one in PARTICIPLES:
            degree = i > 0 and sentence[i - 1].lower() in DEGREES
            joined = i > 1 and kinds[i - 2] == "adjective" and (tags[i - 1] == "CJC" or sentence[i - 1] == ",")
            if degree or "-" in sentence[i] or (joined and one != "VVD"):
                kinds[i] = "adjective"


@functools.cache
def _description(language: str, word: str, tag: str, kind: Kind) -> Description:
    if tag in PARTICIPLES:  # its lemma would be the verb
        return Description(word.lower(), kind)
    lemma: str = _tagger(language).analyze(word, pos=tag)[0]
    return Description(lemma.lower(), kind)
