"""Scores of any size: every table of tests says the same of scores as large as 1e150 and as small as 1e-150."""

import functools

import numpy as np
import pandas as pd
import pytest

from tasks.significance import test_tables as tables_of
from tasks.stats.plan import Plan
from tests.support.score_tables import scores

FREE_OF_SCALE = ("p", "p_corr", "df", "d_pooled", "d_z", "bf10", "bf10_r1", "eps", "f", "ps")


@functools.cache
def tables(factor, seeds):
    """All tables of tests of the same scores, as large as `factor` makes them."""
    data = scores(metrics=("adherence", "TOXICITY"), models=("small", "middle", "large"), seeds=seeds)
    split = np.where(data["prompt_id"].str.endswith("p4"), "validation", "test")
    data = data[data["prompt_id"] != "c0p0"].assign(split=split[data["prompt_id"] != "c0p0"], reason=None, rater=None)
    return tables_of(data.assign(score=factor * data["score"]), Plan("adherence", "TOXICITY", permutations=99))


@pytest.mark.parametrize("factor", [1e150, 1e-150])
@pytest.mark.parametrize("seeds", [1, 3])
def test_every_table(factor, seeds):
    """Warnings are errors here."""
    plain, scaled = tables(1.0, seeds), tables(factor, seeds)
    for name, table in plain.items():
        for column in set(table.columns) & set(FREE_OF_SCALE):
            expected, found = (pd.to_numeric(one[name][column]).to_numpy(float) for one in (plain, scaled))
            assert found == pytest.approx(expected, nan_ok=True, rel=1e-5), (name, column)
    expected, found = (one["variance"]["detectable"].to_numpy(float) for one in (plain, scaled))
    assert found / factor == pytest.approx(expected, rel=1e-5)
