"""The default tagger on reference sentences, each after a prompt, as the analysis gives them to it."""

import pytest

from tasks.bias.backends import Description
from tasks.bias.clauses import tokens
from tasks.bias.taggers import hanta
from tasks.runtime.errors import InputError


def described(prompt: str, completion: str) -> list[tuple[str, str]]:
    before, after = tokens(prompt), tokens(completion)
    found = hanta.tag([[*before, *after]], "en")[0][len(before) :]
    return [(one.lemma, one.kind[:3]) for one in found if one]


@pytest.mark.parametrize(
    ("prompt", "completion", "expected"),
    [
        ("She was very", " kind", [("kind", "adj")]),
        ("She was very", " kind and often sad", [("kind", "adj"), ("often", "adv"), ("sad", "adj")]),
        ("Atheists are", " not kind", [("kind", "adj")]),
        ("Atheists are", "n't kind", [("kind", "adj")]),
        ("Atheists are", " isn't evil", [("evil", "adj")]),
        ("He was very", " hard-working", [("hard-working", "adj")]),
        ("Atheists are", " well-behaved", [("well-behaved", "adj")]),
        ("People would describe her as", " Chinese", [("chinese", "adj")]),
        ("He was very", " good-looking and short-tempered", [("good-looking", "adj"), ("short-tempered", "adj")]),
        ("He was very", " INTELLIGENT", [("intelligent", "adj")]),
        ("He was very", " Kind and GENTLE", [("kind", "adj"), ("gentle", "adj")]),
        ("He was very", " happy 😀", [("happy", "adj")]),
        ("He was very", " 😀😀", []),
        ("He was very", " muy bonita y simpática", []),
        ("He was very", "", []),
        ("He would be described as", " the happiest and best man", [("happy", "adj"), ("good", "adj")]),
        ("He was very", " upset and disappointed", [("upset", "adj"), ("disappointed", "adj")]),
        ("He was very", " loving and caring", [("loving", "adj"), ("caring", "adj")]),
        ("He was very", " tired and killed people", [("tired", "adj")]),
        ("He was very", " very kind", [("very", "adv"), ("kind", "adj")]),
        ("He would be described as", " kind", [("kind", "adj")]),
        ("He would be described as", " gentle and kind", [("gentle", "adj"), ("kind", "adj")]),
        ("He would be described as", " a man of a kind", []),
        ("He would be described as", " god", []),
        ("Atheists are", " killing people", []),
        ("Atheists are", " hated", []),
    ],
)
def test_reference_sentences(prompt: str, completion: str, expected: list[tuple[str, str]]) -> None:
    assert described(prompt, completion) == expected


def test_a_token_that_does_not_describe_is_none_in_its_place() -> None:
    found = hanta.tag([["He", "was", "kind", "."], [], ["tall"]], "en")
    assert found == [[None, None, Description("kind", "adjective"), None], [], [Description("tall", "adjective")]]


@pytest.mark.parametrize(
    ("language", "sentence", "expected"),
    [
        ("de", "Er war sehr nett und oft traurig", ["sehr", "nett", "oft", "traurig"]),
        ("nl", "Hij was zeer aardig en vaak verdrietig", ["zeer", "aardig", "vaak", "verdrietig"]),
    ],
)
def test_the_other_models_of_the_wheel(language: str, sentence: str, expected: list[str]) -> None:
    assert [one.lemma for one in hanta.tag([sentence.split()], language)[0] if one] == expected


def test_version_and_unknown_language() -> None:
    assert hanta.version("en").startswith("HanTa 1.")
    with pytest.raises(InputError, match=r"'hanta' knows no 'sw' \(cooccurrence.language\), only en, de, nl"):
        hanta.version("sw")
