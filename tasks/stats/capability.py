"""Did a capability survive? A verdict per task, from both models' right-or-wrong items.

"No loss is non-inferiority": a loss of the margin or more is ruled out, which is more than not being seen.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from tasks.errors import InputError
from tasks.stats.noninferiority import equivalence_p, items_needed, noninferiority_p, tango_interval
from tasks.stats.outcome import NAN, Floats, Labels

VERDICTS = ("no loss", "loss within margin", "loss", "inconclusive", "uninformative", "not computed")
PASSED = VERDICTS[:2]
ITEM_COLUMNS = ("task", "rung", "params", "arm", "dataset", "item_id", "correct")


@dataclass(frozen=True)
class Capability:
    """One task: METHOD's capability row. `diff` and its 90% interval are tuned - base, in shares of items."""

    n: int
    n_missing: int
    chance: float
    accuracy_base: float
    accuracy: float
    b: int
    c: int
    diff: float
    ci90_lo: float
    ci90_hi: float
    margin: float
    clusters: int
    design_effect: float
    p_noninferior: float
    p_equivalent: float
    equivalent: bool
    informative: bool
    p_informative: float
    n_for_80: float
    verdict: str
    reason: str | None = None


def effective(base: Floats, tuned: Floats, clusters: Labels) -> tuple[float, int]:
    """Design effect of items that share a passage, and the number of passages.

    The variance of the mean difference between passages (robust, G / (G - 1)) over that of independent items,
    and at least 1 (Rao and Scott 1992, Biometrics 48, 577-585). Without a discordant item nothing can be
    estimated and each passage counts as one item.
    """
    codes = np.unique(clusters, return_inverse=True)[1]
    groups, n, d = int(codes.max()) + 1, len(base), tuned - base
    if groups < 2 or not d.any():
        return n / groups, groups
    totals = np.bincount(codes, weights=d - d.mean())
    independent = float(((d - d.mean()) ** 2).sum())
    if independent <= 0:
        return n / groups, groups
    return max(1.0, groups / (groups - 1) * float((totals**2).sum()) / independent), groups


def judge(base: Floats, tuned: Floats, *, chance: float, margin: float, clusters: Labels | None = None,
          alpha: float = 0.05) -> Capability:
    """Judge one task from the two models' 0/1 items (n,), NaN where missing; chance and margin below 1.

    Verdicts: "no loss": a loss of the margin or more is ruled out; "loss within margin": so it is, but a
    smaller one shows (90% interval below zero); "loss": the interval lies below zero and reaches the margin;
    "inconclusive"; "uninformative": base is not reliably (one-sided exact test) above chance + margin, so that
    a loss could not show. Items in `clusters` (n,) count as n / design effect, with t on passages - 1.
    """
    there = ~(np.isnan(base) | np.isnan(tuned))
    base, tuned, n = base[there], tuned[there], int(there.sum())
    if not np.isin(np.r_[base, tuned], (0.0, 1.0)).all():
        raise ValueError("items are 0 (wrong), 1 (right) or NaN (missing)")
    if n == 0:
        return _refused(len(there), chance, margin, "no item has both answers")
    effect, groups, df = 1.0, n, np.inf
    if clusters is not None:
        effect, groups = effective(base, tuned, np.asarray(clusters)[there])
        df = float(groups - 1)
    if groups < 2 and clusters is not None:
        return _refused(len(there), chance, margin, "all items share one passage")
    b, c = int((tuned > base).sum()), int((tuned < base).sum())
    counts = (b / effect, c / effect, n / effect)
    p_loss, p_same = (test(*counts, margin, df) for test in (noninferiority_p, equivalence_p))
    lo, hi = tango_interval(*counts, confidence=1 - 2 * alpha, df=df)
    p_informative = above(float(base.sum()) / effect, n / effect, chance + margin)
    informative = p_informative <= alpha
    seen = _verdict(p_loss <= alpha, hi < 0)
    return Capability(
        n=n, n_missing=len(there) - n, chance=chance, accuracy_base=float(base.mean()),
        accuracy=float(tuned.mean()), b=b, c=c, diff=(b - c) / n, ci90_lo=lo, ci90_hi=hi, margin=margin,
        clusters=groups, design_effect=effect, p_noninferior=p_loss, p_equivalent=p_same,
        equivalent=informative and p_same <= alpha, informative=informative, p_informative=p_informative,
        n_for_80=float(np.ceil(items_needed((b + c + 1) / (n + 2), margin, alpha=alpha) * effect)),
        verdict=seen if informative else "uninformative")


