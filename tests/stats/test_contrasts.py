import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tasks.stats.contrasts import COLUMNS, contrasts
from tasks.stats.crossed import crossed_t
from tasks.stats.families import benjamini_hochberg, holm
from tasks.stats.paired import bayes_factor, sign_flip, stratified_t
from tasks.stats.plan import Plan
from tasks.stats.secondary import seed_style
from tests.support.score_tables import SIZES, scores

METHOD_COLUMNS = """metric, role, model, params, contrast, category, estimand, n_prompts, n_missing, k, raters,
    seeds, mean_a, mean_b, diff, se, test, stat, df, p, family, m, p_corr, ci_lo, ci_hi, ci_method, ps, higher, lower,
    higher_lo, higher_hi, p_sign, d_z, d_lo, d_hi, g_z, g_lo, g_hi, d_seed_style, p_signflip, bf10"""
PLAN = Plan("adherence", "TOXICITY", permutations=999)


def overall(table, **where):
    table = table[table["category"] == "all"]
    for name, value in where.items():
        table = table[table[name] == value]
    return table


def row(table, **where):
    found = overall(table, **where)
    assert len(found) == 1
    return found.iloc[0]


def test_columns_are_those_of_the_method():
    table = contrasts(scores(), PLAN)
    assert list(table.columns) == [*METHOD_COLUMNS.replace(",", " ").split(), "reason", "note"] == list(COLUMNS)


def test_one_row_against_the_functions_it_is_made_of():
    data = scores()
    means = data.groupby(["dataset", "prompt_id"], sort=False)["score"].mean()
    d = (means["values"] - means["control"]).to_numpy()
    categories = np.repeat(np.arange(8), 5)
    reference, found = stratified_t(d, categories), row(contrasts(data, PLAN), metric="adherence",
                                                        contrast="values - control")
    for name in ("se", "stat", "df", "p", "ci_lo", "ci_hi"):
        assert found[name] == pytest.approx(getattr(reference, name))
    assert found["diff"] == pytest.approx(d.mean()) == pytest.approx(found.mean_a - found.mean_b)
    assert found.p_signflip == sign_flip(d, categories, permutations=999)
    assert found.d_z == pytest.approx(d.mean() / d.std(ddof=1))
    assert found.bf10 == pytest.approx(bayes_factor(found.d_z * np.sqrt(40), 40))
    assert found.d_lo < found.d_z < found.d_hi
    assert (found.n_prompts, found.n_missing, found.k, found.raters, found.seeds) == (40, 0, 3, 0, 1)
    assert (found.estimand, found.test) == ("these checkpoints, prompts like these", "stratified paired t")
    assert pd.isna(found.reason)


def test_families_and_roles():
    data = scores(metrics=("adherence", "TOXICITY", "INSULT", "THREAT"), models=("small", "large"))
    table = contrasts(data, PLAN)
    assert overall(table, role="primary")["m"].tolist() == [4] * 4
    assert overall(table, role="secondary")["family"].unique().tolist() == ["secondary"]
    assert overall(table, role="exploratory")["m"].tolist() == [8] * 8
    control = overall(table, role="negative-control")
    assert control["family"].unique().tolist() == ["negative control"]
    assert control["m"].tolist() == [8] * 8  # metrics x models
    of_control = table[(table["role"] == "category") & (table["contrast"] == "control - base")]
    assert of_control[["family", "m", "p_corr"]].isna().all(axis=None)
    categories = table[(table["metric"] == "adherence") & (table["role"] == "category")]
    assert categories["df"].unique().tolist() == [4]
    assert len(categories) == 8 * 2 * 3
    assert categories.loc[categories["contrast"] != "control - base", "m"].unique().tolist() == [32]
    assert table["model"].drop_duplicates().tolist() == ["small", "large"]


