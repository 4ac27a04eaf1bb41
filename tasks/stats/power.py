"""What could be detected: smallest effects by prompts, tests in the family, samples, raters and seeds."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import optimize, special, stats

from tasks.stats.crossed import Parts, quasi
from tasks.stats.outcome import NAN, Floats
from tasks.stats.plan import Plan

USUAL_PROMPTS = (10, 20, 40, 60, 80, 120, 160)
POWER = 0.8


def power_t(d: float, n: int, *, df: float | None = None, alpha: float = 0.05) -> float:
    """Power of the two-sided paired t on n prompts for a true d_z; df n - 1 unless given (32 when stratified).

    The sum of both tails by `statsmodels`, whose two-sided power is NaN wherever one of them is beyond floating point.
    NaN with no degree of freedom. Reference: Cohen (1988), Statistical Power Analysis, chapter 2.
    """
    df = n - 1 if df is None else df
    if df <= 0:
        return NAN
    from statsmodels.stats.power import ttest_power

    above, below = (float(ttest_power(abs(d), n, alpha / 2, df=df, alternative=tail)) for tail in ("larger", "smaller"))
    if np.isnan(above):  # the shift is far from the critical value
        return float(abs(d) * np.sqrt(n) > stats.t.isf(alpha / 2, df))
    return above + (0.0 if np.isnan(below) else below)


def detectable_d(n: int, *, df: float | None = None, alpha: float = 0.05, tests: int = 1) -> float:
    """Smallest d_z found with 80% power when it must pass Holm's first step, alpha / tests; NaN without df."""
    if np.isnan(power_t(0.0, n, df=df)):
        return NAN
    return float(optimize.brentq(lambda d: power_t(d, n, df=df, alpha=alpha / tests) - POWER, 1e-6, 1e3))


def planned_curve(prompts: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """Detectable d_z (columns n_prompts, df, tests, d_z) at the usual numbers of prompts and at that of `prompts`
    (columns prompt_id, category), for one test and for the confirmatory family."""
    n, categories = prompts["prompt_id"].nunique(), prompts["category"].nunique()
    counts = sorted({*[count for count in USUAL_PROMPTS if count >= 2 * categories], n})
    tests = sorted({1, len(plan.confirmatory) * len(plan.models)})
    alpha = 1 - plan.confidence
    rows = [(count, count - categories, m, detectable_d(count, df=count - categories, alpha=alpha, tests=m))
            for m in tests for count in counts]
    return pd.DataFrame(rows, columns=["n_prompts", "df", "tests", "d_z"])


def detectable_points(sds: Mapping[str, float], *, n: int, k: int, raters: int = 0,
                      seeds: tuple[int, int] = (1, 1), seed_sd: float = 0.0, tests: int = 1,
                      categories: int = 1, alpha: float = 0.05) -> float:
    """Smallest true difference in points found with 80% power; `sds`: prompt, sample, rater (unknown: NaN, 0).

    `seeds` of each side: base is one checkpoint however many it is compared with. sd^2 of a prompt's difference =
    prompt^2 + (sample^2 + rater^2 / raters) / k x (1 / seeds_a + 1 / seeds_b); the replicates, as many as the side
    with more seeds has, add seed_sd^2 / replicates to the squared standard error (`seed_sd` of the difference;
    their few degrees of freedom are left out).
    """
    part = {name: 0.0 if np.isnan(sd) else sd for name, sd in sds.items()}
    sample = part["sample"] ** 2 + part["rater"] ** 2 / max(raters, 1)
    of_prompt = part["prompt"] ** 2 + sample / k * (1 / seeds[0] + 1 / seeds[1])
    error = np.sqrt(of_prompt / n + seed_sd**2 / max(seeds))
    return float(detectable_d(n, df=n - categories, alpha=alpha, tests=tests) * np.sqrt(n) * error)


def crossed_power(difference: Floats, split: Parts, *, dataset: bool, alpha: float = 0.05) -> Floats:
    """Power (...,) of `crossed_t` for true differences (...,) where the true variances are those of `split` (scalars).

    `dataset`: of the test whose claim is about the dataset. Replicates' variance holds the residual's, so it is never
    taken below it. The estimated variances are drawn as quantiles of their
    chi-square distributions; that of the residual, which has many degrees of freedom, stays as it is.
    """
    split = replace(split, replicates=np.maximum(split.replicates, split.shared))
    df_prompts, df_replicates = float(split.df_prompts), float(split.df_replicates)
    by_prompts, by_replicates = (stats.chi2.ppf((np.arange(count) + 0.5) / count, df) / df
                                 for count, df in ((25, df_prompts), (400, df_replicates)))
    drawn = replace(split, prompts=split.prompts * by_prompts[:, None], replicates=split.replicates * by_replicates)
    true = float(quasi(split)[1])
    _, se, df = quasi(drawn)
    half = stats.t.isf(alpha / 2, df) * se
    if dataset:
        half = np.maximum(half, stats.t.isf(alpha / 2, df_replicates) * np.sqrt(drawn.replicates))
    shift = np.asarray(difference, dtype=np.float64)[..., None, None]
    passes = special.ndtr((shift - half) / true) + special.ndtr((-shift - half) / true)
    return np.asarray(passes.mean(axis=(-1, -2)), dtype=np.float64)


def detectable_crossed(split: Parts, *, dataset: bool, alpha: float = 0.05, tests: int = 1) -> float:
    """Smallest true difference that `crossed_t` finds with 80% power when it must pass Holm's first step, alpha /
    tests. NaN where nothing varies."""
    true = float(quasi(split)[1])
    if not true > 0:
        return NAN
    at: dict[str, Any] = {"dataset": dataset, "alpha": alpha / tests}
    return float(optimize.brentq(lambda d: float(crossed_power(np.asarray(d), split, **at)) - POWER, 0.0, 1e4 * true))
