"""Sizes of an effect: probability of superiority, d_z with its interval, and the published pooled d."""

import numpy as np
from scipy import optimize, special

from tasks.stats.outcome import NAN, TINY, Floats, Labels, nan_mean
from tasks.stats.paired import complete, design


def prompt_superiority(a: Floats, b: Floats) -> Floats:
    """Per prompt, P(a > b) + P(a = b) / 2 over all pairs of a sample of `a` (n, k) and one of `b` (n, k').

    Shape (n,). NaN samples form no pair; a prompt without a pair is NaN. With one sample each: 1, 0 or .5.
    """
    difference = a[:, :, None] - b[:, None, :]
    wins = np.where(np.isnan(difference), NAN, (np.sign(difference) + 1) / 2)
    return nan_mean(wins, axis=(1, 2))


def superiority(a: Floats, b: Floats, strata: Labels | None = None) -> float:
    """Probability that an `a` sample scores above a `b` sample of the same prompt, ties counting half.

    The mean of `prompt_superiority` with the categories equally weighted: "the values answer did better in
    x of 100 pairs". Above is above: where a low score is the good one, so is a low probability.
    Reference: Grissom and Kim (2012), Effect Sizes for Research, chapter 5.
    """
    kept, kept_strata = complete(prompt_superiority(a, b), strata)
    return min(float(kept @ design(kept_strata, len(kept))[1]), 1.0) if len(kept) else NAN


def plain_t(diffs: Floats) -> float:
    """Ordinary paired t of the prompts' differences, mean / (sd / sqrt n); NaN where they do not vary."""
    return d_z(diffs) * float(np.sqrt((~np.isnan(diffs)).sum()))


def d_z(diffs: Floats) -> float:
    """Mean difference in standard deviations of the prompts' differences (n - 1), all prompts alike.

    NaN with fewer than two prompts or no variation. Reference: Cohen (1988), section 2.3.5.
    """
    kept = diffs[~np.isnan(diffs)]
    if len(kept) < 2:
        return NAN
    sd = float(kept.std(ddof=1))
    return float(kept.mean()) / sd if sd > TINY * float(np.abs(kept).max()) else NAN


def small_sample_j(df: float) -> float:
    """Hedges' exact correction J(df) = G(df/2) / (sqrt(df/2) G((df-1)/2)) for df > 1, else NaN.

    Reference: Hedges (1981), Journal of Educational Statistics 6, 107-128.
    """
    if not df > 1:
        return NAN
    return float(np.exp(special.gammaln(df / 2) - special.gammaln((df - 1) / 2)) / np.sqrt(df / 2))


def g_z(diffs: Floats) -> float:
    """d_z times J(n - 1): without its upward bias in small samples."""
    return d_z(diffs) * small_sample_j(float((~np.isnan(diffs)).sum()) - 1)


def d_z_interval(diffs: Floats, *, confidence: float = 0.95) -> tuple[float, float]:
    """Interval of the population d_z: the noncentralities at which the plain t is just significant, / sqrt n.

    Reference: Cumming and Finch (2001), Educational and Psychological Measurement 61, 532-574.
    """
    n = int((~np.isnan(diffs)).sum())
    t = plain_t(diffs)
    if not np.isfinite(t):
        return NAN, NAN
    tail = (1 - confidence) / 2
    return _noncentrality(t, n - 1, 1 - tail) / np.sqrt(n), _noncentrality(t, n - 1, tail) / np.sqrt(n)


def _noncentrality(t: float, df: int, probability: float) -> float:
    """The noncentrality at which the noncentral t falls below `t` with this probability."""
    if t < 0:  # scipy's noncentral t is accurate for t >= 0
        return -_noncentrality(-t, df, 1 - probability)

    def excess(nc: float) -> float:
        below = float(special.nctdtr(df, nc, t))  # as stats.nct.cdf, which spends its time on checks
        return (below if np.isfinite(below) else float(nc < t)) - probability

    step = 1 + t / 4
    lo = hi = t
    while excess(lo) < 0:
        lo -= step
    while excess(hi) > 0:
        hi += step
    return float(optimize.brentq(excess, lo, hi, xtol=1e-10))


def pooled_d(a: Floats, b: Floats) -> float:
    """Difference of means over the pooled standard deviation, every score as if independent (seed style).

    For comparison with the published figures only: it grows as samples or raters are averaged, so k and the
    number of raters belong beside it. NaN with fewer than two scores a side or no variation.
    """
    a, b = a[~np.isnan(a)].ravel(), b[~np.isnan(b)].ravel()
    if min(len(a), len(b)) < 2:
        return NAN
    pooled = np.sqrt(((len(a) - 1) * a.var(ddof=1) + (len(b) - 1) * b.var(ddof=1)) / (len(a) + len(b) - 2))
    scale = max(float(np.abs(a).max()), float(np.abs(b).max()))
    return float((a.mean() - b.mean()) / pooled) if pooled > TINY * scale else NAN
