"""What a test gives back: an estimate with its interval and p, or the reason why there is none."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[Any]

NAN = float("nan")
TINY = 1e-10  # a spread below this share of the largest value is rounding, not variation


@dataclass(frozen=True)
class Outcome:
    """One estimate and its two-sided test against zero. Undefined figures are NaN and `reason` says why.

    `note` says where the estimate is of less than was planned (a whole category without a complete prompt).
    """

    estimate: float
    se: float
    stat: float
    df: float
    p: float
    ci_lo: float
    ci_hi: float
    n: int
    n_missing: int
    test: str
    ci_method: str
    reason: str | None = None
    note: str | None = None


def from_t(estimate: float, se: float, df: float, *, n: int, n_missing: int, test: str,
           confidence: float = 0.95, note: str | None = None) -> Outcome:
    """Student-t test and interval of an estimate with its standard error (> 0) and degrees of freedom."""
    stat = estimate / se
    half = float(special.stdtrit(df, (1 + confidence) / 2)) * se
    p = float(2 * special.stdtr(df, -abs(stat)))
    return Outcome(estimate, se, stat, df, p, estimate - half, estimate + half, n, n_missing, test, test,
                   note=note)


def undefined(reason: str, *, test: str, n: int = 0, n_missing: int = 0, estimate: float = NAN,
              se: float = NAN, note: str | None = None) -> Outcome:
    """An outcome without a test: what is known, and the reason for the rest."""
    return Outcome(estimate, se, NAN, NAN, NAN, NAN, NAN, n, n_missing, test, test, reason, note)


def worse(first: Outcome, second: Outcome) -> Outcome:
    """Of two tests of one estimate, that with the larger p, under the wider of the two intervals.

    So zero lies outside the interval exactly where both tests reject at its level. A test that cannot be computed says
    nothing, and the other is taken.
    """
    if np.isnan(second.p) or np.isnan(first.p):
        return first if np.isnan(second.p) else second
    lo, hi = min(first.ci_lo, second.ci_lo), max(first.ci_hi, second.ci_hi)
    return replace(first if first.p >= second.p else second, ci_lo=lo, ci_hi=hi)


def unit(values: Floats) -> float:
    """The power of two next to the largest of these finite values (1 where all are zero).

    Divided by it, values of any size can be squared without overflow, and the figures keep their last digit.
    """
    return float(np.ldexp(1.0, int(np.frexp(np.abs(values).max(initial=0.0))[1])))


def no_spread(values: Floats) -> str:
    """Why these differences cannot be tested against their own spread, given that it is (next to) nothing."""
    return "the differences do not vary within categories" if values.any() else "every difference is zero"


def nan_mean(values: Floats, axis: int | tuple[int, ...]) -> Floats:
    """Mean over `axis` of what is not NaN; NaN where nothing is (without numpy's warning)."""
    there = ~np.isnan(values)
    count = there.sum(axis=axis)
    total = np.where(there, values, 0.0).sum(axis=axis)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), NAN), dtype=np.float64)
