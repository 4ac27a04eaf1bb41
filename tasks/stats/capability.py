"""Did a capability survive? A verdict per task, from both models' right-or-wrong items; the change on running text.

"No loss is non-inferiority": a loss of the margin or more is ruled out, which is more than not being seen. It is asked
of all items of a set first, the endpoint, because tasks of some sixty items each seldom all pass; the tasks by
themselves are detail, corrected by Holm. "A loss was found" is a test too, corrected over everything that is said of a
dataset (tasks x models x arms): with six unchanged tasks, an uncorrected one would find a loss in a quarter of the
sweeps.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from tasks.runtime.errors import InputError
from tasks.stats.families import holm
from tasks.stats.noninferiority import (
    equivalence_p,
    items_needed,
    loss_p,
    noninferiority_p,
    noninferiority_power,
    tango_interval,
)
from tasks.stats.outcome import NAN, Floats, Labels
from tasks.stats.paired import sign_flip, stratified_t

KEYS = ("task", "model", "params", "arm", "dataset")
PLACE = ("task", "whole_set", "endpoint", *KEYS[1:], "against", "against_arm")
DOCUMENT_COLUMNS = (*KEYS, "mean_base", "mean", "diff", "se", "test", "stat", "df", "p", "ci_lo", "ci_hi",
                    "p_signflip", "n", "n_missing", "reason")
ITEM_COLUMNS = (*KEYS, "item_id", "correct")
GATE = ["task", "model", "arm"]  # a loss against control is one only where there is one against base
Arm = Mapping[Any, Any]


@dataclass(frozen=True)
class Capability:
    """One task (docs/method.md, "No loss"). `diff` and its 90% interval are of the tuned model less the one it is
    compared with (`accuracy_against`), in shares of items.

    `p_loss` tests that there is a loss at all, of any size; `p_loss_corr` and `p_noninferior_corr` are corrected over
    families of `m_loss` and `m_noninferior` (a task by itself is its own). `power`: of the non-inferiority test if
    nothing is lost, at its level; `power_joint`: that all endpoints of its comparison pass; `n_for_80`: the items that
    this test needs for 80%.
    """

    n: int = 0
    n_missing: int = 0
    chance: float = NAN
    accuracy_against: float = NAN
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
    m_noninferior: int = 1
    p_noninferior_corr: float = NAN
    p_equivalent: float = NAN
    p_loss: float = NAN
    m_loss: int = 1
    p_loss_corr: float = NAN
    equivalent: bool = False
    informative: bool = False
    p_informative: float = NAN
    power: float = NAN
    power_joint: float = NAN
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


def task_verdict(reference: Floats, tuned: Floats, *, chance: float, margin: float, clusters: Labels | None = None,
                 alpha: float = 0.05) -> Capability:
    """Test one task from 0/1 items (n,) of a tuned model and the one it is compared with, NaN where missing; chance
    and margin below 1.

    Verdicts: "no loss": a loss of the margin or more is ruled out; "loss within margin": so it is, but a
    smaller one was found (`p_loss_corr`); "loss": one was found, and the margin is not ruled out;
    "inconclusive"; "uninformative": the model compared with is not reliably (one-sided exact test) above chance +
    margin, so that a loss could not show. Items in `clusters` (n,) count as n / design effect, with t on passages - 1.
    """
    there = ~(np.isnan(reference) | np.isnan(tuned))
    reference, tuned, n = reference[there], tuned[there], int(there.sum())
    if not np.isin(np.r_[reference, tuned], (0.0, 1.0)).all():
        raise ValueError("items are 0 (wrong), 1 (right) or NaN (missing)")
    refused = Capability(n_missing=len(there), chance=chance, margin=margin)
    if n == 0:
        return replace(refused, reason="no item has both answers")
    effect, of_reference, groups, df = 1.0, 1.0, n, np.inf
    if clusters is not None:
        of_reference = design_effect(reference, np.asarray(clusters)[there])[0]
        effect, groups = design_effect(tuned - reference, np.asarray(clusters)[there])
        df = float(groups - 1)
    if groups < 2 and clusters is not None:
        return replace(refused, reason="all items share one passage")
    b, c = int((tuned > reference).sum()), int((tuned < reference).sum())
    counts = (b / effect, c / effect, n / effect)
    p_noninferior, p_same = (test(*counts, margin, df) for test in (noninferiority_p, equivalence_p))
    lo, hi = tango_interval(*counts, confidence=1 - 2 * alpha, df=df)
    p_informative = above(float(reference.mean()), n / of_reference, chance + margin)
    figures = Capability(
        n=n, n_missing=len(there) - n, chance=chance, accuracy_against=float(reference.mean()),
        accuracy=float(tuned.mean()), b=b, c=c, diff=(b - c) / n, ci90_lo=lo, ci90_hi=hi, margin=margin,
        clusters=groups, design_effect=effect, p_noninferior=p_noninferior, p_equivalent=p_same,
        p_loss=loss_p(*counts, df), equivalent=p_informative <= alpha and p_same <= alpha,
        informative=p_informative <= alpha, p_informative=p_informative)
    return corrected([figures], alpha=alpha)[0]


def corrected(tests: Sequence[Capability], endpoints: Sequence[bool] = (), against: Sequence[str] = (),
              gates: Sequence[int | None] = (), *, alpha: float = 0.05) -> list[Capability]:
    """The tests of one dataset, corrected by Holm, in which an untested one counts as p = 1; with verdict and power.

    One family is made of what is compared with one model (`against`, in order; one for all unless given). Of the
    losses it holds all tests; where a test has a gate (its place among the tests), it is no loss unless that is one
    too. Of the margin, `endpoints` and the rest apart (all are endpoints unless given): all endpoints together, at
    `alpha` each, say "no loss", so their verdicts read the uncorrected p.
    """
    kinds = list(zip(against or [""] * len(tests), endpoints or [True] * len(tests), strict=True))
    found = list(tests)
    for name in dict.fromkeys(name for name, _ in kinds):
        places = [place for place, own in enumerate(kinds) if own[0] == name]
        for place, p in zip(places, holm([tests[place].p_loss for place in places]), strict=True):
            found[place] = replace(tests[place], m_loss=len(places), p_loss_corr=float(p))
    p_loss = [test.p_loss_corr for test in found]
    for place, gate in enumerate(gates):
        if gate is not None:
            found[place] = replace(found[place], p_loss_corr=max(p_loss[place], p_loss[gate]))
    for kind in dict.fromkeys(kinds):
        places = [place for place, own in enumerate(kinds) if own == kind]
        p_margin = holm([found[place].p_noninferior for place in places])
        for place, p in zip(places, p_margin, strict=True):
            found[place] = _judged(replace(found[place], m_noninferior=len(places), p_noninferior_corr=float(p)),
                                   is_endpoint=kind[1], alpha=alpha)
    joint = {name: float(np.prod([test.power for test, own in zip(found, kinds, strict=True) if own == (name, True)]))
             for name, is_endpoint in kinds if is_endpoint}
    return [replace(test, power_joint=joint.get(name, NAN)) for test, (name, _) in zip(found, kinds, strict=True)]


def _judged(test: Capability, *, is_endpoint: bool, alpha: float) -> Capability:
    """The test with its power, the items that it needs, and its verdict, at its level in the family."""
    if not test.n:
        return replace(test, power=0.0)
    level, passed = alpha, test.p_noninferior <= alpha
    if not is_endpoint:
        level, passed = alpha / test.m_noninferior, test.p_noninferior_corr <= alpha
    discordant = (test.b + test.c + 1) / (test.n + 2)
    df = np.inf if test.clusters == test.n else test.clusters - 1.0
    return replace(
        test, power=noninferiority_power(test.n / test.design_effect, discordant, test.margin, alpha=level, df=df),
        n_for_80=float(np.ceil(items_needed(discordant, test.margin, alpha=level) * test.design_effect)),
        verdict=_verdict(test, passed=passed, alpha=alpha))


@lru_cache(maxsize=100_000)
def above(share: float, n: float, level: float) -> float:
    """One-sided exact binomial p of a share of n items, which need not be whole, against `level`.

    P(X >= x) of n trials is the beta function I_level(x, n - x + 1), which is defined between whole numbers too.
    Reference: Korn and Graubard (1998), Survey Methodology 24, 193-201.
    """
    right = share * n
    return float(special.betainc(right, n - right + 1, min(level, 1.0))) if right > 0 else 1.0


def capability(items: pd.DataFrame, *, margins: Mapping[str, float], chances: Mapping[str, float],
               sets: Collection[str] = (), base: str = "base", target: str = "values", control: str = "control",
               alpha: float = 0.05) -> pd.DataFrame:
    """A row per task, model and tuned arm against base, and of every arm of the target against the control arm of its
    seed (else the first): `Capability`'s fields, after `PLACE`. A loss against control is one only where the same arm
    has one against base.

    `items`: `ITEM_COLUMNS` (correct 0, 1 or null) and optionally `seed` and `cluster`, the passage. Margins and chance
    levels by task. `sets`: the tasks that are all items of a set, which are the endpoints; without any, every task is.
    Raises InputError for missing columns, tasks without a margin or chance, repeated items.
    """
    _check(items, margins, chances)
    rows: list[dict[str, Any]] = []
    tests: list[Capability] = []
    pooled = set(items["task"]) & set(sets)
    for (task, model), part in items.groupby(["task", "model"], sort=False):
        right = part.pivot(index="item_id", columns="arm", values="correct").astype("Float64")
        clusters = _clusters(part, right.index)
        for arm, against in _compared(part, base, target, control):
            tests.append(task_verdict(_floats(right, against["arm"]), _floats(right, arm["arm"]), clusters=clusters,
                                      chance=chances[str(task)], margin=margins[str(task)], alpha=alpha))
            rows.append({"task": task, "whole_set": task in pooled, "endpoint": task in pooled or not pooled,
                         "model": model, "params": float(part["params"].iloc[0]), "arm": arm["arm"],
                         "dataset": arm["dataset"], "against": against["dataset"], "against_arm": against["arm"]})
    return table_of(rows, tests, base=base, alpha=alpha)


def table_of(places: Sequence[Mapping[str, Any]], tests: Sequence[Capability], *, base: str = "base",
             alpha: float = 0.05) -> pd.DataFrame:
    """The table of these tests, each at its place (`PLACE`), corrected within datasets."""
    table, found = pd.DataFrame(places, columns=list(PLACE)), list(tests)
    for rows in table.groupby("dataset").indices.values():
        own = table.iloc[rows].to_dict("records")
        of_base = {tuple(row[key] for key in GATE): at for at, row in enumerate(own) if row["against"] == base}
        gates = [None if row["against"] == base else of_base[tuple(row[key] for key in GATE)] for row in own]
        family = corrected([tests[row] for row in rows], [row["endpoint"] for row in own],
                           [row["against"] for row in own], gates, alpha=alpha)
        for row, test in zip(rows, family, strict=True):
            found[row] = test
    figures = pd.DataFrame(list(map(asdict, found)), columns=list(Capability.__dataclass_fields__))
    return pd.concat([table.astype({"whole_set": bool, "endpoint": bool}), figures], axis=1).astype({"reason": "str"})


def _check(items: pd.DataFrame, margins: Mapping[str, float], chances: Mapping[str, float]) -> None:
    absent = [name for name in ITEM_COLUMNS if name not in items.columns]
    unknown = sorted(set(items.get("task", [])) - (set(margins) & set(chances)))
    if absent or unknown:
        raise InputError(f"capability items: no column {', '.join(absent)}" if absent else
                         f"capability: no margin or chance level for task {', '.join(unknown)}")
    if items.duplicated(["task", "model", "arm", "item_id"]).any():
        raise InputError("capability items: a task, model, arm and item_id occurs twice")


def _compared(part: pd.DataFrame, base: str, target: str, control: str) -> Iterator[tuple[Arm, Arm]]:
    """Every tuned arm of a task's and model's items with base, then every arm of the target with one of control."""
    arms: Sequence[Arm] = part.drop_duplicates("arm").to_dict("records")
    of_base = next((arm for arm in arms if arm["dataset"] == base), {"arm": base, "dataset": base})
    yield from ((arm, of_base) for arm in arms if arm["dataset"] != base)
    controls = [arm for arm in arms if arm["dataset"] == control]
    for arm in arms:
        if arm["dataset"] == target and controls:
            yield arm, next((one for one in controls if one.get("seed") == arm.get("seed")), controls[0])


def _floats(right: pd.DataFrame, arm: Any) -> Floats:
    return right[arm].to_numpy(np.float64, na_value=np.nan) if arm in right.columns else np.full(len(right), NAN)


def _clusters(part: pd.DataFrame, order: pd.Index) -> Labels | None:
    """The passage of each item in this order; None where the items have none."""
    if "cluster" not in part or part["cluster"].isna().all():
        return None
    known = part.drop_duplicates("item_id").set_index("item_id")["cluster"].reindex(order)
    return known.astype(object).where(known.notna(), pd.Series(order, index=order)).astype(str).to_numpy()


def _verdict(test: Capability, *, passed: bool, alpha: float) -> str:
    if not test.informative:
        return "uninformative"
    lost = test.p_loss_corr <= alpha
    if passed:
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
