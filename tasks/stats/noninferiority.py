"""Non-inferiority and equivalence of two models on the same right-or-wrong items (`capability` has verdicts).

Only discordant items carry information: b where the tuned model is right and base is wrong, c the other way.
The difference is (b - c) / n, above zero where tuning helped. Tango's score test is used throughout: a
paired t or `pingouin.tost` on 0/1 items is unfit (20 identical items at margin .01: p = 3e-294, Tango .33).
Reference: Tango (1998), Statistics in Medicine 17, 891-908.
"""

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import optimize, special, stats

from tasks.stats.outcome import Floats
from tasks.stats.power import POWER


def tango_z(b: npt.ArrayLike, c: npt.ArrayLike, n: float, delta: float) -> Floats:
    """Score statistic of the difference (b - c) / n against `delta`, -1 < delta < 1; ~N(0, 1) under it.

    z = (b - c - n delta) / sqrt(n (2 q + delta (1 - delta))), with q the likelihood's best P(c) under delta.
    Counts may be fractions of items (see `capability.design_effect`). Where nothing varies, z is 0 or infinite.
    """
    b, c = np.asarray(b, dtype=np.float64), np.asarray(c, dtype=np.float64)
    linear = -b - c + (2 * n - b + c) * delta
    q = (np.sqrt(np.maximum(linear**2 + 8 * n * c * delta * (1 - delta), 0.0)) - linear) / (4 * n)
    variance = n * (2 * q + delta * (1 - delta))
    gap = b - c - n * delta
    varies = variance > 1e-12 * n
    certain = np.where(np.abs(gap) <= 1e-9, 0.0, np.copysign(np.inf, gap))
    return np.asarray(np.where(varies, gap / np.sqrt(np.where(varies, variance, 1.0)), certain))


def below(t: npt.ArrayLike, df: float) -> Floats:
    """P(T <= t) of Student's t, normal where df is infinite (as `scipy.stats`, which spends its time on checks)."""
    return np.asarray(special.ndtr(t) if np.isinf(df) else special.stdtr(df, t), dtype=np.float64)


def quantile(p: float, df: float) -> float:
    """The t below which Student's t lies with probability p."""
    return float(special.ndtri(p) if np.isinf(df) else special.stdtrit(df, p))


def binomial(hits: npt.ArrayLike, n: npt.ArrayLike, p: float) -> Floats:
    """P(X = hits) of n trials."""
    hits, n = np.asarray(hits, dtype=np.float64), np.asarray(n, dtype=np.float64)
    ways = special.gammaln(n + 1) - special.gammaln(hits + 1) - special.gammaln(n - hits + 1)
    return np.asarray(np.exp(ways + special.xlogy(hits, p) + special.xlog1py(n - hits, -p)), dtype=np.float64)


@lru_cache(maxsize=100_000)
def tango_interval(b: float, c: float, n: float, confidence: float = 0.95,
                   df: float = np.inf) -> tuple[float, float]:
    """The differences that the two-sided score test does not reject; t quantile where `df` is finite."""
    critical = -float(quantile((1 - confidence) / 2, df))
    at, edge = (b - c) / n, 1 - 1e-12

    def crossing(level: float, end: float) -> float:
        if (tango_z(b, c, n, end) - level) * (tango_z(b, c, n, at) - level) >= 0:
            return float(np.sign(end))
        return float(optimize.brentq(lambda d: float(tango_z(b, c, n, d)) - level, at, end, xtol=1e-12))

    return crossing(critical, -edge), crossing(-critical, edge)


@lru_cache(maxsize=100_000)
def noninferiority_p(b: float, c: float, n: float, margin: float, df: float = np.inf) -> float:
    """One-sided p of "worse by the margin or more": small where a loss that large is ruled out."""
    return float(below(-tango_z(b, c, n, -margin), df))


@lru_cache(maxsize=100_000)
def equivalence_p(b: float, c: float, n: float, margin: float, df: float = np.inf) -> float:
    """The larger of the two one-sided p (TOST): small where a change that large, either way, is ruled out."""
    better = float(below(tango_z(b, c, n, margin), df))
    return max(noninferiority_p(b, c, n, margin, df), better)


@lru_cache(maxsize=100_000)
def loss_p(b: float, c: float, n: float, df: float = np.inf) -> float:
    """One-sided p of "no worse": small where a loss, of whatever size, was found.

    The larger of Tango's score test at no difference (McNemar's, t where `df` is finite) and the exact sign test of
    the discordant items, which holds its level where these are few. So a loss found lies outside the interval too.
    The exact tail is the beta function I_1/2(c, b + 1), which is defined for fractions of items as well.
    """
    exact = float(special.betainc(c, b + 1, 0.5)) if c > 0 else 1.0
    return max(exact, float(below(tango_z(b, c, n, 0.0), df)))


@lru_cache(maxsize=100_000)
def noninferiority_power(n: float, discordant: float, margin: float, *, alpha: float = 0.05,
                         df: float = np.inf) -> float:
    """Power of the non-inferiority test where nothing was lost and this share (0 to 1] of n items is discordant.

    Exact: the number of discordant items is binomial(n, discordant), that of those gained among them binomial(., 1/2),
    and Tango's test passes or not with each pair of numbers. n is rounded.
    """
    n = round(n)
    if n < 1:
        return 0.0
    spread = 6 * np.sqrt(n * discordant * (1 - discordant)) + 6
    changed = np.arange(max(0, int(n * discordant - spread)), min(n, int(n * discordant + spread)) + 1)
    half = np.arange(-int(3 * np.sqrt(changed[-1])) - 3, int(3 * np.sqrt(changed[-1])) + 4)[:, None]
    gained = np.clip(changed // 2 + half, 0, changed)  # six standard deviations; what is clipped has no weight
    each = np.where((changed // 2 + half) == gained, binomial(gained, changed, 0.5), 0.0)
    passes = tango_z(gained, changed - gained, n, -margin) >= -quantile(alpha, df)
    return float(binomial(changed, n, discordant) @ (each * passes).sum(axis=0))


@lru_cache(maxsize=10_000)
def items_needed(discordant: float, margin: float, *, alpha: float = 0.05) -> int:
    """Items for 80% power of the non-inferiority test where nothing was lost and this share (0 to 1] is discordant.

    The fewest by which `noninferiority_power` reaches .8, searched by halves above `normal_items`.
    """
    low, high = 0, normal_items(discordant, margin, alpha=alpha, sides=1)
    while noninferiority_power(high, discordant, margin, alpha=alpha) < POWER:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        enough = noninferiority_power(middle, discordant, margin, alpha=alpha) >= POWER
        low, high = (low, middle) if enough else (middle, high)
    return high


def normal_items(discordant: float, margin: float, *, alpha: float = 0.05, sides: int = 2) -> int:
    """Items for 80% power in the normal approximation: of equivalence (two sides, both of which must hold), or of
    non-inferiority (one side).

    n = discordant ((z_(1-alpha) + z_(1-beta/sides)) / margin)^2. Reference: Lachenbruch and Lynch (1998), Statistics
    in Medicine 17, 2207-2217.
    """
    z = float(stats.norm.ppf(1 - alpha) + stats.norm.ppf(1 - (1 - POWER) / sides))
    return int(np.ceil(discordant * (z / margin) ** 2))
