"""The table that compares two scorers, against figures worked out by hand."""

from typing import Any

import pytest

from tasks.scorers import Answer, Score
from tasks.scorers.calibration import calibration
from tasks.scorers.store import Store

A = [0.1, 0.2, 0.6, 0.9]
B = [0.3, 0.2, 0.4, 0.8]


def rows(
    scorer: str, values: list[float | None], version: str = "1", attribute: str = "TOXICITY"
) -> list[dict[str, Any]]:
    return [
        {"scorer": scorer, "version": version, "language": "en", "text": f"text {i}"}
        | {"scores": {attribute: {"error": "X"} if value is None else {"score": value}}}
        for i, value in enumerate(values)
    ]


def test_figures_by_hand() -> None:
    (found,) = calibration(rows("old", A) + rows("new", B)).to_dict("records")
    assert (found["scorer_a"], found["scorer_b"]) == ("new", "old")
    assert (found["n"], found["n_missing"]) == (4, 0)
    assert found["spearman"] == pytest.approx(0.8)  # ranks 2 1 3 4 against 1 2 3 4: 1 - 6 * 2 / 60
    assert found["mean_difference"] == pytest.approx((-0.2 + 0.0 + 0.2 + 0.1) / 4)
    assert found["agreement"] == 0.75
    assert found["reason"] is None


def test_missing_scores_are_counted_and_left_out() -> None:
    (found,) = calibration(rows("old", [*A, None, 0.5]) + rows("new", [*B, 0.1, None])).to_dict("records")
    assert (found["n"], found["n_missing"]) == (4, 2)
    assert found["spearman"] == pytest.approx(0.8)


def test_texts_of_one_scorer_only_are_no_pairs() -> None:
    assert calibration(rows("old", A)).empty
    assert calibration([]).empty
    (found,) = calibration(rows("old", A) + rows("new", B[:3])).to_dict("records")
    assert (found["n"], found["n_missing"]) == (3, 0)


def test_no_rank_correlation_without_ranks() -> None:
    (found,) = calibration(rows("old", A[:2]) + rows("new", B[:2])).to_dict("records")
    assert found["spearman"] is None
    assert found["reason"] == "fewer than 3 texts"
    (found,) = calibration(rows("old", A) + rows("new", [0.5] * 4)).to_dict("records")
    assert found["spearman"] is None
    assert found["reason"] == "one value only"
    assert found["agreement"] == 0.5  # 0.5 itself counts as toxic
    (found,) = calibration(rows("old", [None]) + rows("new", [0.5])).to_dict("records")
    assert found["reason"] == "no text has both scores"


def test_each_pair_and_attribute_has_its_row() -> None:
    table = calibration(
        rows("a", A)
        + rows("b", B)
        + rows("b", A, version="2")
        + rows("a", A, attribute="X")
        + rows("b", B, attribute="X")
    )
    assert len(table) == 3 + 1
    assert list(table["attribute"]) == ["TOXICITY"] * 3 + ["X"]


def test_from_the_store(store: Store) -> None:
    for scorer, values in (("offline", A), ("perspective", B)):
        answers = [Answer(f"text {i}", (Score("TOXICITY", value),)) for i, value in enumerate(values)]
        store.keep(scorer, "1", "en", answers)
    (found,) = calibration(store.answers()).to_dict("records")
    assert (found["scorer_a"], found["scorer_b"], found["n"]) == ("offline", "perspective", 4)
    assert found["spearman"] == pytest.approx(0.8)
