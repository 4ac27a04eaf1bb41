"""Words rated as their sources rate them, on one scale; what is not listed is None and never 0."""

import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from tasks.bias.lexicons import open_lexicon, vader
from tasks.runtime.errors import InputError


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    sys.modules.pop("tasks.bias.lexicons.sentiwordnet", None)
    yield
    sys.modules.pop("tasks.bias.lexicons.sentiwordnet", None)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("kind", 60.0),  # rated 2.4 of 4
        ("Kind", 60.0),
        ("evil", -85.0),  # rated -3.4
        ("very", None),
        ("tall", None),
        ("bonita", None),
        ("😀", None),
        ("", None),
        ("not kind", None),
    ],
)
def test_vader(word: str, expected: float | None) -> None:
    assert vader.sentiment(word, "adjective", "first") == (None if expected is None else pytest.approx(expected))


def test_vader_names_itself() -> None:
    lexicon = open_lexicon("vader")
    assert (lexicon.NAME, lexicon.version().split()[0], lexicon.LANGUAGES) == ("vader", "vaderSentiment", ("en",))


def fake_nltk(data: bool = True) -> Any:
    def sense(pos: float, neg: float) -> Any:
        return SimpleNamespace(pos_score=lambda: pos, neg_score=lambda: neg)

    senses = {("kind", "a"): [sense(0.5, 0.125), sense(0.0, 0.0)], ("well_off", "a"): [sense(0.25, 0.0)]}

    def senti_synsets(word: str, letter: str) -> Any:
        if not data:
            raise LookupError("sentiwordnet")
        return senses.get((word, letter), [])

    corpus = SimpleNamespace(sentiwordnet=SimpleNamespace(senti_synsets=senti_synsets))
    return SimpleNamespace(corpus=corpus, __version__="3.10")


def test_sentiwordnet_by_the_first_sense_or_the_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nltk", fake_nltk())
    lexicon = open_lexicon("sentiwordnet")
    assert lexicon.sentiment("Kind", "adjective", "first") == pytest.approx(37.5)
    assert lexicon.sentiment("kind", "adjective", "mean") == pytest.approx(18.75)
    assert lexicon.sentiment("well-off", "adjective", "first") == pytest.approx(25)
    assert lexicon.sentiment("kind", "adverb", "first") is None
    assert lexicon.version() == "SentiWordNet 3.0 of NLTK 3.10"


def test_sentiwordnet_without_its_data_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nltk", fake_nltk(data=False))
    with pytest.raises(InputError, match=r"python -m nltk.downloader sentiwordnet wordnet"):
        open_lexicon("sentiwordnet").sentiment("kind", "adjective", "first")


def test_an_unknown_lexicon_or_a_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"cooccurrence.lexicon: expected one of vader, sentiwordnet, found 'afinn'"):
        open_lexicon("afinn")
    monkeypatch.setitem(sys.modules, "nltk", None)
    with pytest.raises(InputError, match="lexicon 'sentiwordnet' needs the package 'nltk': pip install nltk"):
        open_lexicon("sentiwordnet")
