"""What would make figures of nothing is said by the stage itself."""

import math
from typing import Any

import pytest

from tasks.harness.items import item_table
from tasks.runtime.errors import WorkError


def sample(doc_id: int, *answers: Any, **metrics: float) -> dict[str, Any]:
    return {"doc_id": doc_id, "doc": {}, "filter": "none", "filtered_resps": answers, **metrics}


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        ([], "task 't': no items are left to ask"),
        ([sample(0, (-1.0, False), (math.nan, False), acc=1.0)], "task 't': 1 of 2 likelihoods are not a number"),
        ([sample(0, -1.0), sample(1, math.nan)], "task 't': 1 of 2 likelihoods are not a number"),
    ],
)
def test_figures_of_nothing_are_refused(samples: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(WorkError, match=message):
        item_table({"t": samples})


@pytest.mark.parametrize(
    ("answers", "notice"),
    [
        (["", " \n"], "capability: task 't': all 2 answers are empty; look at its `generation_kwargs.until`\n"),
        (["", "a"], ""),
    ],
)
def test_answers_that_are_all_empty_are_told_and_count_as_wrong(
    answers: list[str], notice: str, capsys: pytest.CaptureFixture[str]
) -> None:
    table = item_table({"t": [sample(n, answer, exact_match=0.0) for n, answer in enumerate(answers)]})
    assert capsys.readouterr().err == notice
    assert table["acc"].tolist() == [0, 0]


def test_an_impossible_answer_has_a_likelihood() -> None:
    assert item_table({"t": [sample(0, (-math.inf, False), (-1.0, True), acc=0.0)]})["loglik"][0] == [-math.inf, -1.0]
