"""Lexicon `sentiwordnet`: positivity less negativity of a word's senses, as in Brown et al. (2020).

Reference: Baccianella, Esuli and Sebastiani (2010), "SentiWordNet 3.0". The ratings are an algorithm's; most
words are neutral (0) in it. It comes through NLTK's downloads.
"""

import importlib
from statistics import fmean
from typing import Any

from tasks.bias.backends import Kind
from tasks.runtime.errors import InputError

nltk: Any = importlib.import_module("nltk")  # without types
NAME = "sentiwordnet"
LANGUAGES = ("en",)
DATA = "sentiwordnet wordnet"
LETTERS = {"adjective": "a", "adverb": "r"}


def version() -> str:
    """NLTK's version; its SentiWordNet is 3.0."""
    return f"SentiWordNet 3.0 of NLTK {nltk.__version__}"


def sentiment(word: str, kind: Kind, senses: str) -> float | None:
    """From -100 to 100: of the commonest sense (`first`) or the mean over senses; None without any.

    Raises InputError if the data is not there.
    """
    try:
        synsets = list(nltk.corpus.sentiwordnet.senti_synsets(word.lower().replace("-", "_"), LETTERS[kind]))
    except LookupError:
        raise InputError(
            f"cooccurrence.lexicon 'sentiwordnet' needs NLTK's data: python -m nltk.downloader {DATA}"
        ) from None
    scores = [100 * (synset.pos_score() - synset.neg_score()) for synset in synsets]
    if not scores:
        return None
    return scores[0] if senses == "first" else fmean(scores)
