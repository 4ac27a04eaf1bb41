"""Non-inferiority and equivalence of two models on the same right-or-wrong items (`capability` has verdicts).

Only discordant items carry information: b where the tuned model is right and base is wrong, c the other way.
The difference is (b - c) / n, above zero where tuning helped. Tango's score test is used throughout: a
paired t or `pingouin.tost` on 0/1 items is unfit (20 identical items at margin .01: p = 3e-294, Tango .33).
Reference: Tango (1998), Statistics in Medicine 17, 891-908.
"""

import numpy as np
from scipy import optimize, special, stats


def tango_z(b: float, c: float, n: float, delta: float) -> float:
    """Score statistic of the difference (b - c) / n against `delta`, -1 < delta < 1; ~N(0, 1) under it.

    z = (b - c - n delta) / sqrt(n (2 q + delta (1 - delta))), with q the likelihood's best P(c) under delta.
    Counts may be fractions of items (see `capability.design_effect`). Where nothing varies, z is 0 or infinite.
    """
    linear = -b - c + (2 * n - b + c) * delta
    q = (np.sqrt(max(linear**2 + 8 * n * c * delta * (1 - delta), 0.0)) - linear) / (4 * n)
    variance = n * (2 * q + delta * (1 - delta))
    gap = b - c - n * delta
    if variance <= 1e-12 * n:
        return 0.0 if abs(gap) <= 1e-9 else float(np.copysign(np.inf, gap))
    return float(gap / np.sqrt(variance))


def tango_interval(b: float, c: float, n: float, confidence: float = 0.95,
                   df: float = np.inf) -> tuple[float, float]:
    """The differences that the two-sided score test does not reject; t quantile where `df` is finite."""
    critical = float(stats.t.ppf((1 + confidence) / 2, df))
    at, edge = (b - c) / n, 1 - 1e-12

    def crossing(level: float, end: float) -> float:
        if (tango_z(b, c, n, end) - level) * (tango_z(b, c, n, at) - level) >= 0:
            return float(np.sign(end))
        return float(optimize.brentq(lambda d: tango_z(b, c, n, d) - level, at, end, xtol=1e-12))

    return crossing(critical, -edge), crossing(-critical, edge)


def noninferiority_p(b: float, c: float, n: float, margin: float, df: float = np.inf) -> float:
    """One-sided p of "worse by the margin or more": small where a loss that large is ruled out."""
    return float(stats.t.sf(tango_z(b, c, n, -margin), df))


def equivalence_p(b: float, c: float, n: float, margin: float, df: float = np.inf) -> float:
    """The larger of the two one-sided p (TOST): small where a change that large, either way, is ruled out."""
    better = float(stats.t.cdf(tango_z(b, c, n, margin), df))
    return max(noninferiority_p(b, c, n, margin, df), better)


def loss_p(b: float, c: float, n: float, df: float = np.inf) -> float:
    """One-sided p of "no worse": small where a loss, of whatever size, was found.

    The larger of Tango's score test at no difference (McNemar's, t where `df` is finite) and the exact sign test of
    the discordant items, which holds its level where these are few. So a loss found lies outside the interval too.
    The exact tail is the beta function I_1/2(c, b + 1), which is defined for fractions of items as well.
    """
    exact = float(special.betainc(c, b + 1, 0.5)) if c > 0 else 1.0
    return max(exact, float(stats.t.cdf(tango_z(b, c, n, 0.0), df)))


def items_needed(discordant: float, margin: float, *, alpha: float = 0.05) -> int:
    """Items for 80% power of equivalence where nothing changed and this share of items (0 to 1] is discordant.

    n = discordant ((z_(1-alpha) + z_.9) / margin)^2: it must hold on both sides. Reference: Lachenbruch and Lynch
    (1998), Statistics in Medicine 17, 2207-2217.
    """
    z = float(stats.norm.ppf(1 - alpha) + stats.norm.ppf((1 + 0.8) / 2))
    return int(np.ceil(discordant * (z / margin) ** 2))
