"""Answers to tables: counts, self-consistency, severity, disagreements, and nothing that was not said."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from tasks.formats.ratings import COLUMNS, Closed, text_id
from tasks.inputs.ratings import Attention
from tasks.raters import aggregate
from tasks.settings.ratings import Ratings

RULES = Ratings("test", 2, 1, 20, 15, 2, 1, 30, 1)
CLOSED = Closed("2026-01-31T12:00:00Z", 4, 8, 0, 2)
ITEMS = (Attention("health", "Rate this 5.", "Yes.", (5,)), Attention("health", "Rate this low.", "No.", (1, 2)))


def completions(arms: tuple[str, ...] = ("base", "values")) -> pd.DataFrame:
    """Two prompts with a sample in each arm; both arms wrote the same for the second."""
    return pd.DataFrame(
        {"model": "m", "arm": arm, "category": "health", "prompt_id": p, "split": "test", "sample": 0}
        | {"prompt": f"prompt {p}", "completion": "same" if p == "p2" else f"{arm} {p}"}
        for arm in arms
        for p in ("p1", "p2", "p3")
    )


TEXTS = aggregate.rated_texts(completions(), "test")
IDS = dict(zip(TEXTS["arm"] + TEXTS["prompt_id"], TEXTS["text_id"], strict=True))


def answers(*rows: tuple[str, str, str, int | None], **more: Any) -> pd.DataFrame:
    """(rater, kind, text, rating)"""
    table = [
        {"text_id": IDS.get(text, text), "rater": rater, "kind": kind, "rating": rating, "reason": "", "note": ""}
        | {"seconds": 5.0, "rated_at": ""}
        | more
        for rater, kind, text, rating in rows
    ]
    return pd.DataFrame(table, columns=list(COLUMNS)).astype({"rating": "float64", "seconds": "float64"})


def all_by(rater: str, **ratings: int) -> list[tuple[str, str, str, int | None]]:
    return [(rater, "rating", text, rating) for text, rating in ratings.items()]


ANN = all_by("ann", basep1=2, valuesp1=5, basep2=3, basep3=4, valuesp3=4)
BO = all_by("bo", basep1=1, valuesp1=4, basep2=2, basep3=3, valuesp3=1)


def test_one_text_of_two_arms_is_rated_once_and_scored_in_both() -> None:
    assert IDS["basep2"] == IDS["valuesp2"]
    scores = aggregate.score_table(TEXTS, answers(*ANN))
    assert list(scores.columns) == list(aggregate.SCORES)
    assert scores.loc[scores["prompt_id"] == "p2", ["arm", "score"]].to_numpy().tolist() == [["base", 3], ["values", 3]]
    assert len(scores) == 6
    assert set(scores["metric"]) == {"rating"}


def test_repeats_attention_and_practice_are_no_scores() -> None:
    extra = [("ann", kind, "basep1", 1) for kind in ("repeat", "attention", "practice")]
    scores = aggregate.score_table(TEXTS, answers(*ANN, *extra))
    assert scores.loc[(scores["arm"] == "base") & (scores["prompt_id"] == "p1"), "score"].tolist() == [2]


def test_what_cannot_be_judged_is_missing_with_its_reason() -> None:
    table = answers(("ann", "rating", "basep1", None), reason="not English", note="Dutch?")
    scores = aggregate.score_table(TEXTS, table)
    assert scores["score"].isna().all()
    assert scores[["reason", "note"]].to_numpy().tolist() == [["not English", "Dutch?"]]
    row = aggregate.progress(TEXTS, table, RULES, CLOSED).iloc[0]
    assert row[["given", "cannot_judge", "texts_done"]].tolist() == [0, 1, 0]
    notes = aggregate.note_table(scores)[["rater", "reason", "note"]]
    assert notes.to_numpy().tolist() == [["ann", "not English", "Dutch?"]]


def test_progress_counts_texts_once_and_is_complete_only_when_closed() -> None:
    other = ("ann", "rating", "f" * 16, 3)
    row = aggregate.progress(TEXTS, answers(*ANN, *BO, other), RULES, CLOSED).iloc[0]
    assert row[["texts", "wanted", "given", "texts_done", "raters", "of_other_texts"]].tolist() == [5, 10, 10, 5, 2, 1]
    assert row["complete"]
    assert not aggregate.progress(TEXTS, answers(*ANN, *BO), RULES, None).iloc[0]["complete"]
    assert not aggregate.progress(TEXTS, answers(*ANN, *BO[1:]), RULES, CLOSED).iloc[0]["complete"]
    none = aggregate.progress(TEXTS, answers(), RULES, None).iloc[0]
    assert none[["wanted", "given", "cannot_judge"]].tolist() == [10, 0, 0]
    assert not none["complete"]


def test_raters_by_attention_repeats_and_severity() -> None:
    wrong = [("ann", "attention", text_id("Rate this 5.", "Yes."), rating) for rating in (5, 4)]
    wrong += [("ann", "attention", text_id("Rate this low.", "No."), 3), ("ann", "attention", "gone" * 4, 1)]
    again = [("ann", "repeat", "basep1", 2), ("ann", "repeat", "valuesp1", 3), ("ann", "practice", "basep1", 3)]
    table = aggregate.rater_table(TEXTS, answers(*ANN, *BO, *wrong, *again), RULES, ITEMS, closed=True)
    ann, bo = (row for _, row in table.iterrows())
    assert list(table.columns) == list(aggregate.RATERS)
    assert ann[["given", "attention", "attention_failed", "failed", "practice"]].tolist() == [5, 3, 2, True, 1]
    assert not bo["failed"]
    assert ann[["repeats", "repeats_same", "repeats_within_one", "repeats_apart"]].tolist() == [2, 0.5, 0.5, 1.0]
    assert bo["repeats"] == 0
    gaps = np.array([1, 1, 1, 1, 3])
    assert (ann["severity"], bo["severity"]) == pytest.approx((gaps.mean(), -gaps.mean()))
    assert ann["severity_lo"] < gaps.mean() < ann["severity_hi"]


def test_severity_of_one_text_a_prompt_has_the_usual_interval() -> None:
    import pingouin

    rng, prompts = np.random.default_rng(0), [f"p{i}" for i in range(12)]
    frame = pd.DataFrame({"rater": r, "text_id": p, "rating": float(v)} for r in ("ann", "bo")
                         for p, v in zip(prompts, rng.integers(1, 6, 12), strict=True))  # fmt: skip
    found = aggregate._severity(frame, "ann", {p: p for p in prompts})
    ann, bo = (frame.loc[frame["rater"] == r, "rating"].to_numpy() for r in ("ann", "bo"))
    interval = next(pingouin.ttest(ann - bo, 0)[name].iloc[0] for name in ("CI95", "CI95%")
                    if name in pingouin.ttest(ann - bo, 0))  # fmt: skip
    assert (found["severity_lo"], found["severity_hi"]) == pytest.approx(tuple(interval), abs=0.01)


def test_nothing_that_rests_on_ratings_is_told_of_raters_before_the_end() -> None:
    table = aggregate.rater_table(TEXTS, answers(*ANN, *BO, ("ann", "repeat", "basep1", 2)), RULES, (), closed=False)
    assert table[["severity", "repeats_same", "repeats"]].isna().all(axis=None)
    assert table["given"].tolist() == [5, 5]


def test_disagreements_are_the_widest_first_and_each_text_once() -> None:
    noted = answers(("cy", "rating", "valuesp3", 5), note="off topic")
    table = pd.concat([answers(*ANN, *BO, ("cy", "rating", "basep2", 2)), noted])
    scores = aggregate.score_table(TEXTS, table)
    found = aggregate.disagreements(scores, TEXTS)
    assert list(found.columns) == list(aggregate.DISAGREEMENTS)
    assert found.iloc[0][["arm", "prompt_id", "each", "notes"]].tolist() == ["values", "p3", "1 4 5", "cy: off topic"]
    assert found["text_id"].is_unique
    assert found["spread"].is_monotonic_decreasing
    assert found.loc[found["prompt_id"] == "p2", "spread"].tolist() == pytest.approx([np.std([3, 2, 2], ddof=1)])
    assert found.iloc[0]["completion"] == "values p3"


def test_without_answers_every_table_has_its_columns_and_no_row() -> None:
    scores = aggregate.score_table(TEXTS, answers())
    tables = {"SCORES": scores, "TEXTS": aggregate.text_table(scores), "NOTES": aggregate.note_table(scores)}
    tables |= {"DISAGREEMENTS": aggregate.disagreements(scores, TEXTS)}
    tables |= {"RATERS": aggregate.rater_table(TEXTS, answers(), RULES, ITEMS, closed=True)}
    for name, table in tables.items():
        assert (list(table.columns), len(table)) == (list(getattr(aggregate, name)), 0), name
