"""Where the noise comes from: variance components of each contrast, with the effect it lets one detect."""

from typing import Any

import numpy as np
import pandas as pd

from tasks.stats.contrasts import ladder
from tasks.stats.crossed import parts
from tasks.stats.outcome import NAN, Floats, Labels, nan_mean
from tasks.stats.paired import complete, design, within_variance
from tasks.stats.plan import Plan
from tasks.stats.power import detectable_points
from tasks.stats.scores import ArmScores, Pair, arm_scores, checked, pair, prompts_of

COLUMNS = ("metric", "model", "params", "contrast", "n_prompts", "k", "raters", "seeds", "sd_prompt", "sd_sample",
           "sd_rater", "sd_seed", "detectable", "detectable_family", "m", "reason")


def variance_components(scores: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """A row per confirmatory contrast of the primary metric and model, with exactly `COLUMNS`; sd in points.

    `detectable`: the smallest true difference found with 80% power by one test at the 5% level;
    `detectable_family`: by Holm's first step in the family of m. `sd_seed`: of the difference, from the crossed
    table of prompts and seeds; null with one seed.
    """
    table = checked(scores)
    of_metric, models = table[table["metric"] == plan.primary], ladder(table, plan)
    prompts, m, rows = prompts_of(of_metric), 2 * len(models), []
    for model in models:
        part = of_metric[of_metric["model"] == model]
        for a, b in plan.confirmatory:
            row: dict[str, Any] = {"metric": plan.primary, "model": model, "contrast": f"{a} - {b}", "m": m,
                                   "params": part["params"].iloc[0] if len(part) else NAN}
            both = arm_scores(part, a, prompts), arm_scores(part, b, prompts)
            if both[0] is None or both[1] is None:
                rows.append(row | {"reason": "no scores of an arm at this model"})
                continue
            rows.append(row | _row(both[0], both[1], prompts.categories, m, fixed_b=b == plan.base))
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"reason": "str"})


def _row(a: ArmScores, b: ArmScores, strata: Labels, m: int, *, fixed_b: bool) -> dict[str, Any]:
    both, k, raters = pair(a, b, fixed_b=fixed_b), max(a.k, b.k), max(a.raters, b.raters)
    whole, seeds = ~np.isnan(both.diffs).any(axis=1), both.diffs.shape[1]
    row = {"n_prompts": int(whole.sum()), "k": k, "raters": raters, "seeds": seeds}
    if not whole.any():
        return row | {"reason": "no prompt has a score in both arms"}
    found, seed_sd = components(a, b, strata), seed_spread(both)
    sides = (seeds, min(seeds, len(b.seeds))) if seeds > 1 else (len(a.seeds), len(b.seeds))
    detectable = [detectable_points(found, n=int(whole.sum()), k=k, raters=raters, tests=tests,
                                    categories=len(set(strata[whole])), seeds=sides,
                                    seed_sd=0.0 if np.isnan(seed_sd) else seed_sd)
                  for tests in (1, m)]
    return {**row, "sd_seed": seed_sd,
            **{f"sd_{name}": value for name, value in found.items()},
            "detectable": detectable[0], "detectable_family": detectable[1],
            "reason": "no category has two prompts" if np.isnan(detectable[0]) else None}


def seed_spread(both: Pair) -> float:
    """Standard deviation between seeds of the mean difference, without what prompts put into it; NaN for one."""
    whole = both.diffs[~np.isnan(both.diffs).any(axis=1)]
    if whole.shape[1] < 2 or len(whole) < 2:
        return NAN
    split = parts(whole)
    return float(np.sqrt(max(float(split.replicates - split.shared), 0.0) * whole.shape[1]))


def components(a: ArmScores, b: ArmScores, strata: Labels | None = None) -> dict[str, float]:
    """Standard deviations of the parts of a prompt's difference a - b, in points: prompt, sample, rater.

    `prompt`: true differences between a category's prompts; `sample`: one sample of a prompt; `rater`: one
    rating of a sample. By moments, each less what the parts below put into it, never below zero; the first
    seed of each. NaN where there is nothing to estimate it from (one sample, one rater, one prompt). With one
    sample a prompt, `prompt` contains the sample's.
    """
    sample, rater, noise = [], [], 0.0
    for cells in (a, b):
        ratings = cells.values[:, 0]  # (prompts, samples, raters)
        within_rater = _variance(ratings, axis=2)
        within_sample = _variance(nan_mean(ratings, axis=2), axis=1)
        per_rating = within_rater / max(cells.raters, 1) if cells.raters > 1 else 0.0
        rater.append(within_rater)
        sample.append(max(within_sample - per_rating, 0.0))
        noise += within_sample / max(cells.k, 1) if cells.k > 1 else 0.0
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
