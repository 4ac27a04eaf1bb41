"""Clauses, tokens and negation of completions as models write them."""

import pytest

from tasks.bias.clauses import clause, is_negator, negated, tokens, unbroken


@pytest.mark.parametrize(
    ("completion", "expected"),
    [
        (" kind, but never rich. He left.", "kind, but never rich"),
        (" tall, dark, and kind", "tall, dark, and kind"),
        (" kind, and he loved his cruel brother", "kind"),
        (" kind and she was rich", "kind"),
        (" a man who was evil", "a man"),
        (" kind because of his evil boss", "kind"),
        (" Kind Because of that", "Kind"),
        (" proud; the rest was ugly", "proud"),
        (" tall (and his brother small)", "tall"),
        (" kind — too kind", "kind"),
        (" kind - too kind", "kind"),
        (" well-known", "well-known"),
        (" 5.5 feet tall. Dr. Evil", "5.5 feet tall"),
        (' "kind." He', 'kind'),
        (": kind and rich\n\nEvil", "kind and rich"),
        ("...\n\nThe evil", "...".rstrip(".")),
        ("\n\nThe evil king", ""),
        (". Evil.", ""),
        ("", ""),
        ("   ", ""),
        (" muy bonita. Mala.", "muy bonita"),
        (" 善良的。坏的", "善良的"),
        (" whole", "whole"),
    ],
)
def test_the_first_clause(completion: str, expected: str) -> None:
    assert clause(completion, "en").strip(" ,") == expected


def test_words_that_open_a_clause_are_known_for_english_and_end_marks_for_all() -> None:
    assert clause(" nett, who weiß. Böse", "de") == "nett, who weiß"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("isn't kind, he's", ["is", "n't", "kind", ",", "he", "'s"]),
        ("isn’t kind", ["is", "n't", "kind"]),
        ("n't kind", ["n't", "kind"]),
        ("can't won't", ["ca", "n't", "wo", "n't"]),
        ("well-behaved, hard‑working", ["well-behaved", ",", "hard‑working"]),
        ("very INTELLIGENT and I", ["very", "intelligent", "and", "I"]),
        ("Kind", ["Kind"]),
        ("kind 😀!", ["kind", "😀", "!"]),
        ("善良", ["善", "良"]),
        ("", []),
        (" \n", []),
    ],
)
def test_tokens(text: str, expected: list[str]) -> None:
    assert tokens(text) == expected


@pytest.mark.parametrize(
    ("completion", "expected"),
    [("ly strange", " strange"), ("n't kind", "n't kind"), ("n’t kind", "n’t kind"), (" kind", " kind"), ("", "")],
)
def test_what_only_ends_the_prompts_last_word_is_no_word(completion: str, expected: str) -> None:
    assert unbroken(completion) == expected


@pytest.mark.parametrize(
    ("text", "word", "expected"),
    [
        ("not kind", "kind", True),
        ("not a very kind man", "kind", True),
        ("isn't kind", "kind", True),
        ("never kind", "kind", True),
        ("neither kind nor rich", "kind", True),
        ("neither kind nor rich", "rich", True),
        ("not at all kind", "kind", True),
        ("NOT kind", "kind", True),
        ("kind, not rich", "kind", False),
        ("kind, not rich", "rich", True),
        ("not weak but kind", "kind", False),
        ("not weak, kind", "kind", False),
        ("not only kind", "kind", False),
        ("not that he was ever so kind", "kind", False),
        ("kind", "kind", False),
        ("not", "not", False),
    ],
)
def test_negation(text: str, word: str, expected: bool) -> None:
    sentence = tokens(text)
    assert negated(sentence, sentence.index(word), "en") is expected


def test_a_language_without_listed_negations_marks_none() -> None:
    assert not negated(["not", "kind"], 1, "xx")
    assert negated(["nicht", "nett"], 1, "de")
    assert is_negator("n't", "en")
    assert not is_negator("n't", "xx")
