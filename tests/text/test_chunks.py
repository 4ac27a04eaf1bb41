"""Cuts: nothing is lost, everything fits, and no character falls apart."""

import time
from collections.abc import Callable

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from tasks.text.chunks import chunks, cut, first_words
from tasks.text.words import count

FAMILY = "👩‍👩‍👧‍👦"
PARTS = (
    "word", "Word", "don't", " ", "  ", "\n", ". ", "! ", "? ", "。", "字", "学", "؟ ", "مرحبا", FAMILY, "🤬",
    "e\u0301\u0323", "🇩🇪", "(", ")", '"', "-", "3.5", "http://a.b/c", "\u200b", "\x00", "नमस्ते", "ไทย", "한국어",
    "a" * 30,
)  # fmt: skip
TEXTS = st.lists(st.sampled_from(PARTS), max_size=60).map("".join)


def within(limit: int) -> Callable[[str], bool]:
    return lambda chunk: len(chunk.encode()) <= limit


def squeezed(text: str) -> str:
    return "".join(text.split())


@given(TEXTS, st.integers(1, 200))
def test_pieces_in_bytes_lose_nothing_and_fit(text: str, limit: int) -> None:
    found = cut(text, within(limit))
    assert squeezed("".join(found)) == squeezed(text)
    assert all(within(limit)(chunk) or len(chunk) == 1 for chunk in found)
    assert all(chunk == chunk.strip() != "" for chunk in found)


@given(TEXTS, st.integers(60, 200))
def test_no_grapheme_falls_apart_where_it_fits(text: str, limit: int) -> None:
    longest = max((len(g.encode()) for g in regex.findall(r"\X", text)), default=0)
    if longest <= limit:
        whole = [g for g in regex.findall(r"\X", text) if g.strip()]
        found = [g for chunk in cut(text, within(limit)) for g in regex.findall(r"\X", chunk) if g.strip()]
        assert [g.strip() for g in found] == [g.strip() for g in whole]


@given(TEXTS, st.integers(1, 12))
def test_pieces_in_words_fit_and_are_few(text: str, limit: int) -> None:
    found = chunks(text, limit)
    assert squeezed("".join(found)) == squeezed(text)
    assert all(count(chunk) <= limit for chunk in found)
    assert sum(count(chunk) for chunk in found) == count(text)


@given(TEXTS, st.integers(1, 12))
def test_the_first_words_are_the_beginning(text: str, limit: int) -> None:
    found = first_words(text, limit)
    assert text.strip().startswith(found)
    assert count(found) == min(limit, count(text))
    if count(text) <= limit:
        assert found == text.strip()


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("One two. Three four. Five.", 4, ["One two. Three four.", "Five."]),
        ("One two three. Four.", 2, ["One two", "three. Four."]),
        ('He said "go away now" twice.', 3, ['He said "go', 'away now" twice.']),
        ("我们走吧。你好吗？", 5, ["我们走吧。", "你好吗？"]),
        ("كيف حالك؟ أنا بخير.", 2, ["كيف حالك؟", "أنا بخير."]),
        ("line one\nline two", 3, ["line one", "line two"]),
        ("", 3, []),
        (" \n ", 3, []),
        ("!!! ???", 1, ["!!! ???"]),
    ],
)
def test_pieces_end_where_sentences_do(text: str, limit: int, expected: list[str]) -> None:
    assert chunks(text, limit) == expected


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("Hello, big world! And more.", 3, "Hello, big world!"),
        ("  two words  ", 5, "two words"),
        ("a\n\n  b c", 2, "a\n\n  b"),
        ("你好世界", 2, "你好"),
        ("one (two three)", 1, "one"),
        ("🤬🤬 word", 1, "🤬🤬 word"),
        ("", 1, ""),
    ],
)
def test_first_words(text: str, limit: int, expected: str) -> None:
    assert first_words(text, limit) == expected


def test_a_cut_of_a_long_word_is_between_characters() -> None:
    assert cut(FAMILY * 3, within(60)) == [FAMILY * 2, FAMILY]
    assert cut("e\u0301" * 4, within(7)) == ["e\u0301" * 2] * 2
    assert cut("🇩🇪🇫🇷", within(12)) == ["🇩🇪", "🇫🇷"]


def test_a_character_larger_than_the_limit_is_split_rather_than_lost() -> None:
    stack = "a" + "\u0301" * 50
    found = cut(stack, within(20))
    assert "".join(found) == stack
    assert all(within(20)(chunk) for chunk in found)
    assert cut("字", within(2)) == ["字"]  # nothing smaller: for the caller to refuse


@pytest.mark.parametrize("text", ["word " * 40_000, "字" * 70_000, "x" * 200_000, "A b. " * 40_000, "🤬" * 50_000])
def test_long_texts_are_cut_quickly(text: str) -> None:
    started = time.monotonic()
    cut(text, within(20_480))
    chunks(text, 20)
    assert time.monotonic() - started < 10
