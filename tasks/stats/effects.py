"""Sizes of an effect: probability of superiority, d_z with its interval, and the published pooled d."""

from dataclasses import dataclass

import numpy as np
from scipy import optimize, special

from tasks.stats.outcome import NAN, TINY, Floats, Labels, nan_mean, unit
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


@dataclass(frozen=True)
class Standardised:
    """d_z of prompts' differences and how many prompts it rests on (Kish's number: 1 / sum of squared weights)."""

    d: float
    n: float

    @property
    def t(self) -> float:
        """The t that goes with it; of prompts that weigh the same, mean / (sd / sqrt n)."""
        return self.d * float(np.sqrt(self.n))

    @property
    def j(self) -> float:
        """Hedges' correction of its upward bias in small samples."""
        return small_sample_j(self.n - 1)

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Interval of the population d_z: the noncentralities at which the t is just significant, / sqrt n.

        Reference: Cumming and Finch (2001), Educational and Psychological Measurement 61, 532-574.
        """
        if not np.isfinite(self.t):
            return NAN, NAN
        tail, root = (1 - confidence) / 2, np.sqrt(self.n)
        return (_noncentrality(self.t, self.n - 1, 1 - tail) / root, _noncentrality(self.t, self.n - 1, tail) / root)


def standardised(diffs: Floats, strata: Labels | None = None) -> Standardised:
    """Mean difference in standard deviations of the prompts' differences (n,), both with the weights of the difference.

    mean_w / sd_w with sd_w^2 = sum w (d - mean_w)^2 / (1 - sum w^2), which is the usual one (n - 1) where categories
    have one size. d is NaN with fewer than two prompts or no variation. Reference: Cohen (1988), section 2.3.5.
    """
    kept, kept_strata = complete(diffs, strata)
    if len(kept) < 2:
        return Standardised(NAN, len(kept))
    kept = kept / unit(kept)
    weights = design(kept_strata, len(kept))[1]
    mean, squared = float(kept @ weights), float(weights @ weights)
    sd = float(np.sqrt(weights @ (kept - mean) ** 2 / (1 - squared)))
    return Standardised(mean / sd if sd > TINY * float(np.abs(kept).max()) else NAN, 1 / squared)


def small_sample_j(df: float) -> float:
    """Hedges' exact correction J(df) = G(df/2) / (sqrt(df/2) G((df-1)/2)) for df > 1, else NaN.

    Reference: Hedges (1981), Journal of Educational Statistics 6, 107-128.
    """
    if not df > 1:
        return NAN
    return float(np.exp(special.gammaln(df / 2) - special.gammaln((df - 1) / 2)) / np.sqrt(df / 2))


def _noncentrality(t: float, df: float, probability: float) -> float:
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


@dataclass(frozen=True)
class Signs:
    """On how many prompts a was above b, on how many below, with the sign test (two-sided, exact) and the interval of
    the share above among those that differ."""

    higher: int
    lower: int
    p: float
    lo: float
    hi: float


def signs(diffs: Floats, *, confidence: float = 0.95) -> Signs:
    """The sign test of prompts' differences (n,), all prompts alike; ties are in neither count. NaN where none differ.

    Reference: Clopper and Pearson (1934), Biometrika 26, 404-413 (the interval).
    """
    higher, lower = int((diffs > 0).sum()), int((diffs < 0).sum())
    if not higher + lower:
        return Signs(0, 0, NAN, NAN, NAN)
    n, tail = higher + lower, (1 - confidence) / 2
    p = min(1.0, 2 * float(special.bdtr(min(higher, lower), n, 0.5)))
    lo = float(special.betaincinv(higher, lower + 1, tail)) if higher else 0.0
    hi = float(special.betaincinv(higher + 1, lower, 1 - tail)) if lower else 1.0
    return Signs(higher, lower, p, lo, hi)


def pooled_d(a: Floats, b: Floats) -> float:
    """Difference of means over the pooled standard deviation, every score as if independent (seed style).

    For comparison with the published figures only: it grows as samples or raters are averaged, so k and the
    number of raters belong beside it. NaN with fewer than two scores a side or no variation.
    """
    a, b = a[~np.isnan(a)].ravel(), b[~np.isnan(b)].ravel()
    if min(len(a), len(b)) < 2:
        return NAN
    scale = unit(np.r_[a, b])
    a, b = a / scale, b / scale
    pooled = np.sqrt(((len(a) - 1) * a.var(ddof=1) + (len(b) - 1) * b.var(ddof=1)) / (len(a) + len(b) - 2))
    return float((a.mean() - b.mean()) / pooled) if pooled > TINY * float(np.abs(np.r_[a, b]).max()) else NAN
