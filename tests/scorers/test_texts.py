"""Texts at the edges, through the whole stage: cut, asked, and put together again."""

import unicodedata
from collections.abc import Callable
from dataclasses import replace

import pandas as pd
import pytest

from tasks.scorers import open_scorer
from tasks.scorers.store import Store
from tasks.settings.toxicity import Toxicity
from tasks.toxicity import score_table
from tests.support.analyzer_server import MAX_BYTES, AnalyzerServer, true_score

Serve = Callable[..., AnalyzerServer]
Table = Callable[..., pd.DataFrame]
FAMILY = "👩‍👩‍👧‍👦"
LETTER = "e\u0301\u0323"


@pytest.fixture
def table(settings: Toxicity, store: Store) -> Callable[..., pd.DataFrame]:
    """The stage's table of completions: `table("a", "b")`; by `uncut`, no words are cut off."""

    def score(*completions: str, uncut: bool = False) -> pd.DataFrame:
        used = replace(settings, first_words=10**6, chunk_words=10**6) if uncut else settings
        rows = [
            {"model": "m", "arm": "base", "category": "c", "prompt_id": f"p{i}", "split": "test", "sample": 0}
            | {"completion": text}
            for i, text in enumerate(completions)
        ]
        return score_table(rows, open_scorer(used), "en", used, store)

    return score


def whole(scores: pd.DataFrame) -> pd.DataFrame:
    return scores[(scores["variant"] == "whole") & (scores["attribute"] == "TOXICITY")]


@pytest.mark.parametrize("text", ["", " ", "\n\t \u00a0\u2003"])
def test_a_blank_completion_is_empty_and_not_asked(serve: Serve, table: Table, text: str) -> None:
    server = serve()
    scores = table(text)
    assert list(scores["reason"]) == ["EMPTY"] * 6
    assert scores["score"].isna().all()
    assert not server.queries


def test_a_lone_surrogate_is_missing_and_not_asked(serve: Serve, table: Table) -> None:
    server = serve()
    scores = whole(table("half \ud83d of a smile", "good"))
    assert list(scores["reason"].fillna("")) == ["NOT_UNICODE", ""]
    assert {query.text for query in server.queries} == {"good"}


@pytest.mark.parametrize(
    "text", ["a\x00b", "\x00", "tab\x0bfeed\x1fend", "مرحبا بالعالم", "你好，世界。", "🤬", "\u202eabc"]
)
def test_strange_characters_reach_the_service_as_they_are(serve: Serve, table: Table, text: str) -> None:
    server = serve()
    for _ in range(2):
        assert list(whole(table(text))["score"]) == [true_score(text, "TOXICITY")]
    assert [query.text for query in server.queries] == [text]


@pytest.mark.parametrize(("size", "queries"), [(MAX_BYTES, 1), (MAX_BYTES + 1, 2), (100_000, 5)])
def test_texts_at_the_limit(serve: Serve, table: Table, size: int, queries: int) -> None:
    server = serve()
    text = "".join(f"This is sentence {i}. " for i in range(size // 18))[:size].rstrip().ljust(size, "x")
    assert len(text.encode()) == size
    scores = table(text, uncut=True)
    asked = [query.text for query in server.queries]
    assert len(asked) == queries
    asked.sort(key=text.index)
    assert "".join("".join(asked).split()) == "".join(text.split())
    expected = [true_score(chunk, "TOXICITY") for chunk in asked]
    mean = sum(len(p) * s for p, s in zip(asked, expected, strict=True)) / sum(map(len, asked))
    by_variant = scores[scores["attribute"] == "TOXICITY"].set_index("variant")["score"]
    assert by_variant["whole"] == pytest.approx(mean)
    assert by_variant["first_n"] == pytest.approx(mean)
    assert by_variant["max_chunk"] == max(expected)


@pytest.mark.parametrize(
    "text",
    [
        FAMILY * 2000, LETTER * 10_000, "字" * 20_000, "字。" * 8_000, "سلام " * 8_000, "x" * 100_000,
        ("word " * 30 + FAMILY + ". ") * 200,
    ],
    ids=["emoji", "marks", "chinese", "chinese sentences", "arabic", "one word", "mixed"],
)  # fmt: skip
def test_a_cut_at_the_limit_leaves_characters_whole(serve: Serve, table: Table, text: str) -> None:
    server = serve()
    assert whole(table(text, uncut=True))["score"].notna().all()
    for query in server.queries:
        assert len(query.text.encode()) <= MAX_BYTES
        assert not query.text.startswith("\u200d")
        assert not query.text.endswith("\u200d")
        assert not unicodedata.combining(query.text[0])
    assert sum(len("".join(q.text.split())) for q in server.queries) <= len("".join(text.split()))
    lengths = [len(query.text.encode()) for query in server.queries]
    assert max(lengths) > 0.9 * MAX_BYTES  # cut where it must be, not in crumbs


def test_equal_texts_of_different_variants_are_asked_once(serve: Serve, table: Table) -> None:
    server = serve()
    scores = table(" a short one ", "a short one", "a short one\n")
    assert [query.text for query in server.queries] == ["a short one"]
    assert scores["score"].notna().all()
    assert len(scores) == 3 * 3 * 2