def test_parts_of_the_primary_and_variants_of_the_secondary_have_families_of_their_own():
    metrics = ("adherence", "adherence_free", "adherence_less_free", "TOXICITY", "TOXICITY (whole)", "INSULT (whole)")
    table = overall(contrasts(scores(metrics=metrics, models=("small", "large")), PLAN))
    of_values = table[table["role"] != "negative-control"].drop_duplicates("metric").set_index("metric")
    assert of_values["family"].to_dict() == {
        "adherence": "confirmatory", "adherence_free": "parts", "adherence_less_free": "parts",
        "TOXICITY": "secondary", "TOXICITY (whole)": "variants", "INSULT (whole)": "exploratory"}
    assert of_values["role"].tolist()[2:] == ["exploratory", "variant", "part", "part"]
    assert of_values["m"].to_dict() == {"adherence": 4, "adherence_free": 8, "adherence_less_free": 8, "TOXICITY": 4,
                                        "TOXICITY (whole)": 8, "INSULT (whole)": 4}
    assert overall(table, role="negative-control")["m"].unique().tolist() == [12]


def test_each_family_has_its_correction():
    data = scores(metrics=("adherence", "TOXICITY", "TOXICITY (whole)", "adherence_free", "INSULT"),
                  models=("small", "large"), noise=2.0,
                  effects={"base": 0.0, "control": 0.0, "values": 0.5})
    table = contrasts(data, PLAN)
    for family, method in (("confirmatory", holm), ("secondary", holm), ("parts", holm),
                           ("negative control", holm), ("exploratory", benjamini_hochberg),
                           ("categories: adherence", benjamini_hochberg)):
        rows = table[table["family"] == family]
        assert rows["p_corr"].to_numpy() == pytest.approx(method(rows["p"]))
        assert (rows["p_corr"] != holm(rows["p"])).any() == (method is benjamini_hochberg)
    variants = table["family"] == "variants"
    readings = table[variants | (table["family"] == "secondary")]
    p_corr = pd.Series(holm(readings["p"]), readings.index)
    assert table.loc[variants, "p_corr"].to_numpy() == pytest.approx(p_corr[table.index[variants]].to_numpy())


def test_a_planned_model_without_scores_keeps_its_place():
    table = contrasts(scores(), Plan("adherence", models=("small", "large", "huge"), permutations=99))
    primary = overall(table, role="primary")
    assert primary["m"].tolist() == [6] * 6
    lost = primary[primary["model"] != "small"]
    assert lost["p"].isna().all()
    assert lost["p_corr"].tolist() == [1] * 4
    assert lost["reason"].unique().tolist() == ["no scores of values and control at this model",
                                                "no scores of values and base at this model"]
    assert lost["n_missing"].tolist() == [40] * 4


def test_constant_scores_have_a_reason_and_no_p():
    data = scores()
    data["score"] = data["dataset"].map({"base": 1.0, "control": 1.0, "values": 3.0})
    table = contrasts(data, PLAN)
    found = row(table, metric="adherence", contrast="values - base")
    assert found["diff"] == pytest.approx(2)
    assert found.ps == pytest.approx(1)
    assert found.reason == "the differences do not vary within categories"
    assert found[["p", "ci_lo", "d_z", "bf10"]].isna().all()
    assert found.p_corr == 1
    tied = row(table, metric="adherence", contrast="control - base")
    assert (tied["diff"], tied.reason) == (0, "every difference is zero")
    assert tied.ps == pytest.approx(0.5)


def test_missing_scores_are_counted_not_zero():
    data = scores()
    gone = (data["prompt_id"] == "c0p0") & (data["arm"] == "values")
    data.loc[gone, "score"] = np.nan
    data.loc[(data["prompt_id"] == "c1p0") & (data["sample"] == 0), "score"] = np.nan
    found = row(contrasts(data, PLAN), metric="adherence", contrast="values - base")
    assert (found.n_prompts, found.n_missing) == (39, 1)
    assert 15 < found.df <= 31  # categories of two sizes: Satterthwaite's
    without = contrasts(data[~gone], PLAN)
    assert row(without, metric="adherence", contrast="values - base").p == pytest.approx(found.p)


def test_a_whole_category_without_scores_is_said():
    data = scores(seeds=3)
    data.loc[(data["category"] == "c7") & (data["arm"] == "values"), "score"] = np.nan
    table = contrasts(data, PLAN)
    note = "no complete prompt in c7: the mean is of the other 7 categories"
    assert row(table, metric="adherence", contrast="values - base").note == note
    assert pd.isna(row(table, metric="adherence", contrast="control - base").note)


