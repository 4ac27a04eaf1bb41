"""Taggers and lexicons but HanTa: packages and data that the user brings have stand-ins; what is said without them."""

import importlib
import sys
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from tasks.bias.backends import Description, open_lexicon, open_tagger
from tasks.bias.lexicons import vader
from tasks.runtime.errors import InputError

SENTENCES = [["She", "was", "very", "happiest"], ["He", "left"]]
EXPECTED = [[None, None, Description("very", "adverb"), Description("happy", "adjective")], [None, None]]
LEMMAS = {"happiest": "happy"}
OPTIONAL = ("taggers.spacy", "taggers.nltk", "lexicons.sentiwordnet")


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    """Backends are imported anew, with the stand-in or without it."""

    def forget() -> None:
        for name in OPTIONAL:
            sys.modules.pop(f"tasks.bias.{name}", None)

    forget()
    yield
    forget()


def fake_spacy(installed: bool = True) -> Any:
    tags = {"very": "ADV", "happiest": "ADJ"}

    def token(word: str) -> Any:
        return SimpleNamespace(pos_=tags.get(word, "VERB"), lemma_=LEMMAS.get(word, ""), text=word)

    def load(name: str, exclude: list[str]) -> Any:
        assert exclude == ["parser", "ner"]  # they take most of the time
        if not installed:
            raise OSError(name)
        meta = {"lang": "en", "name": "core_web_sm", "version": "3.8.0"}
        return SimpleNamespace(vocab=None, meta=meta, pipe=lambda docs: [[token(w) for w in doc] for doc in docs])

    return SimpleNamespace(load=load, __version__="3.8", tokens=SimpleNamespace(Doc=lambda _, words: words))


def fake_nltk(data: bool = True) -> Any:
    tags = {"very": "RB", "happiest": "JJS", "He": "PRP", "left": "VBD"}
    senses = {("kind", "a"): [(0.5, 0.125), (0.0, 0.0)], ("well_off", "a"): [(0.25, 0.0)]}

    def pos_tag_sents(sentences: list[list[str]]) -> Any:
        return [[(word, tags.get(word, "VBD")) for word in sentence] for sentence in sentences]

    def senti_synsets(word: str, letter: str) -> Any:
        if not data:
            raise LookupError("sentiwordnet")
        scores = senses.get((word, letter), [])
        return [SimpleNamespace(pos_score=lambda p=p: p, neg_score=lambda n=n: n) for p, n in scores]

    def lemmatizer() -> Any:
        return SimpleNamespace(lemmatize=lambda word, letter: LEMMAS.get(word, word) if letter == "a" else word)

    corpus = SimpleNamespace(sentiwordnet=SimpleNamespace(senti_synsets=senti_synsets))
    stem = SimpleNamespace(WordNetLemmatizer=lemmatizer)
    return SimpleNamespace(pos_tag_sents=pos_tag_sents, stem=stem, corpus=corpus, __version__="3.10")


@pytest.mark.parametrize(
    ("name", "package", "version"),
    [
        ("spacy", fake_spacy(), "spaCy 3.8 en_core_web_sm 3.8.0"),
        ("nltk", fake_nltk(), "NLTK 3.10 averaged_perceptron_tagger_eng, wordnet"),
    ],
)
def test_taggers_map_their_tags(name: str, package: Any, version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, name, package)
    tagger = open_tagger(name)
    assert tagger.tag(SENTENCES, "en") == EXPECTED
    assert tagger.version("en") == version


def test_spacy_without_its_pipeline_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "spacy", fake_spacy(installed=False))
    tagger = open_tagger("spacy")
    with pytest.raises(InputError, match="python -m spacy download en_core_web_sm"):
        tagger.version("en")
    with pytest.raises(InputError, match="python -m spacy download de_core_news_sm"):
        tagger.tag(SENTENCES, "de")


def test_nltk_knows_english_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nltk", fake_nltk())
    with pytest.raises(InputError, match="'nltk' knows no 'de'"):
        open_tagger("nltk").version("de")


def test_nltk_without_its_data_says_how_to_get_it() -> None:
    """The real package, whose data no test downloads; with data there, this machine's tags are used."""
    pytest.importorskip("nltk")
    try:
        importlib.import_module("nltk").data.find("taggers/averaged_perceptron_tagger_eng")
        pytest.skip("the data is there")
    except LookupError:
        tagger = open_tagger("nltk")
    with pytest.raises(InputError, match=r"python -m nltk.downloader averaged_perceptron_tagger_eng wordnet"):
        tagger.tag(SENTENCES, "en")


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


RATINGS: Mapping[str, float | None] = {  # kind is rated 2.4 of 4, evil -3.4
    "kind": 60.0, "Kind": 60.0, "evil": -85.0, "very": None, "tall": None, "bonita": None, "😀": None, "": None,
    "not kind": None,
}  # fmt: skip


def test_vader() -> None:
    for word, rating in RATINGS.items():
        assert vader.sentiment(word, "adjective", "first") == (rating and pytest.approx(rating)), word
    lexicon = open_lexicon("vader")
    assert (lexicon.NAME, lexicon.version().split()[0], lexicon.LANGUAGES) == ("vader", "vaderSentiment", ("en",))


@pytest.mark.parametrize(
    ("name", "package", "opened"),
    [("spacy", "spacy", open_tagger), ("nltk", "nltk", open_tagger), ("sentiwordnet", "nltk", open_lexicon)],
)
def test_a_missing_package_ends_in_the_pip_command(
    name: str, package: str, opened: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)  # importing it raises ModuleNotFoundError
    with pytest.raises(InputError, match=f"'{name}' needs the package '{package}': pip install {package}"):
        opened(name)
