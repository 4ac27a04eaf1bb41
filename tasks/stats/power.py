"""What could be detected: smallest effects by prompts, tests in the family, samples, raters and seeds."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy import optimize, stats

from tasks.stats.outcome import NAN
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
                      categories: int = 1) -> float:
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
    return float(detectable_d(n, df=n - categories, tests=tests) * np.sqrt(n) * error)
