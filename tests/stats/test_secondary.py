import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tasks.stats.contrasts import contrasts
from tasks.stats.plan import Plan
from tasks.stats.secondary import SEED_STYLE_LABEL, SENSITIVITY, seed_style, sensitivity, welch
from tests.support.score_tables import scores


def test_beside_the_contrasts():
    data = scores(effects={"base": 0.0, "control": 0.0, "values": 0.1})
    plan = Plan("adherence", models=("small", "large"))
    table, main = sensitivity(data, plan, draws=500), contrasts(data, plan).iloc[0]
    assert list(table.columns) == list(SENSITIVITY)
    first = table.iloc[0]
    assert first["bf10_r0707"] == pytest.approx(main["bf10"])
    assert (first["boot_lo"], first["boot_hi"]) == pytest.approx((main["ci_lo"], main["ci_hi"]), abs=0.05)
    assert table["reason"].notna().tolist() == [False, False, True, True]


def test_constant_scores():
    table = sensitivity(scores().assign(score=1.0), Plan("adherence"), draws=50)
    assert table["bf10_r1"].isna().all()
    assert table["reason"].unique().tolist() == ["the differences do not vary"]
    assert not pd.isna(table["boot_lo"]).any()


@pytest.mark.parametrize(("change", "n", "reason"), [
    (lambda t: t[(t["prompt_id"].str[-2:] == "p0") == (t["dataset"] == "values")], 0,
     "no prompt has a score in both arms"),
    (lambda t: t[t["prompt_id"] == "c0p0"], 1, "one prompt has a score in both arms"),
    (lambda t: t[t["prompt_id"].str[-2:] == "p0"], 8, "a category has one prompt: no bootstrap"),
])
def test_too_few_prompts_have_the_true_reason(change, n, reason):
    table = sensitivity(change(scores()), Plan("adherence"), draws=50)
    assert table["n_prompts"].tolist() == [n] * 2
    assert table["reason"].tolist() == [reason] * 2
    assert table["bf10_r1"].isna().tolist() == [n < 2] * 2
    assert table["boot_lo"].isna().all()


@pytest.mark.parametrize(("a", "b", "reason"), [
    ([1.0, 1.0], [2.0, 2.0], "do not vary"),
    ([1.0], [1.0, 2.0], "fewer than two"),
    ([], [], "fewer than two"),
    ([np.nan, np.nan, 1.0], [1.0, 2.0], "fewer than two"),
])
def test_welch_refuses_and_says_why(a, b, reason):
    row = welch(np.array(a), np.array(b))
    assert reason in row["reason"]
    assert "p" not in row


def test_table_is_labelled_and_takes_every_sample():
    data = scores(models=("small", "large"), raters=3)
    table = seed_style(data, Plan("adherence"))
    assert table["analysis"].unique().tolist() == [SEED_STYLE_LABEL]
    assert len(table) == 6
    texts = data.groupby(["model", "arm", "prompt_id", "sample"])["score"].mean()["small"]
    first = table[(table["model"] == "small") & (table["contrast"] == "values - base")].iloc[0]
    reference = stats.ttest_ind(texts["values"], texts["base"], equal_var=False)
    assert first[["stat", "df", "p"]].tolist() == pytest.approx([reference.statistic, reference.df, reference.pvalue])
    assert first[["ci_lo", "ci_hi"]].tolist() == pytest.approx(list(reference.confidence_interval()))
    assert (first["n_a"], first["k"], first["raters"]) == (120, 3, 3)


def test_a_model_without_scores_is_a_row_with_a_reason():
    table = seed_style(scores(), Plan("adherence", models=("small", "large")))
    assert table.loc[table["model"] == "large", "reason"].tolist() == ["no scores of an arm at this model"] * 3
