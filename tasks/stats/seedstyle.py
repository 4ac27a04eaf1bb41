"""The seed's own kind of analysis, for comparison with the paper only: every sample as if independent.

It ignores that arms answer the same prompts and that samples of a prompt resemble each other, so its p is not
a test of the claim [taking 360 ratings as independent rejects 20% of true nulls at the 5% level].
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from tasks.stats import effects
from tasks.stats.contrasts import ladder
from tasks.stats.outcome import NAN, TINY, Floats
from tasks.stats.plan import Plan
from tasks.stats.scores import ArmScores, arm_scores, checked, prompts_of

LABEL = "seed-style: samples as independent, for comparison with the paper"
COLUMNS = ("analysis", "metric", "model", "params", "contrast", "n_a", "n_b", "k", "raters", "mean_a",
           "mean_b", "diff", "stat", "df", "p", "ci_lo", "ci_hi", "d_pooled", "reason")


def welch(a: Floats, b: Floats, *, confidence: float = 0.95) -> dict[str, Any]:
    """Welch's t test of two samples of independent scores (1-d), with interval and pooled d; two-sided.

    Reference: Welch (1947), Biometrika 34, 28-35. No p with fewer than two scores a side or no variation.
    """
    a, b = a[~np.isnan(a)], b[~np.isnan(b)]
    row: dict[str, Any] = {"n_a": len(a), "n_b": len(b), "mean_a": a.mean() if len(a) else NAN,
                           "mean_b": b.mean() if len(b) else NAN, "d_pooled": effects.pooled_d(a, b)}
    row["diff"] = row["mean_a"] - row["mean_b"]
    if min(len(a), len(b)) < 2:
        return row | {"reason": "fewer than two scores in an arm"}
    va, vb = a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)
    se = float(np.sqrt(va + vb))
    if se <= TINY * max(float(np.abs(a).max()), float(np.abs(b).max())):
        return row | {"reason": "the scores do not vary within the arms"}
    df = (va + vb) ** 2 / (va**2 / (len(a) - 1) + vb**2 / (len(b) - 1))
    half, t = float(stats.t.ppf((1 + confidence) / 2, df)) * se, row["diff"] / se
    return row | {"stat": t, "df": df, "p": float(2 * stats.t.sf(abs(t), df)), "ci_lo": row["diff"] - half,
                  "ci_hi": row["diff"] + half, "reason": None}


def seed_style(scores: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """Welch t and pooled d of every metric, model and contrast, all samples independent; `COLUMNS`.

    A sample's ratings are averaged first. Not corrected for the number of tests: nor was the published one.
    """
    return pd.DataFrame(list(_rows(checked(scores), plan)), columns=list(COLUMNS)).astype({"reason": "str"})


def _rows(table: pd.DataFrame, plan: Plan) -> Iterator[dict[str, Any]]:
    for metric, of_metric in table.groupby("metric", sort=False):
        prompts = prompts_of(of_metric)
        for model in ladder(table, plan):
            part = of_metric[of_metric["model"] == model]
            params = float(part["params"].iloc[0]) if len(part) else NAN
            for a, b in (*plan.confirmatory, plan.negative_control):
                where = {"analysis": LABEL, "metric": metric, "model": model, "params": params}
                both = arm_scores(part, a, prompts), arm_scores(part, b, prompts)
                yield where | {"contrast": f"{a} - {b}"} | _row(*both, plan)


def _row(a: ArmScores | None, b: ArmScores | None, plan: Plan) -> dict[str, Any]:
    if a is None or b is None:
        return {"n_a": 0, "n_b": 0, "k": 0, "raters": 0, "reason": "no scores of an arm at this model"}
    row = welch(a.samples.ravel(), b.samples.ravel(), confidence=plan.confidence)
    return row | {"k": max(a.k, b.k), "raters": max(a.raters, b.raters)}
