"""Families of tests: Holm and Benjamini-Hochberg, in which an uncomputable test stays and counts as p = 1.

`pingouin.multicomp` drops NaN and so shrinks the family: a sweep in which a cell failed would look better.
"""

from typing import Literal

import numpy as np
import numpy.typing as npt

from tasks.stats.outcome import Floats

Method = Literal["holm", "bh"]


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
    return _put_back(np.maximum.accumulate(stepped), order)


def benjamini_hochberg(p: npt.ArrayLike) -> Floats:
    """Benjamini and Hochberg's step-up p-values (false discovery rate); NaN counts, and comes back, as 1.

    p_corr of the i-th smallest is min over j >= i of min(1, m p_(j) / j).
    Reference: Benjamini and Hochberg (1995), JRSS B 57, 289-300.
    """
    values = _as_p(p)
    order = np.argsort(values, kind="stable")
    scaled = values[order] * len(values) / np.arange(1, len(values) + 1)
    return _put_back(np.minimum(1.0, np.minimum.accumulate(scaled[::-1])[::-1]), order)


def adjust(p: npt.ArrayLike, method: Method) -> Floats:
    """Corrected p-values of one family, in the order given."""
    return holm(p) if method == "holm" else benjamini_hochberg(p)


def _put_back(values: Floats, order: npt.NDArray[np.intp]) -> Floats:
    out = np.empty_like(values)
    out[order] = values
    return out
