"""Families of tests: Holm and Benjamini-Hochberg, in which an uncomputable test stays and counts as p = 1.

`pingouin.multicomp` drops NaN and so shrinks the family: a sweep in which a checkpoint failed would look better.
"""

import numpy as np
import numpy.typing as npt
from scipy import stats

from tasks.stats.outcome import Floats


def _as_p(p: npt.ArrayLike) -> Floats:
    values = np.asarray(p, dtype=np.float64).ravel()
    if np.any((values < 0) | (values > 1)):
        raise ValueError("p-values lie between 0 and 1")
    return np.where(np.isnan(values), 1.0, values)


def holm(p: npt.ArrayLike) -> Floats:
    """Holm's step-down p-values (family-wise error); NaN counts, and comes back, as 1.

    p_corr of the i-th smallest is max over j <= i of min(1, (m - j + 1) p_(j)).
    Reference: Holm (1979), Scandinavian Journal of Statistics 6, 65-70.
    """
    values = _as_p(p)
    order = np.argsort(values, kind="stable")
    stepped = np.minimum(1.0, values[order] * np.arange(len(values), 0, -1))
    return np.maximum.accumulate(stepped)[np.argsort(order)]


def benjamini_hochberg(p: npt.ArrayLike) -> Floats:
    """Benjamini and Hochberg's step-up p-values (false discovery rate); NaN counts, and comes back, as 1.

    By `scipy`. Reference: Benjamini and Hochberg (1995), JRSS B 57, 289-300.
    """
    values = _as_p(p)
    return np.asarray(stats.false_discovery_control(values), dtype=np.float64) if len(values) else values