@pytest.mark.parametrize("seeds", [1, 3])
def test_the_seed_style_effect_is_that_of_the_seed_style_table(seeds):
    """Base is one checkpoint: its samples are pooled once, however many seeds it is compared with."""
    data = scores(seeds=seeds, effects={"base": 0.0, "control": 0.2, "values": 1.0})
    data.loc[data["dataset"] == "base", "score"] *= 3
    found, published = overall(contrasts(data, PLAN), metric="adherence"), seed_style(data, PLAN)
    both = found.merge(published, on="contrast", suffixes=("", "_published"))
    assert len(both) == 3
    assert both["d_seed_style"].to_numpy() == pytest.approx(both["d_pooled"].to_numpy())


def test_an_arm_that_was_never_scored():
    data = scores()
    data.loc[data["arm"] == "control", "score"] = np.nan
    found = row(contrasts(data, PLAN), metric="adherence", contrast="values - control")
    assert (found.n_prompts, found.n_missing, found.reason) == (0, 40, "no scores of control at this model")


@pytest.mark.parametrize(("categories", "per_category", "reason"), [
    (1, 1, "no category has two prompts"), (8, 1, "no category has two prompts"),
    (1, 2, "2 complete prompts are too few: it takes 6"), (1, 5, "5 complete prompts are too few: it takes 6"),
    (2, 2, "4 complete prompts are too few: it takes 6"), (2, 3, ""), (1, 6, "")])  # fmt: skip
def test_very_few_prompts(categories, per_category, reason):
    table = contrasts(scores(categories=categories, per_category=per_category), PLAN)
    found = row(table, metric="adherence", contrast="values - base")
    assert found.n_prompts == categories * per_category
    assert (found.reason if reason else "") == reason
    assert pd.isna([found.p, found.ci_lo, found.stat]).tolist() == [bool(reason)] * 3
    assert not pd.isna([found["diff"], found.mean_a]).any()  # what was seen is shown all the same


def test_several_seeds_use_the_quasi_t_and_claim_the_dataset():
    data = scores(seeds=3)
    means = data.groupby(["arm", "prompt_id"], sort=False)["score"].mean()
    d = np.stack([means[f"values{s}"] - means[f"control{s}"] for s in ("", "-2", "-3")], axis=1)
    found = row(contrasts(data, PLAN), metric="adherence", contrast="values - control")
    reference = crossed_t(d, np.repeat(np.arange(8), 5), of="dataset")
    assert (found.p, found.ci_lo, found.ci_hi) == pytest.approx((reference.p, reference.ci_lo, reference.ci_hi))
    assert (found.test, found.seeds, found.estimand) == (
        "quasi-t and t of the seeds' means", 3, "the dataset, prompts like these")
    prompt_only = ["d_lo", "g_hi", "higher_lo", "p_sign", "p_signflip", "bf10"]
    assert found[prompt_only].isna().all()
    assert found["higher"] == (d.mean(axis=1) > 0).sum()
    two = row(contrasts(scores(seeds=2), PLAN), metric="adherence", contrast="values - control")
    assert (two.test, two.estimand) == ("quasi-t", "these checkpoints, prompts like these")


def test_a_seed_without_a_partner_is_noted():
    data = scores(seeds=3)
    table = contrasts(data[data["arm"] != "control-2"], PLAN)
    found = row(table, metric="adherence", contrast="values - control")
    assert (found.seeds, found.note) == (2, "seed 2 of values has no partner and is left out")
    categories = table[(table["metric"] == "adherence") & (table["contrast"] == "values - control")]
    assert categories["note"].unique().tolist() == [found.note]
    assert pd.isna(row(table, metric="adherence", contrast="values - base").note)
    far = data.assign(seed=data["seed"] + 10 * (data["dataset"] == "control"))
    several = far[~((far["dataset"] == "control") & (far["seed"] > 12))]
    found = row(contrasts(several, PLAN), metric="adherence", contrast="values - control")
    assert (found.seeds, found.note) == (2, "seed 3 of values has no partner and is left out")


