"""Did a capability survive? A verdict per task, from both models' right-or-wrong items.

"No loss is non-inferiority": a loss of the margin or more is ruled out, which is more than not being seen. "A loss
was found" is a test too, corrected over the tasks of a comparison: with six unchanged tasks, an uncorrected one would
find a loss in a quarter of the sweeps.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from tasks.runtime.errors import InputError
from tasks.stats.families import holm
from tasks.stats.noninferiority import equivalence_p, items_needed, loss_p, noninferiority_p, tango_interval
from tasks.stats.outcome import NAN, Floats, Labels

ITEM_COLUMNS = ("task", "model", "params", "arm", "dataset", "item_id", "correct")


@dataclass(frozen=True)
class Capability:
    """One task: METHOD's capability row. `diff` and its 90% interval are tuned - base, in shares of items.

    `p_loss` tests that there is a loss at all, of any size; `p_loss_corr` is corrected over the `m_loss` tasks of its
    comparison (a task by itself is its own family).
    """

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
    p_loss: float
    m_loss: int
    p_loss_corr: float
    equivalent: bool
    informative: bool
    p_informative: float
    n_for_80: float
    verdict: str
    reason: str | None = None


def design_effect(values: Floats, clusters: Labels) -> tuple[float, int]:
    """Design effect of items' values (n,) that share passages, and the number of passages.

    The variance of the mean between passages (robust, G / (G - 1)) over that of independent items, and at least 1
    (Rao and Scott 1992, Biometrics 48, 577-585). Where the values do not vary nothing can be estimated and each
    passage counts as one item. Values: right or wrong for an accuracy, tuned - base for a change.
    """
    codes = np.unique(clusters, return_inverse=True)[1]
    groups, n, centred = int(codes.max()) + 1, len(values), values - values.mean()
    independent = float((centred**2).sum())
    if groups < 2 or independent <= 0:
        return n / groups, groups
    totals = np.bincount(codes, weights=centred)
    return max(1.0, groups / (groups - 1) * float((totals**2).sum()) / independent), groups


def judge(base: Floats, tuned: Floats, *, chance: float, margin: float, clusters: Labels | None = None,
          alpha: float = 0.05) -> Capability:
    """Judge one task from the two models' 0/1 items (n,), NaN where missing; chance and margin below 1.

    Verdicts: "no loss": a loss of the margin or more is ruled out; "loss within margin": so it is, but a
    smaller one was found (`p_loss_corr`); "loss": one was found, and the margin is not ruled out;
    "inconclusive"; "uninformative": base is not reliably (one-sided exact test) above chance + margin, so that
    a loss could not show. Items in `clusters` (n,) count as n / design effect, with t on passages - 1.
    """
    there = ~(np.isnan(base) | np.isnan(tuned))
    base, tuned, n = base[there], tuned[there], int(there.sum())
    if not np.isin(np.r_[base, tuned], (0.0, 1.0)).all():
        raise ValueError("items are 0 (wrong), 1 (right) or NaN (missing)")
    if n == 0:
        return _refused(len(there), chance, margin, "no item has both answers")
    effect, of_base, groups, df = 1.0, 1.0, n, np.inf
    if clusters is not None:
        of_base = design_effect(base, np.asarray(clusters)[there])[0]
        effect, groups = design_effect(tuned - base, np.asarray(clusters)[there])
        df = float(groups - 1)
    if groups < 2 and clusters is not None:
        return _refused(len(there), chance, margin, "all items share one passage")
    b, c = int((tuned > base).sum()), int((tuned < base).sum())
    counts = (b / effect, c / effect, n / effect)
    p_noninferior, p_same = (test(*counts, margin, df) for test in (noninferiority_p, equivalence_p))
    lo, hi = tango_interval(*counts, confidence=1 - 2 * alpha, df=df)
    p_loss, p_informative = loss_p(*counts, df), above(float(base.mean()), n / of_base, chance + margin)
    informative = p_informative <= alpha
    found = Capability(
        n=n, n_missing=len(there) - n, chance=chance, accuracy_base=float(base.mean()),
        accuracy=float(tuned.mean()), b=b, c=c, diff=(b - c) / n, ci90_lo=lo, ci90_hi=hi, margin=margin,
        clusters=groups, design_effect=effect, p_noninferior=p_noninferior, p_equivalent=p_same, p_loss=p_loss,
        m_loss=1, p_loss_corr=p_loss, equivalent=informative and p_same <= alpha, informative=informative,
        p_informative=p_informative, verdict="",
        n_for_80=float(np.ceil(items_needed((b + c + 1) / (n + 2), margin, alpha=alpha) * effect)))
    return replace(found, verdict=_verdict(found, alpha))


def corrected(found: Sequence[Capability], alpha: float = 0.05) -> list[Capability]:
    """The tasks of one comparison with their losses corrected by Holm (an untested one counts as p = 1)."""
    p_corr = holm([one.p_loss for one in found])
    family = [replace(one, m_loss=len(found), p_loss_corr=float(p)) for one, p in zip(found, p_corr, strict=True)]
    return [replace(one, verdict=_verdict(one, alpha)) for one in family]


def above(share: float, n: float, level: float) -> float:
    """One-sided exact binomial p of a share of n items, which need not be whole, against `level`.

    P(X >= x) of n trials is the beta function I_level(x, n - x + 1), which is defined between whole numbers too.
    Reference: Korn and Graubard (1998), Survey Methodology 24, 193-201.
    """
    right = share * n
    return float(special.betainc(right, n - right + 1, min(level, 1.0))) if right > 0 else 1.0


def capability(items: pd.DataFrame, *, margins: Mapping[str, float], chances: Mapping[str, float],
               base: str = "base", alpha: float = 0.05) -> pd.DataFrame:
    """A row per task, model and tuned arm against base: `Capability`'s fields, after what it is about.

    A comparison, over whose tasks a loss is corrected, is a model and a tuned arm.
    `items`: `ITEM_COLUMNS` (correct 0, 1 or null) and optionally `cluster`, the passage. Margins and chance
    levels by task. Raises InputError for missing columns, tasks without a margin or chance, repeated items.
    """
    absent = [name for name in ITEM_COLUMNS if name not in items.columns]
    unknown = sorted(set(items.get("task", [])) - (set(margins) & set(chances)))
    if absent or unknown:
        raise InputError(f"capability items: no column {', '.join(absent)}" if absent else
                         f"capability: no margin or chance level for task {', '.join(unknown)}")
    if items.duplicated(["task", "model", "arm", "item_id"]).any():
        raise InputError("capability items: a task, model, arm and item_id occurs twice")
    about: list[dict[str, Any]] = []
    found: list[Capability] = []
    for (task, model), part in items.groupby(["task", "model"], sort=False):
        right = part.pivot(index="item_id", columns="arm", values="correct").astype("Float64")
        of_base = _floats(right, part.loc[part["dataset"] == base, "arm"].unique())
        clusters = _clusters(part, right.index)
        for arm, of_arm in part[part["dataset"] != base].groupby("arm", sort=False):
            found.append(judge(of_base, _floats(right, [arm]), clusters=clusters, chance=chances[str(task)],
                               margin=margins[str(task)], alpha=alpha))
            about.append({"task": task, "model": model, "params": float(of_arm["params"].iloc[0]), "arm": arm,
                          "dataset": of_arm["dataset"].iloc[0]})
    for comparison in dict.fromkeys((row["model"], row["arm"]) for row in about):
        at = [i for i, row in enumerate(about) if (row["model"], row["arm"]) == comparison]
        for i, one in zip(at, corrected([found[i] for i in at], alpha), strict=True):
            found[i] = one
    names = ["task", "model", "params", "arm", "dataset", *Capability.__dataclass_fields__]
    rows = [row | asdict(one) for row, one in zip(about, found, strict=True)]
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


def _verdict(found: Capability, alpha: float) -> str:
    if not found.n:
        return "not computed"
    if not found.informative:
        return "uninformative"
    lost = found.p_loss_corr <= alpha
    if found.p_noninferior <= alpha:
        return "loss within margin" if lost else "no loss"
    return "loss" if lost else "inconclusive"


def _refused(rows: int, chance: float, margin: float, reason: str) -> Capability:
    return Capability(
        n=0, n_missing=rows, chance=chance, accuracy_base=NAN, accuracy=NAN, b=0, c=0, diff=NAN, ci90_lo=NAN,
        ci90_hi=NAN, margin=margin, clusters=0, design_effect=NAN, p_noninferior=NAN, p_equivalent=NAN, p_loss=NAN,
        m_loss=1, p_loss_corr=NAN, equivalent=False, informative=False, p_informative=NAN, n_for_80=NAN,
        verdict="not computed", reason=reason)
