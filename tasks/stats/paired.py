"""Two arms on the same prompts: paired t stratified by category, sign flips, bootstrap, Bayes factor.

The categories are fixed and equally weighted: the estimate is the mean over categories of the mean over their
prompts, and only the spread *within* categories counts as noise: pooled, with prompts - categories degrees of freedom
(32 for 40 in 8), where categories have one size, and each category's own, with Satterthwaite's, where
they have not.
"""

import math
import warnings
from collections.abc import Callable
from typing import Literal

import numpy as np

from tasks.stats.outcome import NAN, TINY, Floats, Labels, Outcome, from_t, no_spread, undefined, unit

FLIPS_AT_ONCE = 2048
Moments = Callable[[Floats, Labels | None], tuple[float, float]]


def design(strata: Labels | None, n: int) -> tuple[Floats, Floats]:
    """Category indicators (n, C) and the prompts' weights (n,) = 1 / (C x prompts in the category), sum 1."""
    codes = np.zeros(n, dtype=np.intp) if strata is None else np.unique(strata, return_inverse=True)[1]
    indicators = np.eye(codes.max() + 1, dtype=np.float64)[codes]
    counts = indicators.sum(axis=0)
    return indicators, indicators @ (1 / counts) / len(counts)


def squares_within(values: Floats, indicators: Floats) -> Floats:
    """Sums of squares (..., C) of values (..., n) about the means of their categories."""
    means = (values @ indicators) / indicators.sum(axis=0)
    return np.asarray((values - means @ indicators.T) ** 2 @ indicators, dtype=np.float64)


def within_variance(values: Floats, indicators: Floats) -> Floats:
    """Variance (...,) of values (..., n) within categories, pooled; with n - C > 0 degrees of freedom."""
    n, n_categories = indicators.shape
    return np.asarray(squares_within(values, indicators).sum(axis=-1) / (n - n_categories), dtype=np.float64)


def variance_of_mean(squares: Floats, counts: Floats, times: int = 1) -> tuple[Floats, Floats]:
    """Variance (...,) of the mean over categories of their means, and its df (...,), from sums of squares (..., C).

    `counts` (C,): prompts in each category, whose squares have (n_c - 1) x `times` df. Categories of one size: the
    pooled variance, whose df are exact where categories spread alike. Of several sizes: sum_c s_c^2 / n_c / C^2 with
    Satterthwaite's df, so that a small category that spreads widely is not taken for a large one that does not; a
    category with one prompt takes the pooled variance.
    Reference: Welch (1947), Biometrika 34, 28-35; Satterthwaite (1946), Biometrics Bulletin 2, 110-114.
    """
    n_categories, n = len(counts), float(counts.sum())
    df_each = (counts - 1) * times
    df = float(df_each.sum())
    if (counts == counts[0]).all():
        return squares.sum(axis=-1) / df / n, np.full(squares.shape[:-1], df)
    several = counts > 1
    per_square = (several / (np.maximum(df_each, 1) * counts) + (~several).sum() / df) / n_categories**2
    terms = squares * per_square * several
    total = terms.sum(axis=-1)
    below = (terms**2 / np.maximum(df_each, 1)).sum(axis=-1)
    return total, np.where(below > 0, total**2 / np.where(below > 0, below, 1.0), df)


def stratified_moments(diffs: Floats, strata: Labels | None = None) -> tuple[Floats, Floats, Floats]:
    """Estimate (...,), standard error (...,) and df (...,) of differences (..., n); vectorised for simulation.

    estimate = sum_i w_i d_i; the standard error is of `variance_of_mean`.
    """
    indicators, weights = design(strata, diffs.shape[-1])
    variance, df = variance_of_mean(squares_within(diffs, indicators), indicators.sum(axis=0))
    return np.asarray(diffs @ weights), np.sqrt(variance), df


def stratified_t(diffs: Floats, strata: Labels | None = None, *, confidence: float = 0.95) -> Outcome:
    """Paired t test of the prompts' differences (n,), stratified by category (n,); NaN pairs are left out.

    With one category it is the usual paired t. Two-sided. Refusals (p NaN, with a reason): no prompt, no
    category with two prompts, or differences that do not vary within any category. A category without a complete
    pair leaves the mean to the others, which is another estimand: `note` says so.
    """
    def moments(rows: Floats, categories: Labels | None) -> tuple[float, float]:
        _, se, df = stratified_moments(rows[:, 0], categories)
        return float(se), float(df)

    name = "paired t" if strata is None or len(np.unique(strata)) == 1 else "stratified paired t"
    return t_of_mean(diffs[:, None], strata, moments, name=name, nothing="no prompt has a score in both arms",
                     confidence=confidence)


def t_of_mean(diffs: Floats, strata: Labels | None, moments: Moments, *, name: str, nothing: str,
              refusal: str | None = None, confidence: float = 0.95) -> Outcome:
    """Student-t test of the mean of the complete differences (prompts, replicates), categories equally weighted.

    `moments` gives the standard error and df of complete differences and their categories; `nothing` is the reason
    where no prompt is complete, and `refusal` one that holds for all prompts.
    """
    whole = ~np.isnan(diffs).any(axis=1)
    rows, categories = diffs[whole], None if strata is None else np.asarray(strata)[whole]
    n, missing = len(rows), int((~whole).sum())
    if n == 0:
        return undefined(nothing, test=name, n_missing=missing)
    indicators, weights = design(categories, n)
    notes = (lost_categories(strata, np.asarray(whole)), uneven(indicators))
    note = "; ".join(filter(None, notes)) or None
    scale = unit(rows)
    rows = rows / scale
    estimate = float(rows.mean(axis=1) @ weights) * scale
    if refusal or n <= indicators.shape[1]:
        return undefined(refusal or "no category has two prompts", test=name, n=n, n_missing=missing,
                         estimate=estimate, note=note)
    se, df = moments(rows, categories)
    if se <= TINY * float(np.abs(rows).max()):
        return undefined(no_spread(rows), test=name, n=n, n_missing=missing, estimate=estimate, se=0.0, note=note)
    return from_t(estimate, se * scale, df, n=n, n_missing=missing, test=name, confidence=confidence, note=note)


