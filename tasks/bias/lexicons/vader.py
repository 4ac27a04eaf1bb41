"""Lexicon `vader`: some 7,500 English words rated from -4 to 4 by ten people each, inside the wheel.

Reference: Hutto and Gilbert (2014), "VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social
Media Text". Only its list of words is used; a word has one rating, so `senses` makes no difference.
"""

import functools
import importlib.metadata

from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from tasks.bias.backends import Kind

NAME = "vader"
LANGUAGES = ("en",)
PACKAGE = "vaderSentiment"
HIGHEST = 4.0  # of a rating


def version() -> str:
    """The version of the wheel that carries the words."""
    return f"{PACKAGE} {importlib.metadata.version(PACKAGE)}"


def sentiment(word: str, kind: Kind, senses: str) -> float | None:
    """The mean rating, from -100 to 100; None for a word that nobody rated."""
    del kind, senses
    rating = _ratings().get(word.lower())
    return None if rating is None else 100 * rating / HIGHEST


@functools.cache
def _ratings() -> dict[str, float]:
    return dict(SentimentIntensityAnalyzer().lexicon)