def above(right: float, n: float, level: float) -> float:
    """One-sided exact binomial p of right / n against `level`; fractions of items are rounded down."""
    whole = max(int(n), 1)
    return float(stats.binomtest(min(int(right), whole), whole, min(level, 1.0), alternative="greater").pvalue)


def overall(verdicts: Iterable[str]) -> str:
    """Over tasks: "no loss" needs every one to pass (so the level needs no correction), one "loss" is a loss."""
    found = list(verdicts)
    if found and all(verdict in PASSED for verdict in found):
        return "no loss"
    return "loss" if "loss" in found else "cannot be said"


def capability(items: pd.DataFrame, *, margins: Mapping[str, float], chances: Mapping[str, float],
               base: str = "base", alpha: float = 0.05) -> pd.DataFrame:
    """A row per task, rung and tuned arm against base: `Capability`'s fields, after what it is about.

    `items`: `ITEM_COLUMNS` (correct 0, 1 or null) and optionally `cluster`, the passage. Margins and chance
    levels by task. Raises InputError for missing columns, tasks without a margin or chance, repeated items.
    """
    absent = [name for name in ITEM_COLUMNS if name not in items.columns]
    unknown = sorted(set(items.get("task", [])) - (set(margins) & set(chances)))
    if absent or unknown:
        raise InputError(f"capability items: no column {', '.join(absent)}" if absent else
                         f"capability: no margin or chance level for task {', '.join(unknown)}")
    if items.duplicated(["task", "rung", "arm", "item_id"]).any():
        raise InputError("capability items: a task, rung, arm and item_id occurs twice")
    rows: list[dict[str, Any]] = []
    for (task, rung), part in items.groupby(["task", "rung"], sort=False):
        right = part.pivot(index="item_id", columns="arm", values="correct").astype("Float64")
        of_base = _floats(right, part.loc[part["dataset"] == base, "arm"].unique())
        clusters = _clusters(part, right.index)
        for arm, of_arm in part[part["dataset"] != base].groupby("arm", sort=False):
            found = judge(of_base, _floats(right, [arm]), clusters=clusters, chance=chances[str(task)],
                          margin=margins[str(task)], alpha=alpha)
            row = {"task": task, "rung": rung, "params": float(of_arm["params"].iloc[0]), "arm": arm,
                   "dataset": of_arm["dataset"].iloc[0]}
            rows.append(row | asdict(found))
    names = ["task", "rung", "params", "arm", "dataset", *Capability.__dataclass_fields__]
    return pd.DataFrame(rows, columns=names).astype({"reason": "str"})


def _floats(right: pd.DataFrame, arms: Iterable[Any]) -> Floats:
    found = [name for name in arms if name in right.columns]
    return right[found[0]].to_numpy(np.float64, na_value=np.nan) if found else np.full(len(right), NAN)


def _clusters(part: pd.DataFrame, order: pd.Index) -> Labels | None:
    """The passage of each item in this order; None where the items have none."""
    if "cluster" not in part or part["cluster"].isna().all():
        return None
    known = part.drop_duplicates("item_id").set_index("item_id")["cluster"].reindex(order)
    return known.astype(object).where(known.notna(), pd.Series(order, index=order)).astype(str).to_numpy()


def _verdict(ruled_out: bool, below_zero: bool) -> str:
    if ruled_out:
        return "loss within margin" if below_zero else "no loss"
    return "loss" if below_zero else "inconclusive"


def _refused(rows: int, chance: float, margin: float, reason: str) -> Capability:
    return Capability(0, rows, chance, NAN, NAN, 0, 0, NAN, NAN, NAN, margin, 0, NAN, NAN, NAN, False, False,
                      NAN, NAN, "not computed", reason)
