import numpy as np
import pandas as pd
import pytest

from tasks.stats.cells import Plan, cells_of, checked, prompts_of
from tasks.stats.variance import COLUMNS, components, variance_components

from .tables import scores


def drawn(prompt=0.6, sample=0.8, rater=1.2, seeds=1, seed_sd=0.0):
    """Scores with known components."""
    rng, table = np.random.default_rng(0), scores(raters=3, noise=0, per_category=50, samples=3, seeds=seeds)
    for columns, sd in ((["arm", "prompt_id", "sample"], sample), (["arm", "prompt_id", "sample", "rater"], rater),
                        (["dataset", "prompt_id"], prompt / np.sqrt(2)), (["arm"], seed_sd)):
        codes = table.groupby(columns).ngroup().to_numpy()
        table["score"] += rng.normal(0, sd, codes.max() + 1)[codes]
    return table


def test_known_components_come_back():
    table = checked(drawn())
    prompts = prompts_of(table)
    found = components(cells_of(table, "values", prompts), cells_of(table, "base", prompts), prompts.categories)
    assert found["rater"] == pytest.approx(1.2, rel=0.05)
    assert found["sample"] == pytest.approx(0.8, rel=0.05)
    assert found["prompt"] == pytest.approx(0.6, rel=0.15)


def test_table():
    table = variance_components(drawn(seeds=3, seed_sd=0.4), Plan("adherence", rungs=("small", "large")))
    assert list(table.columns) == list(COLUMNS)
    assert table["m"].tolist() == [4] * 4
    small = table[table["rung"] == "small"]
    assert (small["detectable_family"] > small["detectable"]).all()
    assert (small["sd_seed"] > 0.05).all()
    assert table.loc[table["rung"] == "large", "reason"].notna().all()


@pytest.mark.parametrize("change", [
    lambda t: t[t["sample"] == 0], lambda t: t.assign(score=1.0), lambda t: t[t["prompt_id"] == "c0p0"],
    lambda t: t[t["prompt_id"].isin(["c0p0", "c1p0"])], lambda t: t.iloc[:0],
])
def test_degenerate_scores_have_null_parts_not_warnings(change):
    table = variance_components(change(scores()), Plan("adherence", rungs=("small",)))
    assert len(table) == 2
    assert pd.isna(table["sd_rater"]).all()
