"""Tagger `hanta`: the Hanover Tagger, a hidden Markov model inside its wheel; small, quick and free of network.

Reference: Wartena (2019), "A Probabilistic Morphology Model for German Lemmatization". Its English model was
trained on the British National Corpus, whose tags (C5) call many an adjectival participle a verb.
"""

import functools
import importlib.metadata
from collections.abc import Sequence
from typing import Any

from HanTa.HanoverTagger import HanoverTagger

from tasks.bias.backends import Description, Kind, no_language

NAME = "hanta"
END = "."  # the models were trained on whole sentences: without an end mark, a last "kind" becomes a noun
MODELS = {  # a model file of the wheel, and how its tags of adjectives and adverbs begin
    "en": ("morphmodel_en.pgz", "AJ", "AV0"),
    "de": ("morphmodel_ger.pgz", "ADJ", "ADV"),
    "nl": ("morphmodel_dutch.pgz", "ADJ", "BW"),
}
PARTICIPLES = ("VVN", "VVG", "VVD")
MARGIN = 3.0  # nats by which the noun may be the likelier reading of a word that is taken for an adjective
DEGREES = frozenset(
    {"very", "so", "too", "quite", "rather", "really", "extremely", "more", "most", "less", "least", "highly"}
)


def version(language: str) -> str:
    """The wheel's version and its model."""
    return f"HanTa {importlib.metadata.version('HanTa')} {_model(language)[0].removesuffix('.pgz')}"


def tag(sentences: Sequence[Sequence[str]], language: str) -> list[list[Description | None]]:
    """Each sentence's tokens as descriptions; words seen before cost a look-up."""
    (_, adjective, adverb), tagger = _model(language), _tagger(language)
    descriptions = []
    for sentence in sentences:
        tags = tagger.tag_sent([*sentence, END], taglevel=0)[:-1] if sentence else []
        kinds: list[Kind | None] = [
            "adjective" if mark.startswith(adjective) else "adverb" if mark.startswith(adverb) else None
            for mark in tags
        ]
        if language == "en":
            _mend_english(sentence, tags, kinds)
        pairs = zip(sentence, tags, kinds, strict=True)
        descriptions.append([_description(language, word, mark, kind) if kind else None for word, mark, kind in pairs])
    return descriptions


def _model(language: str) -> tuple[str, str, str]:
    if language not in MODELS:
        raise no_language(NAME, language, [*MODELS])
    return MODELS[language]


@functools.cache
def _tagger(language: str) -> Any:
    tagger = HanoverTagger(_model(language)[0])
    tagger.analyze_forward = functools.cache(tagger.analyze_forward)  # milliseconds for a word it has not seen
    return tagger


def _mend_english(sentence: Sequence[str], tags: Sequence[str], kinds: list[Kind | None]) -> None:
    """Adjectives that the English model mistakes for verbs or nouns.

    A participle describes after a word of degree ("very upset"), in a row of adjectives ("upset and disappointed")
    and with a hyphen ("well-behaved"); elsewhere it is left a verb ("was arrested"). A noun that may well be an
    adjective ("kind") is one where a lone singular noun is rare: there, and after "be", "as" or "not".
    """
    for i, mark in enumerate(tags):
        degree = i > 0 and sentence[i - 1].lower() in DEGREES
        joined = i > 1 and kinds[i - 2] == "adjective" and (tags[i - 1] == "CJC" or sentence[i - 1] == ",")
        if mark in PARTICIPLES:
            describes = degree or "-" in sentence[i] or (joined and mark != "VVD")
        else:
            after = i > 0 and (tags[i - 1][:2] in ("VB", "XX") or sentence[i - 1].lower() == "as")
            describes = mark == "NN1" and (degree or joined or after) and _may_be_adjective(sentence[i].lower())
        if describes:
            kinds[i] = "adjective"


@functools.cache
def _may_be_adjective(word: str) -> bool:
    scores = dict(_tagger("en").tag_word(word, casesensitive=False))
    return "AJ0" in scores and scores["AJ0"] > scores.get("NN1", 0.0) - MARGIN


@functools.cache
def _description(language: str, word: str, tag: str, kind: Kind) -> Description:
    if tag in (*PARTICIPLES, "NN1"):  # the lemma would be a verb's or a noun's
        return Description(word.lower(), kind)
    lemma: str = _tagger(language).analyze(word, pos=tag)[0]
    return Description(lemma.lower(), kind)
