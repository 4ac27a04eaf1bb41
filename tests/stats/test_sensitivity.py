import pandas as pd
import pytest

from tasks.stats.contrasts import contrasts
from tasks.stats.plan import Plan
from tasks.stats.sensitivity import COLUMNS, sensitivity
from tests.support.score_tables import scores


def test_beside_the_contrasts():
    data = scores(effects={"base": 0.0, "control": 0.0, "values": 0.1})
    plan = Plan("adherence", models=("small", "large"))
    table, main = sensitivity(data, plan, draws=500), contrasts(data, plan).iloc[0]
    assert list(table.columns) == list(COLUMNS)
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
