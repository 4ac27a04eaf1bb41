import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tasks.stats.paired import stratified_t
from tasks.stats.plan import Plan
from tasks.stats.trend import COLUMNS, slope, slope_weights, trend
from tests.support.score_tables import scores

THREE = ("small", "middle", "large")
CATEGORIES = np.repeat(np.arange(8), 5)
PLAN = Plan("adherence")


def one(table, scale="raw", contrast="values - base"):
    return table[(table["scale"] == scale) & (table["contrast"] == contrast)].iloc[0]


def growing(**kw):
    data = scores(models=THREE, **kw)
    grown = data["dataset"] == "values"
    data.loc[grown, "score"] += 0.5 * (np.log10(data.loc[grown, "params"]) - 9)
    return data


def test_weights_are_least_squares():
    x, y = np.log10([1e8, 4e8, 1e10]), np.array([0.1, 0.7, 0.4])
    assert slope_weights(x) @ y == pytest.approx(stats.linregress(x, y).slope)


def test_one_seed_is_descriptive():
    found = one(trend(growing(), PLAN))
    assert found["descriptive"]
    assert found["reason"] == "one seed: descriptive"
    assert found[["p", "stat", "p_corr", "family"]].isna().all()
    assert found["ci_lo"] < 0.5 < found["ci_hi"]
    assert found["estimand"] == "slope per tenfold of parameters: these checkpoints, prompts like these"


def test_several_seeds_have_a_test():
    table = trend(growing(seeds=3), PLAN)
    assert list(table.columns) == list(COLUMNS)
    found = one(table)
    assert (found["test"], found["m"], found["n_models"], found["seeds"]) == (
        "quasi-t and t of the seeds' means", 2, 3, 3)
    assert found["p"] < 0.001
    assert found["estimate"] == pytest.approx(0.5, abs=0.1)
    assert one(table, "ps")["estimate"] > 0


def test_two_models_are_a_difference_never_a_trend():
    data = growing(seeds=2)
    found = one(trend(data[data["model"] != "middle"], PLAN))
    assert found["estimand"] == "difference of effects, larger - smaller: these checkpoints, prompts like these"
    assert found["estimate"] == pytest.approx(1, abs=0.2)
    assert pd.isna(found["reason"])


@pytest.mark.parametrize(("seeds", "claim"), [(2, "these checkpoints"), (3, "the dataset")])
def test_three_seeds_make_a_claim_about_the_dataset(seeds, claim):
    found = one(trend(growing(seeds=seeds), PLAN))
    assert found["estimand"] == f"slope per tenfold of parameters: {claim}, prompts like these"
    data = growing(seeds=3)
    fewest = one(trend(data[~((data["model"] == "middle") & (data["seed"] == 3))], PLAN))
    assert (fewest["seeds"], fewest["estimand"]) == (
        2, "slope per tenfold of parameters: these checkpoints, prompts like these")


def test_a_contrast_that_lost_its_test_stays_in_the_family():
    data = growing(seeds=2, effects={"base": 0.0, "control": 0.0, "values": 0.1})
    table = trend(data[~((data["dataset"] == "control") & (data["model"] != "small"))], PLAN)
    kept, lost = one(table), one(table, contrast="values - control")
    assert pd.isna(lost["p"])
    assert lost["reason"] == "one model: no trend; planned but without scores in both arms: middle, large"
    assert kept["family"] == lost["family"] == "trend: adherence, raw"
    assert (kept["m"], lost["m"], lost["p_corr"]) == (2, 2, 1)
    assert kept["p_corr"] == pytest.approx(min(1, 2 * kept["p"]))


def test_a_descriptive_contrast_stays_in_the_family_of_a_tested_one():
    data = growing(seeds=2)
    table = trend(data[data["arm"] != "control-2"], PLAN)
    assert one(table, contrast="values - control")["descriptive"]
    assert table["m"].unique().tolist() == [2]
    assert one(table)["p_corr"] == pytest.approx(2 * one(table)["p"])


