"""Did a capability survive? A verdict per task, from both models' right-or-wrong items; the change on running text.

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
from tasks.stats.paired import sign_flip, stratified_t

KEYS = ("task", "model", "params", "arm", "dataset")
DOCUMENT_COLUMNS = (*KEYS, "mean_base", "mean", "diff", "se", "test", "stat", "df", "p", "ci_lo", "ci_hi",
                    "p_signflip", "n", "n_missing", "reason")
ITEM_COLUMNS = (*KEYS, "item_id", "correct")


@dataclass(frozen=True)
class Capability:
    """One task (docs/method.md, "No loss"). `diff` and its 90% interval are tuned - base, in shares of items.

    `p_loss` tests that there is a loss at all, of any size; `p_loss_corr` is corrected over the `m_loss` tasks of its
    comparison (a task by itself is its own family).
    """

    n: int = 0
    n_missing: int = 0
    chance: float = NAN
    accuracy_base: float = NAN
    accuracy: float = NAN
    b: int = 0
    c: int = 0
    diff: float = NAN
    ci90_lo: float = NAN
    ci90_hi: float = NAN
    margin: float = NAN
    clusters: int = 0
    design_effect: float = NAN
    p_noninferior: float = NAN
    p_equivalent: float = NAN
    p_loss: float = NAN
    m_loss: int = 1
    p_loss_corr: float = NAN
    equivalent: bool = False
    informative: bool = False
    p_informative: float = NAN
    n_for_80: float = NAN
    verdict: str = "not computed"
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


def task_verdict(base: Floats, tuned: Floats, *, chance: float, margin: float, clusters: Labels | None = None,
                 alpha: float = 0.05) -> Capability:
    """Test one task from the two models' 0/1 items (n,), NaN where missing; chance and margin below 1.

    Verdicts: "no loss": a loss of the margin or more is ruled out; "loss within margin": so it is, but a
    smaller one was found (`p_loss_corr`); "loss": one was found, and the margin is not ruled out;
    "inconclusive"; "uninformative": base is not reliably (one-sided exact test) above chance + margin, so that
    a loss could not show. Items in `clusters` (n,) count as n / design effect, with t on passages - 1.
    """
    there = ~(np.isnan(base) | np.isnan(tuned))
    base, tuned, n = base[there], tuned[there], int(there.sum())
    if not np.isin(np.r_[base, tuned], (0.0, 1.0)).all():
        raise ValueError("items are 0 (wrong), 1 (right) or NaN (missing)")
    refused = Capability(n_missing=len(there), chance=chance, margin=margin)
    if n == 0:
        return replace(refused, reason="no item has both answers")
    effect, of_base, groups, df = 1.0, 1.0, n, np.inf
    if clusters is not None:
        of_base = design_effect(base, np.asarray(clusters)[there])[0]
        effect, groups = design_effect(tuned - base, np.asarray(clusters)[there])
        df = float(groups - 1)
    if groups < 2 and clusters is not None:
        return replace(refused, reason="all items share one passage")
    b, c = int((tuned > base).sum()), int((tuned < base).sum())
    counts = (b / effect, c / effect, n / effect)
    p_noninferior, p_same = (test(*counts, margin, df) for test in (noninferiority_p, equivalence_p))
    lo, hi = tango_interval(*counts, confidence=1 - 2 * alpha, df=df)
    p_loss, p_informative = loss_p(*counts, df), above(float(base.mean()), n / of_base, chance + margin)
    informative = p_informative <= alpha
    figures = Capability(
        n=n, n_missing=len(there) - n, chance=chance, accuracy_base=float(base.mean()),
        accuracy=float(tuned.mean()), b=b, c=c, diff=(b - c) / n, ci90_lo=lo, ci90_hi=hi, margin=margin,
        clusters=groups, design_effect=effect, p_noninferior=p_noninferior, p_equivalent=p_same, p_loss=p_loss,
        p_loss_corr=p_loss, equivalent=informative and p_same <= alpha, informative=informative,
        p_informative=p_informative,
        n_for_80=float(np.ceil(items_needed((b + c + 1) / (n + 2), margin, alpha=alpha) * effect)))
    return replace(figures, verdict=_verdict(figures, alpha))


def corrected(tasks: Sequence[Capability], alpha: float = 0.05) -> list[Capability]:
    """The tasks of one comparison with their losses corrected by Holm (an untested one counts as p = 1)."""
    p_corr = holm([task.p_loss for task in tasks])
    family = [replace(task, m_loss=len(tasks), p_loss_corr=float(p)) for task, p in zip(tasks, p_corr, strict=True)]
    return [replace(task, verdict=_verdict(task, alpha)) for task in family]


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
    tested: dict[tuple[Any, Any], list[tuple[int, Capability]]] = {}  # by comparison
    about: list[dict[str, Any]] = []
    for (task, model), part in items.groupby(["task", "model"], sort=False):
        right = part.pivot(index="item_id", columns="arm", values="correct").astype("Float64")
        of_base = _floats(right, part.loc[part["dataset"] == base, "arm"].unique())
        clusters = _clusters(part, right.index)
        for arm, of_arm in part[part["dataset"] != base].groupby("arm", sort=False):
            figures = task_verdict(of_base, _floats(right, [arm]), clusters=clusters, chance=chances[str(task)],
                                   margin=margins[str(task)], alpha=alpha)
            tested.setdefault((model, arm), []).append((len(about), figures))
            about.append({"task": task, "model": model, "params": float(of_arm["params"].iloc[0]), "arm": arm,
                          "dataset": of_arm["dataset"].iloc[0]})
    for rows in tested.values():
        for (place, _), figures in zip(rows, corrected([figures for _, figures in rows], alpha), strict=True):
            about[place] |= asdict(figures)
    return pd.DataFrame(about, columns=[*KEYS, *Capability.__dataclass_fields__]).astype({"reason": "str"})


def _floats(right: pd.DataFrame, arms: Iterable[Any]) -> Floats:
    arm = next((name for name in arms if name in right.columns), None)
    return np.full(len(right), NAN) if arm is None else right[arm].to_numpy(np.float64, na_value=np.nan)


def _clusters(part: pd.DataFrame, order: pd.Index) -> Labels | None:
    """The passage of each item in this order; None where the items have none."""
    if "cluster" not in part or part["cluster"].isna().all():
        return None
    known = part.drop_duplicates("item_id").set_index("item_id")["cluster"].reindex(order)
    return known.astype(object).where(known.notna(), pd.Series(order, index=order)).astype(str).to_numpy()


def _verdict(figures: Capability, alpha: float) -> str:
    if not figures.n:
        return "not computed"
    if not figures.informative:
        return "uninformative"
    lost = figures.p_loss_corr <= alpha
    if figures.p_noninferior <= alpha:
        return "loss within margin" if lost else "no loss"
    return "loss" if lost else "inconclusive"


def document_tests(documents: pd.DataFrame, *, confidence: float = 0.95, permutations: int = 10_000,
                   seed: int = 0) -> pd.DataFrame:
    """A row per task, model and tuned arm: the mean change in nats per byte, with its paired t and sign-flip p.

    `documents`: a row a document with `KEYS`, `nats_per_byte`, `nats_per_byte_base` and `diff` (tuned - base),
    null where one is missing. No p is corrected: these tests describe and are in no family.
    """
    rows: list[dict[str, Any]] = []
    for keys, part in documents.groupby(list(KEYS), sort=False):
        diffs: Floats = part["diff"].to_numpy(np.float64)
        outcome = asdict(stratified_t(diffs, confidence=confidence))
        complete = part[part["diff"].notna()]
        rows.append(dict(zip(KEYS, keys, strict=True)) | outcome | {
            "mean_base": float(complete["nats_per_byte_base"].mean()), "mean": float(complete["nats_per_byte"].mean()),
            "diff": outcome["estimate"], "p_signflip": sign_flip(diffs, permutations=permutations, seed=seed)})
    return pd.DataFrame(rows, columns=list(DOCUMENT_COLUMNS)).astype({"reason": "str"})
