"""Raters and arms must not be associated: raters differ in severity, and what an arm gets more of lenient raters
gains is no effect of the arm."""

import numpy as np

from tasks.runtime.errors import InputError
from tasks.stats.comparisons import Comparison
from tasks.stats.outcome import Floats

LEVEL = 0.001  # of the test of association: chance alone has one table in a thousand refused
FLIPS = 9_999


def mixing_fault(comparison: Comparison) -> str | None:
    """Why the arms cannot be compared: who rated depends on the arm, by `association`, or no rater rated both arms.
    None where nothing is wrong."""
    if not comparison.arms or not comparison.arms[0].rated:
        return None
    a, b = ((~np.isnan(arm.values)).sum(axis=(1, 2)).astype(np.float64) for arm in comparison.arms)  # (prompts, raters)
    common = (a.sum(axis=0) * b.sum(axis=0)).any()
    if common and association(a, b) > LEVEL:
        return None
    shares = a.sum(axis=0) / a.sum() - b.sum(axis=0) / b.sum()
    most = int(np.abs(shares).argmax())
    of_each = [f"{int(arm[:, most].sum())} of {int(arm.sum())} ratings of {dataset}"
               for arm, dataset in ((a, comparison.a), (b, comparison.b))]
    rater = comparison.arms[0].panel[most]
    return f"who rated depends on the arm (rater {rater!r} gave {' and '.join(of_each)})"


def require_mixed(comparison: Comparison) -> None:
    """Raises InputError where there is a `mixing_fault`."""
    if fault := mixing_fault(comparison):
        raise InputError(f"scores: {comparison.metric} at {comparison.model}: {fault}, so a difference of the arms may "
                         "be one of raters; give both arms of a prompt to the same raters, or each text to raters "
                         "drawn at random")


def association(a: Floats, b: Floats) -> float:
    """p of "who rates does not depend on the arm", from numbers of ratings (prompts, raters) in two arms.

    The squared length of the difference of the arms' shares of each rater, under random exchange of the two arms of
    each prompt. 1 where every prompt has the same shares in both arms.
    """
    shares = [nan_share(counts) for counts in (a, b)]
    gaps = (shares[0] - shares[1])[~np.isnan(shares[0] + shares[1]).any(axis=1)]
    if not gaps.any():
        return 1.0
    signs = 1.0 - 2.0 * np.random.default_rng(0).integers(0, 2, size=(FLIPS, len(gaps)))
    reached = ((signs @ gaps) ** 2).sum(axis=1) >= (gaps.sum(axis=0) ** 2).sum() * (1 - 1e-12)
    return float((1 + reached.sum()) / (1 + FLIPS))


def nan_share(counts: Floats) -> Floats:
    """Each rater's share of a prompt's ratings; NaN where it has none."""
    total = counts.sum(axis=1, keepdims=True)
    return np.where(total > 0, counts / np.maximum(total, 1), np.nan)
