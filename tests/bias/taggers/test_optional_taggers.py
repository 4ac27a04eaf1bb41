"""The taggers whose packages or data the user brings, with stand-ins for them, and what is said without."""

import importlib
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from tasks.bias.taggers import Description, open_tagger
from tasks.runtime.errors import InputError

SENTENCES = [["She", "was", "very", "happiest"], ["He", "left"]]
EXPECTED = [[None, None, Description("very", "adverb"), Description("happy", "adjective")], [None, None]]
LEMMAS = {"happiest": "happy"}


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    names = ("tasks.bias.taggers.spacy", "tasks.bias.taggers.nltk")
    for name in names:
        sys.modules.pop(name, None)
    yield
    for name in names:
        sys.modules.pop(name, None)


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


def test_spacy_maps_universal_tags(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "spacy", fake_spacy())
    tagger = open_tagger("spacy")
    assert tagger.tag(SENTENCES, "en") == EXPECTED
    assert tagger.version("en") == "spaCy 3.8 en_core_web_sm 3.8.0"


def test_spacy_without_its_pipeline_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "spacy", fake_spacy(installed=False))
    tagger = open_tagger("spacy")
    with pytest.raises(InputError, match="python -m spacy download en_core_web_sm"):
        tagger.version("en")
    with pytest.raises(InputError, match="python -m spacy download de_core_news_sm"):
        tagger.tag(SENTENCES, "de")


@pytest.mark.parametrize("name", ["spacy", "nltk"])
def test_a_missing_package_ends_in_the_pip_command(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, name, None)  # importing it raises ModuleNotFoundError
    with pytest.raises(InputError, match=f"tagger '{name}' needs the package '{name}': pip install {name}"):
        open_tagger(name)


def fake_nltk(data: bool = True) -> Any:
    tags = {"very": "RB", "happiest": "JJS", "He": "PRP", "left": "VBD"}

    def pos_tag_sents(sentences: list[list[str]]) -> Any:
        if not data:
            raise LookupError("averaged_perceptron_tagger_eng")
        return [[(word, tags.get(word, "VBD")) for word in sentence] for sentence in sentences]

    def lemmatizer() -> Any:
        return SimpleNamespace(lemmatize=lambda word, letter: LEMMAS.get(word, word) if letter == "a" else word)

    stem = SimpleNamespace(WordNetLemmatizer=lemmatizer)
    return SimpleNamespace(pos_tag_sents=pos_tag_sents, stem=stem, __version__="3.10")


def test_nltk_maps_penn_tags(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nltk", fake_nltk())
    tagger = open_tagger("nltk")
    assert tagger.tag(SENTENCES, "en") == EXPECTED
    assert tagger.version("en") == "NLTK 3.10 averaged_perceptron_tagger_eng, wordnet"
    with pytest.raises(InputError, match="'nltk' knows no 'de'"):
        tagger.version("de")


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
