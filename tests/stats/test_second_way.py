"""The contrasts of a made sweep computed once more by other code, from the raw table of scores: pandas, plain numpy,
statsmodels and pingouin by the formulas of docs/method.md, and nothing of tasks.stats."""

import numpy as np
import pandas as pd
import pingouin
import pytest
import statsmodels.formula.api as smf
from scipy import stats
from statsmodels.stats.multitest import multipletests

from tasks.stats.contrasts import contrasts
from tasks.stats.plan import Plan
from tests.support.score_tables import scores

CONTRASTS = (("values", "control"), ("values", "base"), ("control", "base"))
METRICS = ("adherence", "adherence_free", "TOXICITY", "TOXICITY (whole)")


def cells(raw: pd.DataFrame, a: str, b: str) -> pd.DataFrame:
    """A row a prompt and seed: category, and the difference of the samples' means; base is compared with every seed."""
    means = raw.groupby(["dataset", "category", "prompt_id", "seed"], dropna=False)["score"].mean().reset_index()
    side_a, side_b = (means[means["dataset"] == name] for name in (a, b))
    keys = ["category", "prompt_id"] if b == "base" else ["category", "prompt_id", "seed"]
    both = side_a.merge(side_b.drop(columns=["seed"] if b == "base" else []), on=keys, suffixes=("_a", "_b"))
    return both.assign(d=both["score_a"] - both["score_b"]).dropna(subset="d")[["category", "prompt_id", "seed", "d"]]


def by_prompts(table: pd.DataFrame) -> tuple[float, float, float]:
    """Estimate, standard error and df of the stratified t: a regression on categories, which weigh the same."""
    d = table.groupby(["category", "prompt_id"])["d"].mean().reset_index()
    sizes = d["category"].value_counts()
    even = sizes.nunique() == 1
    fit = smf.ols("d ~ C(category) - 1", d).fit(**({} if even else {"cov_type": "HC2"}))
    mean = fit.t_test(np.full(len(sizes), 1 / len(sizes)))
    v = (d.groupby("category")["d"].var() / sizes) / len(sizes) ** 2
    df = len(d) - len(sizes) if even else v.sum() ** 2 / (v**2 / (sizes - 1)).sum()
    return mean.effect.item(), mean.sd.item(), df


def recomputed(table: pd.DataFrame) -> tuple[float, float, tuple[float, float]]:
    """Estimate, p and 95% interval, of one seed or of three (balanced)."""
    estimate, se, df = by_prompts(table)
    tests, seeds = [(se, df)], table["seed"].nunique()
    if seeds > 1:
        cell = table["category"] + table["seed"].astype(str)
        dummies = pd.get_dummies(table.assign(cell=cell)[["prompt_id", "cell"]])
        design = dummies.to_numpy(float)
        residual = table["d"].to_numpy() - design @ np.linalg.lstsq(design, table["d"].to_numpy())[0]
        df_e = len(table) - np.linalg.matrix_rank(design)
        assert df_e == df * (seeds - 1)
        v_p, v_e = se**2, (residual**2).sum() / df_e / len(table)
        v_s = table.groupby("seed")["d"].mean().var() / seeds
        total, floor = v_p + v_s - v_e, max(v_p, v_s)
        df_total = total**2 / (v_p**2 / df + v_s**2 / (seeds - 1) + v_e**2 / df_e)
        df_quasi = df_total if total > floor else df if v_p >= v_s else seeds - 1
        tests = [(np.sqrt(max(total, floor)), df_quasi), (np.sqrt(v_s), seeds - 1)]
    p = max(2 * stats.t.sf(abs(estimate) / se, df) for se, df in tests)
    half = max(stats.t.ppf(0.975, df) * se for se, df in tests)
    return estimate, p, (estimate - half, estimate + half)


@pytest.mark.parametrize(("seeds", "gone"), [(1, 0), (1, 3), (3, 0)])
def test_the_contrasts_of_a_sweep(seeds, gone):
    raw = scores(metrics=METRICS, models=("small", "large"), seeds=seeds, noise=1.0, rng_seed=4,
                 effects={"base": 0.0, "control": 0.1, "values": 0.4})
    raw.loc[raw["prompt_id"].isin(["c0p0", "c0p1", "c3p2"][:gone]) & (raw["dataset"] == "values"), "score"] = np.nan
    table = contrasts(raw, Plan("adherence", "TOXICITY", permutations=99))
    rows = table[table["category"] == "all"].set_index(["metric", "model", "contrast"])
    found = {}
    for (metric, model), part in raw.groupby(["metric", "model"]):
        for a, b in CONTRASTS:
            key, data = (metric, model, f"{a} - {b}"), cells(part, a, b)
            found[key] = estimate, p, interval = recomputed(data)
            row = rows.loc[key]
            assert (row["diff"], row["p"], row["ci_lo"], row["ci_hi"]) == pytest.approx((estimate, p, *interval)), key
            d = data.groupby("prompt_id")["d"].mean()
            assert (row["higher"], row["lower"], row["n_prompts"]) == ((d > 0).sum(), (d < 0).sum(), len(d))
            if seeds == 1:
                assert row["p_sign"] == pytest.approx(stats.binomtest(int((d > 0).sum()), len(d)).pvalue)
            if seeds == 1 and not gone:
                assert row["d_z"] == pytest.approx(pingouin.compute_effsize(d, 0, eftype="cohen"))
                reference = pingouin.ttest(d, 0)
                assert row["bf10"] == pytest.approx(float(reference["BF10"].iloc[0]), rel=0.01)
    raw_p = pd.Series({key: p for key, (_, p, _) in found.items()})
    main = rows["family"] == "confirmatory"
    keys = rows.index[main]
    assert rows.loc[main, "p_corr"].to_numpy() == pytest.approx(multipletests(raw_p[keys], method="holm")[1])
    neutral = rows.index[rows["role"] == "negative-control"]
    assert len(neutral) == len(METRICS) * 2
    assert rows.loc[neutral, "p_corr"].to_numpy() == pytest.approx(multipletests(raw_p[neutral], method="holm")[1])
