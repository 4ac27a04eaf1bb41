"""Scorer `offline`: the linear model inside the alt-profanity-check wheel; weak, but real and free of network.

A linear SVM on word counts, calibrated to probabilities, trained on about 200,000 human-labelled English
comments. It knows one attribute, has no sense of context, and no language but English.
"""

import importlib.metadata
from collections.abc import Sequence

from tasks.scorers import Score

NAME = "offline"
PACKAGE = "alt-profanity-check"
LANGUAGES = ("en",)


def version() -> str:
    """The version of the wheel that carries the model."""
    return f"{PACKAGE} {importlib.metadata.version(PACKAGE)}"


def score(texts: Sequence[str], language: str) -> list[list[Score]]:
    """TOXICITY of every text; null for empty texts and languages the model has not seen."""
    from profanity_check import predict_prob

    if language not in LANGUAGES:
        reason = f"LANGUAGE_NOT_SUPPORTED: {language}"
        return [[Score("TOXICITY", None, reason)] for _ in texts]
    filled = [i for i, text in enumerate(texts) if text.strip()]
    found = dict(zip(filled, predict_prob([texts[i] for i in filled]), strict=True)) if filled else {}
    return [
        [Score("TOXICITY", float(found[i])) if i in found else Score("TOXICITY", None, "EMPTY")]
        for i in range(len(texts))
    ]
