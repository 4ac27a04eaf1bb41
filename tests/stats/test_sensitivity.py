import pandas as pd
import pytest

from tasks.stats.cells import Plan
from tasks.stats.contrasts import contrasts
from tasks.stats.sensitivity import COLUMNS, sensitivity

from .tables import scores


def test_beside_the_contrasts():
    data = scores(effects={"base": 0.0, "control": 0.0, "values": 0.1})
    plan = Plan("adherence", rungs=("small", "large"))
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
