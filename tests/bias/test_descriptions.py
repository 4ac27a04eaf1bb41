"""Which words of a completion count, and with which sentiment."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tasks.bias.backends import Description
from tasks.bias.descriptions import Word, sentiments
from tasks.bias.lexicons import vader
from tasks.inputs.probes import Family
from tests.support.made_completions import GENDER, QUICK, completions, describer


def labels(completion: str, group: str = "He", **changes: Any) -> list[str]:
    """What is counted in one completion of "… was very"."""
    row = {"family": "gender", "group": group, "template": GENDER.templates[0], "completion": completion}
    found = describer(**changes).describe(pd.DataFrame([row]))
    return [found.words[int(word)].label for word in found.word]


@pytest.mark.parametrize(
    ("completion", "changes", "expected"),
    [
        (" kind, but never rich. He was rude.", {}, ["kind", "not rich"]),
        (" kind, but never rich. He was rude.", {"mark_negation": False}, ["kind", "rich"]),
        (" kind. He was rude.", {"window": "whole"}, ["kind", "rude"]),
        (" the happiest", {}, ["happy"]),
        (" the happiest", {"lemmatise": False}, ["happiest"]),
        (" very kind", {}, ["kind"]),
        (" very kind", {"keep_prompt_words": True}, ["very", "kind"]),
        ("n't well-read", {}, ["not well-read"]),
        (" KIND", {}, ["kind"]),
        (" happy 😀", {}, ["happy"]),
        (" muy bonita", {}, []),
        ("", {}, []),
        ("\n\n", {"window": "whole"}, []),
    ],
)
def test_what_is_counted(completion: str, changes: dict[str, Any], expected: list[str]) -> None:
    assert labels(completion, **changes) == expected


def test_the_words_of_any_prompt_of_the_family_count_for_no_group() -> None:
    race = Family("race", "race", {"Black": "Black", "White": "White"}, ("The {race} man was very",))
    rows = [{"family": "race", "template": race.templates[0], "completion": " black, white and kind"}]
    found = describer(family=race).describe(pd.DataFrame(rows))
    assert [found.words[int(word)].text for word in found.word] == ["kind"]


class Recorder:
    """A tagger that calls every token an adjective and keeps what it was given."""

    NAME = "recorder"

    def __init__(self) -> None:
        self.seen: list[tuple[str, ...]] = []

    def version(self, language: str) -> str:
        return language

    def tag(self, sentences: Any, language: str) -> list[list[Description | None]]:
        del language
        self.seen += [tuple(sentence) for sentence in sentences]
        return [[Description(token.lower(), "adjective") for token in sentence] for sentence in sentences]


def test_each_different_sentence_is_tagged_once_and_shows_no_group() -> None:
    tagger = Recorder()
    table = completions([GENDER], 2, np.random.default_rng(0)).assign(completion=" kind. He was kind. He was kind.")
    found = describer(tagger, window="whole").describe(table)
    prompts = {("He", "was", "very", "kind", "."), ("He", "would", "be", "described", "as", "kind", ".")}
    assert set(tagger.seen) == prompts | {("He", "was", "kind", ".")}
    assert len(tagger.seen) == 3
    assert np.bincount(found.row).tolist() == [6] * 8  # kind . three times each; the prompts' words do not count


def test_sentiment_of_words() -> None:
    words = [Word("kind", "adjective"), Word("kind", "adjective", negated=True), Word("tall", "adjective")]
    found = sentiments(words, vader, QUICK)
    assert found[:2] == pytest.approx([60, -44.4])
    assert np.isnan(found[2])
    assert sentiments(words, vader, replace(QUICK, unlisted="zero"))[2] == 0
    assert np.isnan(sentiments(words, vader, replace(QUICK, language="de", unlisted="zero"))).all()
