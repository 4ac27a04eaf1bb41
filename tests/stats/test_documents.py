import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tasks.stats.documents import COLUMNS, document_tests


def documents(diffs, **columns):
    """A document for each difference, of one model and arm."""
    base = np.linspace(-0.7, -0.5, len(diffs))
    return pd.DataFrame({"task": "text", "model": "small", "params": 1e8, "arm": "values", "dataset": "values",
                         "item_id": [f"d{i}" for i in range(len(diffs))], "nats_per_byte": base + diffs,
                         "nats_per_byte_base": base, "diff": diffs}).assign(**columns)


def test_the_mean_change_is_tested_by_document():
    diffs = np.random.default_rng(0).normal(-0.02, 0.01, 12)
    (row,) = document_tests(documents(diffs), permutations=5000).to_dict("records")
    reference = stats.ttest_1samp(diffs, 0)
    assert (row["diff"], row["p"], row["df"]) == pytest.approx((diffs.mean(), reference.pvalue, 11))
    assert (row["ci_lo"], row["ci_hi"]) == pytest.approx(tuple(reference.confidence_interval()))
    assert row["mean"] - row["mean_base"] == pytest.approx(row["diff"])
    assert row["p_signflip"] < 0.01


def test_each_arm_has_its_row_and_a_missing_document_is_counted():
    diffs = np.array([0.1, -0.1, 0.2, np.nan])
    table = document_tests(pd.concat([documents(diffs), documents(diffs[:3], arm="control")]))
    assert table[["arm", "n", "n_missing"]].to_numpy().tolist() == [["values", 3, 1], ["control", 3, 0]]


@pytest.mark.parametrize("diffs", [np.zeros(5), np.array([0.1])])
def test_what_cannot_be_tested_has_a_reason(diffs):
    (row,) = document_tests(documents(diffs)).to_dict("records")
    assert np.isnan(row["p"])
    assert row["reason"]


def test_no_documents_are_an_empty_table():
    assert list(document_tests(documents(np.zeros(0))).columns) == list(COLUMNS)