def test_very_few_prompts_have_no_test():
    for per_category, reason in ((2, "4 complete prompts are too few: it takes 6"), (3, None)):
        found = trend(growing(seeds=3, categories=2, per_category=per_category), PLAN)
        assert found["p"].isna().all() == bool(reason)
        assert not found["estimate"].isna().any()
        assert [*found["reason"].dropna().unique()] == ([reason] if reason else [])


def test_a_planned_model_without_pairs_is_named():
    data = growing(seeds=3)
    plan = Plan("adherence", models=(*THREE, "huge"))
    found = one(trend(data[~((data["model"] == "middle") & (data["dataset"] == "base"))], plan))
    assert (found["n_models"], found["models"]) == (2, "small, large")
    assert found["reason"] == "planned but without scores in both arms: middle, huge"
    assert found["p"] < 0.05
    other = data.assign(model_family=np.where(data["model"] == "large", "other", "toy"))
    of_toy = trend(other, Plan("adherence", models=THREE)).query("model_family == 'toy'")
    assert of_toy["reason"].isna().all()  # a model of another model family was never planned for this slope


def test_a_whole_category_without_scores_is_said():
    data = growing(seeds=2)
    data.loc[(data["category"] == "c7") & (data["arm"] == "values") & (data["model"] == "large"), "score"] = np.nan
    assert one(trend(data, PLAN))["reason"] == "no complete prompt in c7: the mean is of the other 7 categories"


@pytest.mark.parametrize(("change", "reason"), [
    (lambda t: t[t["model"] == "small"], "one model"),
    (lambda t: t.assign(params=1e9), "two models have the same number"),
    (lambda t: t.assign(params=np.nan), "unknown"),
    (lambda t: t.assign(params=0), "two models have the same number"),
    (lambda t: t[t["dataset"] == "values"], "no model has scores"),
])
def test_refusals(change, reason):
    found = one(trend(change(growing()), PLAN))
    assert reason in found["reason"]
    assert pd.isna(found["p"])
    assert found["estimand"] == "none"


def test_model_families_are_not_mixed():
    data = growing(seeds=2)
    data["model_family"] = np.where(data["model"] == "large", "other", "toy")
    table = trend(data, PLAN)
    assert set(table["model_family"]) == {"toy", "other"}
    assert one(table[table["model_family"] == "other"])["reason"] == "one model: no trend"
    assert table.loc[table["model_family"] == "other", ["family", "m", "p_corr"]].isna().all(axis=None)
    assert table.loc[table["model_family"] == "toy", "m"].unique().tolist() == [2]
    assert one(table[table["model_family"] == "toy"])["models"] == "small, middle"


def test_constant_scores():
    data = scores(models=THREE, seeds=2)
    data["score"] = 1.0
    found = one(trend(data, PLAN))
    assert (found["estimate"], found["reason"]) == (0, "every difference is zero")
    assert trend(data.iloc[:0], PLAN).empty


def test_one_seed_slope_is_the_paired_t_of_slopes():
    rng = np.random.default_rng(0)
    models, w = [rng.normal(size=(40, 1)) for _ in range(3)], slope_weights(np.array([8.0, 9.0, 10.0]))
    models[1][5] = np.nan
    slopes = sum(c * r[:, 0] for c, r in zip(w, models, strict=True))
    assert slope(models, w, CATEGORIES) == stratified_t(slopes, CATEGORIES)


def test_prompts_with_a_gap_at_any_model_are_left_out():
    rng = np.random.default_rng(0)
    models, w = [rng.normal(size=(40, 2)) for _ in range(3)], slope_weights(np.array([8.0, 9.0, 10.0]))
    models[1][5, 0] = np.nan
    found = slope(models, w, CATEGORIES)
    assert (found.n, found.n_missing, found.reason) == (39, 1, None)
    tiny = slope([r[:8:5] for r in models], w, np.array([0, 1]))
    assert tiny.reason == "no category has two prompts" or tiny.n < 2
