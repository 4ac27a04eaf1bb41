import numpy as np
import pytest
from scipy import stats

from tasks.stats.plan import Plan
from tasks.stats.seedstyle import LABEL, seed_style, welch
from tests.support.score_tables import scores


def test_welch_is_scipys():
    rng = np.random.default_rng(0)
    a, b = rng.normal(1, 1, 120), rng.normal(0, 2, 100)
    reference = stats.ttest_ind(a, b, equal_var=False)
    found = welch(a, b)
    assert (found["stat"], found["p"], found["df"]) == pytest.approx(
        (reference.statistic, reference.pvalue, reference.df))
    assert (found["ci_lo"], found["ci_hi"]) == pytest.approx(tuple(reference.confidence_interval()))


@pytest.mark.parametrize(("a", "b", "reason"), [
    ([1.0, 1.0], [2.0, 2.0], "do not vary"),
    ([1.0], [1.0, 2.0], "fewer than two"),
    ([], [], "fewer than two"),
    ([np.nan, np.nan, 1.0], [1.0, 2.0], "fewer than two"),
])
def test_refusals(a, b, reason):
    found = welch(np.array(a), np.array(b))
    assert reason in found["reason"]
    assert "p" not in found


def test_table_is_labelled_and_takes_every_sample():
    data = scores(models=("small", "large"), raters=3)
    table = seed_style(data, Plan("adherence"))
    assert table["analysis"].unique().tolist() == [LABEL]
    assert len(table) == 6
    texts = data.groupby(["model", "arm", "prompt_id", "sample"])["score"].mean()["small"]
    first = table[(table["model"] == "small") & (table["contrast"] == "values - base")].iloc[0]
    reference = stats.ttest_ind(texts["values"], texts["base"], equal_var=False)
    assert first["p"] == pytest.approx(reference.pvalue)
    assert (first["n_a"], first["k"], first["raters"]) == (120, 3, 3)


def test_a_rung_without_scores_is_a_row_with_a_reason():
    table = seed_style(scores(), Plan("adherence", models=("small", "large")))
    assert table.loc[table["model"] == "large", "reason"].tolist() == ["no scores of an arm at this model"] * 3
