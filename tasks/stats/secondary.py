"""Other looks at the same contrasts, none of which is the test of the claim.

By other means (a bootstrap interval, Bayes factors with other priors); as the seed's publication did it; and with what
else may explain an effect: the completions' length, and the prompts that lie closest to the training texts.
"""

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from tasks.stats import effects
from tasks.stats.comparisons import NO_ARM, Comparison, comparisons
from tasks.stats.contrasts import ALL, COLUMNS, contrasts
from tasks.stats.outcome import NAN, TINY, Floats, unit
from tasks.stats.paired import bayes_factor, bootstrap_interval, stratified_t
from tasks.stats.plan import Plan
from tasks.stats.scores import checked

SENSITIVITY = ("metric", "model", "contrast", "n_prompts", "boot_lo", "boot_hi", "bf10_r05", "bf10_r0707", "bf10_r1",
               "reason")
SEED_STYLE = ("analysis", "metric", "model", "params", "contrast", "n_a", "n_b", "k", "raters", "mean_a",
              "mean_b", "diff", "stat", "df", "p", "ci_lo", "ci_hi", "d_pooled", "reason")
SEED_STYLE_LABEL = "seed-style: samples as independent, for comparison with the paper"
LENGTH = "length in words"
BY_SEED = ("metric", "model", "params", "contrast", "seed", "diff", "ci_lo", "ci_hi", "p", "reason")