def fewest(confidence: float) -> int:
    """The fewest prompts on which sign flips can find a difference at this level (6 at .95): on fewer, even if all
    differ one way, p is 2 / 2^n at least, and a t test would rest on a normality that nobody can check."""
    return math.ceil(math.log2(2 / (1 - confidence)) - 1e-9)


def too_few(n: int, confidence: float) -> str | None:
    """Why nothing is tested on so many complete prompts; None where they are enough (or there are none)."""
    if not 0 < n < fewest(confidence):
        return None
    prompts = f"{n} complete prompts are" if n > 1 else "1 complete prompt is"
    return f"{prompts} too few: it takes {fewest(confidence)}"


def complete(diffs: Floats, strata: Labels | None) -> tuple[Floats, Labels | None]:
    """The differences that are there, and their categories."""
    there = ~np.isnan(diffs)
    return diffs[there], None if strata is None else np.asarray(strata)[there]


def lost_categories(strata: Labels | None, whole: Labels) -> str | None:
    """What the mean is of where no prompt of some category is among the complete ones (n,); None where all are."""
    if strata is None:
        return None
    planned, left = (dict.fromkeys(map(str, np.asarray(strata)[at])) for at in (slice(None), whole))
    lost = [name for name in planned if name not in left]
    if not lost or not left:
        return None
    of = f"the other {len(left)} categories" if len(left) > 1 else "the one other category"
    return f"no complete prompt in {', '.join(lost)}: the mean is of {of}"


def uneven(indicators: Floats) -> str | None:
    """What to doubt where some category has less than half as many prompts as another."""
    counts = indicators.sum(axis=0)
    fewest, most = int(counts.min()), int(counts.max())
    if 2 * fewest >= most:
        return None
    return f"categories of {fewest} to {most} prompts: where the small ones spread widely, p comes out too small"


def sign_flip(diffs: Floats, strata: Labels | None = None, *, permutations: int = 10_000,
              seed: int = 0) -> float:
    """Two-sided p of the mean difference (categories equally weighted) when each prompt's sign is a coin.

    Null: each difference is symmetric about zero. Exact over all 2^n signs where these are no more than
    `permutations`, else (1 + hits) / (1 + permutations) with seeded signs. NaN when no pair is complete.
    Reference: Good (2005), Permutation, Parametric and Bootstrap Tests of Hypotheses.
    """
    kept, kept_strata = complete(diffs, strata)
    n = len(kept)
    if n == 0:
        return NAN
    terms = kept * design(kept_strata, n)[1]
    least = abs(float(terms.sum())) - 1e-12 * float(np.abs(terms).sum())
    if 2**n <= permutations:
        bits = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
        return float(np.mean(np.abs((1.0 - 2.0 * bits) @ terms) >= least))
    hits, rng = 0, np.random.default_rng(seed)
    for start in range(0, permutations, FLIPS_AT_ONCE):
        size = (min(FLIPS_AT_ONCE, permutations - start), n)
        signs = 1.0 - 2.0 * rng.integers(0, 2, size=size, dtype=np.int8)
        hits += int((np.abs(signs @ terms) >= least).sum())
    return (1 + hits) / (1 + permutations)


def bootstrap_interval(diffs: Floats, strata: Labels | None = None, *, draws: int = 4000, seed: int = 0,
                       confidence: float = 0.95, kind: Literal["rescaled", "naive"] = "rescaled",
                       ) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean difference, resampling prompts within categories. Secondary.

    `rescaled` draws n_c - 1 of a category's n_c prompts, which gives the mean its right variance s^2 / n_c
    (Rao and Wu 1988, JASA 83, 231-241). `naive` draws n_c and is too narrow by sqrt((n_c - 1) / n_c): about
    .90 coverage instead of .95 with five prompts a category; it is here so that the check can show it.
    NaN where a category has one prompt or no pair is complete.
    """
    kept, kept_strata = complete(diffs, strata)
    if len(kept) == 0:
        return NAN, NAN
    codes = design(kept_strata, len(kept))[0].argmax(axis=1)
    counts = np.bincount(codes)
    if counts.min() < 2:
        return NAN, NAN
    rng, means = np.random.default_rng(seed), np.zeros(draws)
    for code, count in enumerate(counts):
        size = int(count) - 1 if kind == "rescaled" else int(count)
        means += rng.choice(kept[codes == code], size=(draws, size)).mean(axis=1) / len(counts)
    lo, hi = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(lo), float(hi)


def bayes_factor(t: float, n: float, r: float = 0.707) -> float:
    """JZS Bayes factor BF10 of a paired t on n prompts (df n - 1), Cauchy prior of scale r on the effect.

    `n` need not be whole (`effects.Standardised`). Above 1 the data favour a difference. NaN where t is undefined or
    n < 2, inf beyond floating point.
    Reference: Rouder et al. (2009), Psychonomic Bulletin & Review 16, 225-237; by `pingouin`.
    """
    if n < 2 or not np.isfinite(t):
        return NAN
    import pingouin

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return float(pingouin.bayesfactor_ttest(t, n, paired=True, r=r))
        except (ZeroDivisionError, OverflowError):
            return float("inf")
