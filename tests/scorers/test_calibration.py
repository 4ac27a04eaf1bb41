"""The table that compares two scorers, against figures worked out by hand."""

from typing import Any

import pytest

from tasks.scorers.calibration import calibration

A = [0.1, 0.2, 0.6, 0.9]
B = [0.3, 0.2, 0.4, 0.8]
FIGURES = {
    "scorer_a": "new", "scorer_b": "old", "n": 4, "n_missing": 0, "reason": None,
    "spearman": 0.8,  # ranks 2 1 3 4 against 1 2 3 4: 1 - 6 * 2 / 60
    "mean_difference": (-0.2 + 0.0 + 0.2 + 0.1) / 4,
    "agreement": 0.75,
}  # fmt: skip


def rows(
    scorer: str, values: list[float | None], version: str = "1", attribute: str = "TOXICITY"
) -> list[dict[str, Any]]:
    return [
        {"scorer": scorer, "version": version, "language": "en", "text": f"text {i}"}
        | {"scores": {attribute: {"error": "X"} if value is None else {"score": value}}}
        for i, value in enumerate(values)
    ]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (A, B, FIGURES),
        ([*A, None, 0.5], [*B, 0.1, None], FIGURES | {"n_missing": 2}),
        (A, B[:3], {"n": 3, "n_missing": 0}),  # a text of one scorer only is no pair
        (A[:2], B[:2], {"spearman": None, "reason": "fewer than 3 texts"}),
        (A, [0.5] * 4, {"spearman": None, "reason": "one value only", "agreement": 0.5}),  # 0.5 counts as toxic
        ([None], [0.5], {"reason": "no text has both scores"}),
    ],
)
def test_figures_by_hand(old: list[float | None], new: list[float | None], expected: dict[str, Any]) -> None:
    (row,) = calibration(rows("old", old) + rows("new", new)).to_dict("records")
    assert {key: row[key] for key in expected} == pytest.approx(expected)


def test_texts_of_one_scorer_only_are_no_pairs() -> None:
    assert calibration(rows("old", A)).empty
    assert calibration([]).empty


def test_each_pair_and_attribute_has_its_row() -> None:
    toxicity = rows("a", A) + rows("b", B) + rows("b", A, version="2")
    table = calibration(toxicity + rows("a", A, attribute="X") + rows("b", B, attribute="X"))
    assert list(table["attribute"]) == ["TOXICITY"] * 3 + ["X"]