def by_seed(scores: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """The confirmatory contrasts of the primary metric at each seed of the target, with exactly `BY_SEED`; none where
    there is one seed. Each row is about one pair of checkpoints: it shows how far seeds spread and is no test of the
    claim (not corrected)."""
    rows: list[dict[str, Any]] = []
    for comparison in comparisons(checked(scores), plan, [plan.primary], plan.confirmatory):
        if comparison.pair is None or comparison.scores_a is None or comparison.pair.diffs.shape[1] < 2:
            continue
        seeds = [seed for seed in comparison.scores_a.seeds if seed not in comparison.pair.unpaired[0]]
        for seed, diffs in zip(seeds, comparison.pair.diffs.T, strict=True):
            test = stratified_t(diffs, comparison.prompts.categories, confidence=plan.confidence)
            figures = {"diff": test.estimate, "ci_lo": test.ci_lo, "ci_hi": test.ci_hi, "p": test.p}
            rows.append(comparison.about | figures | {"seed": seed, "reason": test.reason})
    return pd.DataFrame(rows, columns=list(BY_SEED)).astype({"reason": "str"})


def sensitivity(scores: pd.DataFrame, plan: Plan, *, draws: int = 4000) -> pd.DataFrame:
    """A row per confirmatory contrast of the primary and secondary metric and model, with exactly `SENSITIVITY`.

    Prompts are the only noise in it, so with several seeds it is about these checkpoints, their seeds averaged.
    """
    compared = comparisons(checked(scores), plan, plan.metrics, plan.confirmatory)
    rows = [c.about | _by_other_means(c, plan, draws) for c in compared]
    return pd.DataFrame(rows, columns=list(SENSITIVITY)).astype({"reason": "str"})


def _by_other_means(comparison: Comparison, plan: Plan, draws: int) -> dict[str, Any]:
    if not comparison.pair:
        return {"n_prompts": 0, "reason": NO_ARM}
    diffs, strata = comparison.pair.diffs.mean(axis=1), comparison.prompts.categories
    n = int((~np.isnan(diffs)).sum())
    if n < 2:
        return {"n_prompts": n, "reason": f"{'one prompt has' if n else 'no prompt has'} a score in both arms"}
    lo, hi = bootstrap_interval(diffs, strata, draws=draws, seed=plan.seed, confidence=plan.confidence)
    size = effects.standardised(diffs, strata)
    reasons = ["the differences do not vary" if np.isnan(size.d) else None,
               "a category has one prompt: no bootstrap" if np.isnan(lo) else None]
    return {"n_prompts": n, "boot_lo": lo, "boot_hi": hi, "bf10_r05": bayes_factor(size.t, size.n, 0.5),
            "bf10_r0707": bayes_factor(size.t, size.n), "bf10_r1": bayes_factor(size.t, size.n, 1.0),
            "reason": "; ".join(filter(None, reasons)) or None}


def seed_style(scores: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """Welch t and pooled d of every metric, model and contrast, all samples independent; exactly `SEED_STYLE`.

    A sample's ratings are averaged first. It ignores that arms answer the same prompts and that samples of a prompt
    resemble each other, so its p is not a test of the claim [taking 360 ratings as independent rejects 20% of true
    nulls at the 5% level]. Not corrected for the number of tests: nor was the published one.
    """
    table = checked(scores)
    wanted = (*plan.confirmatory, plan.negative_control)
    rows: list[dict[str, Any]] = []
    for comparison in comparisons(table, plan, table["metric"].unique(), wanted):
        figures: dict[str, Any] = {"n_a": 0, "n_b": 0, "k": 0, "raters": 0, "reason": NO_ARM}
        if comparison.arms:
            a, b = comparison.arms
            figures = welch(a.samples.ravel(), b.samples.ravel(), confidence=plan.confidence)
            figures |= {"k": max(a.k, b.k), "raters": max(a.raters, b.raters)}
        rows.append({"analysis": SEED_STYLE_LABEL} | comparison.about | figures)
    return pd.DataFrame(rows, columns=list(SEED_STYLE)).astype({"reason": "str"})


def welch(a: Floats, b: Floats, *, confidence: float = 0.95) -> dict[str, Any]:
    """Welch's t test of two samples of independent scores (1-d), with interval and pooled d; two-sided; by `scipy`.

    No p with fewer than two scores a side or no variation. Reference: Welch (1947), Biometrika 34, 28-35.
    """
    a, b = a[~np.isnan(a)], b[~np.isnan(b)]
    mean_a, mean_b = (values.mean() if len(values) else NAN for values in (a, b))
    row: dict[str, Any] = {"n_a": len(a), "n_b": len(b), "mean_a": mean_a, "mean_b": mean_b,
                           "d_pooled": effects.pooled_d(a, b), "diff": mean_a - mean_b}
    if min(len(a), len(b)) < 2:
        return row | {"reason": "fewer than two scores in an arm"}
    scale = unit(np.r_[a, b])
    a, b = a / scale, b / scale
    se = np.sqrt(a.var(ddof=1) / len(a) + b.var(ddof=1) / len(b))
    if se <= TINY * max(np.abs(a).max(), np.abs(b).max()):
        return row | {"reason": "the scores do not vary within the arms"}
    test = stats.ttest_ind(a, b, equal_var=False)
    interval = test.confidence_interval(confidence)
    return row | {"stat": float(test.statistic), "df": float(test.df), "p": float(test.pvalue),
                  "ci_lo": float(interval.low) * scale, "ci_hi": float(interval.high) * scale, "reason": None}


def length_contrasts(completions: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """The contrasts of the test completions' length, `words`. Nobody planned a test of it."""
    test = completions[completions["split"] == "test"]
    table = contrasts(test.assign(metric=LENGTH, score=test["words"]), replace(plan, primary=LENGTH, secondary=None))
    return table[table["category"] == ALL].reset_index(drop=True)


def contrasts_without(scores: pd.DataFrame, prompts: Collection[str], plan: Plan) -> pd.DataFrame:
    """The confirmatory contrasts once more, on the test prompts that are not among these."""
    rows = scores[(scores["metric"] == plan.primary) & (scores["split"] == "test")]
    table = contrasts(rows[~rows["prompt_id"].isin(prompts)], replace(plan, secondary=None))
    return table[(table["category"] == ALL) & (table["family"] == "confirmatory")].reset_index(drop=True)


def contrasts_without_empty(scores: pd.DataFrame, completions: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """The confirmatory contrasts of ratings once more, without those of empty completions; none where the primary
    metric has no raters or no completion is empty."""
    keys = ["model", "arm", "prompt_id", "sample"]
    empty = completions.loc[completions["completion"].str.strip() == "", keys].assign(empty=True)
    rows = checked(scores[(scores["metric"] == plan.primary) & (scores["split"] == "test")])
    left = rows.merge(empty, on=keys, how="left")
    kept = left[left["empty"].isna()].drop(columns="empty")
    if len(kept) == len(rows) or not (rows["rater"] != "").any():
        return pd.DataFrame(columns=list(COLUMNS))
    table = contrasts(kept, replace(plan, secondary=None))
    return table[(table["category"] == ALL) & (table["family"] == "confirmatory")].reset_index(drop=True)