def test_prompts_are_counted_with_their_sign_test():
    data = scores(effects={"base": 0.0, "control": 0.0, "values": 0.1})
    means = data.groupby(["dataset", "prompt_id"], sort=False)["score"].mean()
    d = means["values"] - means["control"]
    found = row(contrasts(data, PLAN), metric="adherence", contrast="values - control")
    reference = stats.binomtest(int((d > 0).sum()), 40)
    assert (found.higher, found.lower) == ((d > 0).sum(), (d < 0).sum())
    assert (found.p_sign, found.higher_lo, found.higher_hi) == pytest.approx(
        (reference.pvalue, *reference.proportion_ci(0.95)))


def test_effect_sizes_and_bayes_factor_have_the_weights_of_the_difference():
    data = scores()
    data = data[~data["prompt_id"].isin(["c0p0", "c0p1", "c0p2"])]
    found = row(contrasts(data, PLAN), metric="adherence", contrast="values - control")
    n = 1 / (2 / 64 / 4 + 35 / 1600)  # two prompts in one category of eight, five in the others
    assert found.bf10 == pytest.approx(bayes_factor(found.d_z * np.sqrt(n), n))
    assert found.d_lo < found.d_z < found.d_hi
    assert (found.g_lo / found.d_lo, found.g_hi / found.d_hi) == pytest.approx((found.g_z / found.d_z,) * 2)


@pytest.mark.parametrize("factor", [1e150, 1e-150])
@pytest.mark.parametrize("seeds", [1, 3])
def test_scores_of_any_size_have_the_same_tests(factor, seeds):
    """Warnings are errors here."""
    data = scores(seeds=seeds)
    data = data[data["prompt_id"] != "c0p0"]
    plain, huge = contrasts(data, PLAN), contrasts(data.assign(score=factor * data["score"]), PLAN)
    for name in ("p", "df", "ps", "d_z", "d_hi", "g_z", "bf10", "p_signflip", "d_seed_style"):
        assert huge[name].to_numpy() == pytest.approx(plain[name].to_numpy(), nan_ok=True, rel=1e-6), name
    assert huge["ci_hi"].to_numpy() / factor == pytest.approx(plain["ci_hi"].to_numpy(), nan_ok=True)


def test_a_panel_of_raters_is_fixed():
    fixed = row(contrasts(scores(raters=3, samples=2), PLAN), metric="adherence", contrast="values - base")
    assert (fixed.raters, fixed.k, fixed.test) == (3, 2, "stratified paired t")
    assert fixed.estimand == "these checkpoints, these raters, prompts like these"


def test_a_third_dataset_is_exploratory():
    data = scores(effects={"base": 0.0, "control": 0.0, "values": 1.0, "values-n20": 0.5})
    extra = overall(contrasts(data, PLAN), role="exploratory", metric="adherence")
    assert extra["contrast"].tolist() == ["values-n20 - control", "values-n20 - base"]
    assert overall(contrasts(data, PLAN), role="primary")["m"].tolist() == [2, 2]


def test_names_do_not_matter():
    data = scores()
    renamed = data.assign(dataset=data["dataset"].map({"base": "b", "control": "k", "values": "v"}),
                          prompt_id="q" + data["prompt_id"].str[::-1], category="z" + data["category"])
    a = contrasts(data, PLAN)
    b = contrasts(renamed.sample(frac=1, random_state=0),
                  Plan("adherence", "TOXICITY", target="v", control="k", base="b", permutations=999))
    assert overall(a)["p"].to_numpy() == pytest.approx(overall(b)["p"].to_numpy(), nan_ok=True)
    assert contrasts(data, PLAN).equals(a)


def test_models_come_by_size_and_keep_their_parameters():
    table = overall(contrasts(scores(models=("large", "small")), PLAN), role="primary")
    assert table["params"].drop_duplicates().tolist() == [SIZES["small"], SIZES["large"]]


def test_an_empty_table_is_a_table_of_reasons():
    table = contrasts(scores().iloc[:0], Plan("adherence", models=("small",)))
    assert overall(table)["p"].isna().all()
    assert overall(table)["reason"].notna().all()
    assert contrasts(scores().iloc[:0], Plan("adherence")).empty
