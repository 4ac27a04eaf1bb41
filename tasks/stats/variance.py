"""Where the noise comes from: variance components of each contrast, with the effect it lets one detect."""

from typing import Any

import numpy as np
import pandas as pd

from tasks.formats.verdicts import CLAIM_SEEDS
from tasks.stats.comparisons import NO_ARM, Comparison, comparisons, ladder
from tasks.stats.crossed import parts
from tasks.stats.outcome import NAN, Floats, Labels, nan_mean, unit
from tasks.stats.paired import complete, design, within_variance
from tasks.stats.plan import Plan
from tasks.stats.power import detectable_crossed, detectable_points
from tasks.stats.scores import ArmScores, checked, pair

COLUMNS = ("metric", "model", "params", "contrast", "n_prompts", "k", "raters", "seeds", "sd_prompt", "sd_sample",
           "sd_rater", "sd_seed", "detectable", "detectable_family", "m", "reason")


def variance_components(scores: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """A row per confirmatory contrast of the primary metric and model, with exactly `COLUMNS`; sd in points.

    `detectable`: the smallest true difference found with 80% power by one test at the plan's level;
    `detectable_family`: by Holm's first step in the family of m. With several seeds both are of the test that carries
    them (`power.detectable_crossed`), as if the variances found were the true ones. `sd_seed`: of the difference, from
    the crossed
    table of prompts and seeds; null with one seed.
    """
    table = checked(scores)
    m, rows = len(plan.confirmatory) * len(ladder(table, plan)), []
    for comparison in comparisons(table, plan, [plan.primary], plan.confirmatory):
        arms, alpha = comparison.arms, 1 - plan.confidence
        figures = _figures(*arms, comparison, m, alpha) if arms else {"reason": NO_ARM}
        rows.append(comparison.about | {"m": m} | figures)
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"reason": "str"})


def _figures(a: ArmScores, b: ArmScores, comparison: Comparison, m: int, alpha: float) -> dict[str, Any]:
    diffs, strata = pair(a, b, fixed_b=comparison.fixed_b).diffs, comparison.prompts.categories
    k, raters, seeds = max(a.k, b.k), max(a.raters, b.raters), diffs.shape[1]
    whole = ~np.isnan(diffs).any(axis=1)
    row = {"n_prompts": int(whole.sum()), "k": k, "raters": raters, "seeds": seeds}
    if not whole.any():
        return row | {"reason": "no prompt has a score in both arms"}
    sds, seed_sd = components(a, b, strata), seed_spread(diffs[whole])
    n, categories = int(whole.sum()), len(set(strata[whole]))
    if seeds > 1 and n > categories:
        scale = unit(diffs[whole])
        split = parts(diffs[whole] / scale, strata[whole])
        single, in_family = (scale * detectable_crossed(split, dataset=seeds >= CLAIM_SEEDS, alpha=alpha, tests=tests)
                             for tests in (1, m))
    else:
        single, in_family = (detectable_points(sds, n=n, k=k, raters=raters, alpha=alpha, tests=tests,
                                               categories=categories, seeds=(len(a.seeds), len(b.seeds)))
                             for tests in (1, m))
    return row | {f"sd_{name}": value for name, value in sds.items()} | {
        "sd_seed": seed_sd, "detectable": single, "detectable_family": in_family,
        "reason": _why(n, categories, single)}


def _why(n: int, categories: int, detectable: float) -> str | None:
    if n <= categories:
        return "no category has two prompts"
    return "the differences do not vary" if np.isnan(detectable) else None


def seed_spread(diffs: Floats) -> float:
    """Standard deviation between seeds of the mean of complete differences (prompts, seeds), without what prompts put
    into it; NaN for one seed or prompt."""
    if min(diffs.shape) < 2:
        return NAN
    split = parts(diffs)
    return float(np.sqrt(max(float(split.replicates - split.shared), 0.0) * diffs.shape[1]))


def components(a: ArmScores, b: ArmScores, strata: Labels | None = None) -> dict[str, float]:
    """Standard deviations of the parts of a prompt's difference a - b, in points: prompt, sample, rater.

    `prompt`: true differences between a category's prompts; `sample`: one sample of a prompt; `rater`: one
    rating of a sample. By moments, each less what the parts below put into it, never below zero; the first
    seed of each. NaN where there is nothing to estimate it from (one sample, one rater, one prompt). With one
    sample a prompt, `prompt` contains the sample's.
    """
    sample, rater, noise = [], [], 0.0
    for scores in (a, b):
        ratings = scores.values[:, 0]  # (prompts, samples, raters)
        within_rater = _variance(ratings, axis=2)
        within_sample = _variance(nan_mean(ratings, axis=2), axis=1)
        per_rating = within_rater / max(scores.raters, 1) if scores.raters > 1 else 0.0
        rater.append(within_rater)
        sample.append(max(within_sample - per_rating, 0.0))
        noise += within_sample / max(scores.k, 1) if scores.k > 1 else 0.0
    diffs, kept = complete(a.means[:, 0] - b.means[:, 0], strata)
    indicators = design(kept, len(diffs))[0] if len(diffs) else np.empty((0, 0))
    between = float(within_variance(diffs, indicators)) if len(diffs) > indicators.shape[1] else NAN
    return {"prompt": float(np.sqrt(max(between - noise, 0.0))) if not np.isnan(between) else NAN,
            "sample": float(np.sqrt(np.mean(sample))), "rater": float(np.sqrt(np.mean(rater)))}


def _variance(values: Floats, axis: int) -> float:
    """Mean over the rest of the unbiased variance along an axis; NaN where no two values meet."""
    there = (~np.isnan(values)).sum(axis=axis)
    centred = values - np.expand_dims(nan_mean(values, axis), axis)
    squares = np.nansum(centred**2, axis=axis)
    return float(squares[there > 1].sum() / (there[there > 1] - 1).sum()) if (there > 1).any() else NAN
