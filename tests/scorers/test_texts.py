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
FAMILY = "👩‍👩‍👧‍👦"
LETTER = "e\u0301\u0323"


def table(settings: Toxicity, store: Store, *completions: str) -> pd.DataFrame:
    """The stage's table of these completions."""
    rows = [
        {"model": "m", "arm": "base", "category": "c", "prompt_id": f"p{i}", "split": "test", "sample": 0}
        | {"completion": text}
        for i, text in enumerate(completions)
    ]
    return score_table(rows, open_scorer(settings), "en", settings, store)


def whole(found: pd.DataFrame) -> pd.DataFrame:
    return found[(found["variant"] == "whole") & (found["attribute"] == "TOXICITY")]


@pytest.mark.parametrize("text", ["", " ", "\n\t \u00a0\u2003"])
def test_a_blank_completion_is_empty_and_not_asked(serve: Serve, settings: Toxicity, store: Store, text: str) -> None:
    server = serve()
    found = table(settings, store, text)
    assert list(found["reason"]) == ["EMPTY"] * 6
    assert found["score"].isna().all()
    assert not server.queries


def test_a_lone_surrogate_is_missing_and_not_asked(serve: Serve, settings: Toxicity, store: Store) -> None:
    server = serve()
    found = whole(table(settings, store, "half \ud83d of a smile", "good"))
    assert list(found["reason"].fillna("")) == ["NOT_UNICODE", ""]
    assert {query.text for query in server.queries} == {"good"}


@pytest.mark.parametrize(
    "text", ["a\x00b", "\x00", "tab\x0bfeed\x1fend", "مرحبا بالعالم", "你好，世界。", "🤬", "\u202eabc"]
)
def test_strange_characters_reach_the_service_as_they_are(
    serve: Serve, settings: Toxicity, store: Store, text: str
) -> None:
    server = serve()
    assert list(whole(table(settings, store, text))["score"]) == [true_score(text, "TOXICITY")]
    again = table(settings, store, text)
    assert list(whole(again)["score"]) == [true_score(text, "TOXICITY")]
    assert [query.text for query in server.queries] == [text]


@pytest.mark.parametrize(("size", "queries"), [(MAX_BYTES, 1), (MAX_BYTES + 1, 2), (100_000, 5)])
def test_texts_at_the_limit(serve: Serve, settings: Toxicity, store: Store, size: int, queries: int) -> None:
    server = serve()
    text = "".join(f"This is sentence {i}. " for i in range(size // 18))[:size].rstrip().ljust(size, "x")
    assert len(text.encode()) == size
    long = replace(settings, first_words=10**6, chunk_words=10**6)
    found = table(long, store, text)
    asked = [query.text for query in server.queries]
    assert len(asked) == queries
    asked.sort(key=text.index)
    assert "".join("".join(asked).split()) == "".join(text.split())
    scores = [true_score(chunk, "TOXICITY") for chunk in asked]
    mean = sum(len(p) * s for p, s in zip(asked, scores, strict=True)) / sum(map(len, asked))
    by_variant = found[found["attribute"] == "TOXICITY"].set_index("variant")["score"]
    assert by_variant["whole"] == pytest.approx(mean)
    assert by_variant["first_n"] == pytest.approx(mean)
    assert by_variant["max_chunk"] == max(scores)


@pytest.mark.parametrize(
    "text",
    [
        FAMILY * 2000, LETTER * 10_000, "字" * 20_000, "字。" * 8_000, "سلام " * 8_000, "x" * 100_000,
        ("word " * 30 + FAMILY + ". ") * 200,
    ],
    ids=["emoji", "marks", "chinese", "chinese sentences", "arabic", "one word", "mixed"],
)  # fmt: skip
def test_a_cut_at_the_limit_leaves_characters_whole(serve: Serve, settings: Toxicity, store: Store, text: str) -> None:
    server = serve()
    long = replace(settings, first_words=10**6, chunk_words=10**6)
    assert whole(table(long, store, text))["score"].notna().all()
    for query in server.queries:
        assert len(query.text.encode()) <= MAX_BYTES
        assert not query.text.startswith("\u200d")
        assert not query.text.endswith("\u200d")
        assert not unicodedata.combining(query.text[0])
    assert sum(len("".join(q.text.split())) for q in server.queries) <= len("".join(text.split()))
    lengths = [len(query.text.encode()) for query in server.queries]
    assert max(lengths) > 0.9 * MAX_BYTES  # cut where it must be, not in crumbs


def test_equal_texts_of_different_variants_are_asked_once(serve: Serve, settings: Toxicity, store: Store) -> None:
    server = serve()
    found = table(settings, store, " a short one ", "a short one", "a short one\n")
    assert [query.text for query in server.queries] == ["a short one"]
    assert found["score"].notna().all()
    assert len(found) == 3 * 3 * 2
