from unittest.mock import ANY

import numpy as np
import pytest

from tasks.stats.plan import Plan
from tasks.stats.scores import arm_scores, checked, prompts_of
from tasks.stats.variance import COLUMNS, components, variance_components
from tests.support.score_tables import scores


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
    found = components(arm_scores(table, "values", prompts), arm_scores(table, "base", prompts), prompts.categories)
    assert found["rater"] == pytest.approx(1.2, rel=0.05)
    assert found["sample"] == pytest.approx(0.8, rel=0.05)
    assert found["prompt"] == pytest.approx(0.6, rel=0.15)


def test_table():
    table = variance_components(drawn(seeds=3, seed_sd=0.4), Plan("adherence", models=("small", "large")))
    assert list(table.columns) == list(COLUMNS)
    assert table["m"].tolist() == [4] * 4
    small = table[table["model"] == "small"]
    assert (small["detectable_family"] > small["detectable"]).all()
    assert (small["sd_seed"] > 0.05).all()
    assert table.loc[table["model"] == "large", "reason"].notna().all()


def split_prompts(table):
    """Each arm was scored on prompts of its own."""
    own = {"base": "p0", "control": "p1", "values": "p2"}
    return table[table["prompt_id"].str[-2:] == table["dataset"].map(own)]


@pytest.mark.parametrize(("change", "prompt", "sample", "reason"), [
    (lambda t: t[t["sample"] == 0], ANY, None, None),
    (lambda t: t.assign(score=1.0), 0, 0, None),
    (lambda t: t[t["prompt_id"] == "c0p0"], None, ANY, "no category has two prompts"),
    (lambda t: t[t["prompt_id"].isin(["c0p0", "c1p0"])], None, ANY, "no category has two prompts"),
    (lambda t: t.iloc[:0], None, None, "no scores of an arm at this model"),
    (split_prompts, None, None, "no prompt has a score in both arms"),
])
def test_degenerate_scores_have_null_parts_not_warnings(change, prompt, sample, reason):
    table = variance_components(change(scores()), Plan("adherence", models=("small",)))
    assert len(table) == 2
    for name, value in {"sd_prompt": prompt, "sd_sample": sample, "reason": reason}.items():
        assert table[name].isna().tolist() == [value is None] * 2, name
        assert value is None or table[name].tolist() == [value] * 2
    assert table["detectable"].isna().tolist() == [reason is not None] * 2


def test_against_base_its_noise_is_that_of_one_checkpoint():
    table = variance_components(drawn(prompt=0, rater=0, seeds=20), Plan("adherence")).set_index("contrast")
    assert table["seeds"].tolist() == [20, 20]
    ratio = table.loc["values - base", "detectable"] / table.loc["values - control", "detectable"]
    assert ratio == pytest.approx(np.sqrt((1 / 20 + 1) / (2 / 20)), rel=0.15)


def test_a_category_without_a_complete_prompt_costs_no_degree_of_freedom():
    data = scores()
    table = variance_components(data[(data["category"] == "c0") | (data["dataset"] != "values")], Plan("adherence"))
    assert table["n_prompts"].tolist() == [5, 5]
    assert table["detectable"].notna().all()
