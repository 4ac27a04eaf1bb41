"""The same contrasts by other means: a bootstrap interval and Bayes factors with other priors. Secondary."""

from typing import Any

import numpy as np
import pandas as pd

from tasks.stats import effects
from tasks.stats.contrasts import ladder
from tasks.stats.outcome import Floats, Labels
from tasks.stats.paired import bayes_factor, bootstrap_interval
from tasks.stats.plan import Plan
from tasks.stats.scores import arm_scores, checked, pair, prompts_of

COLUMNS = ("metric", "model", "contrast", "n_prompts", "boot_lo", "boot_hi", "bf10_r05", "bf10_r0707", "bf10_r1",
           "reason")


def sensitivity(scores: pd.DataFrame, plan: Plan, *, draws: int = 4000) -> pd.DataFrame:
    """A row per confirmatory contrast of the primary and secondary metric and model, with exactly `COLUMNS`.

    Prompts are the only noise in it, so with several seeds it is about these checkpoints, their seeds averaged.
    """
    table = checked(scores)
    rows: list[dict[str, Any]] = []
    for metric in (name for name in (plan.primary, plan.secondary) if name):
        of_metric = table[table["metric"] == metric]
        prompts = prompts_of(of_metric)
        for model in ladder(table, plan):
            part = of_metric[of_metric["model"] == model]
            for a, b in plan.confirmatory:
                both = arm_scores(part, a, prompts), arm_scores(part, b, prompts)
                row = {"metric": metric, "model": model, "contrast": f"{a} - {b}", "n_prompts": 0}
                if both[0] is None or both[1] is None:
                    rows.append(row | {"reason": "no scores of an arm at this model"})
                    continue
                diffs = pair(both[0], both[1], fixed_b=b == plan.base).diffs.mean(axis=1)
                rows.append(row | _row(diffs, prompts.categories, plan, draws))
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"reason": "str"})


def _row(diffs: Floats, strata: Labels, plan: Plan, draws: int) -> dict[str, Any]:
    n = int((~np.isnan(diffs)).sum())
    if n < 2:
        why = "one prompt has" if n else "no prompt has"
        return {"n_prompts": n, "reason": f"{why} a score in both arms"}
    lo, hi = bootstrap_interval(diffs, strata, draws=draws, seed=plan.seed, confidence=plan.confidence)
    t = effects.plain_t(diffs)
    reasons = ["the differences do not vary" if np.isnan(t) else None,
               "a category has one prompt: no bootstrap" if np.isnan(lo) else None]
    return {"n_prompts": n, "boot_lo": lo, "boot_hi": hi, "bf10_r05": bayes_factor(t, n, 0.5),
            "bf10_r0707": bayes_factor(t, n), "bf10_r1": bayes_factor(t, n, 1.0),
            "reason": "; ".join(filter(None, reasons)) or None}
