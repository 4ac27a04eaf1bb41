"""Arm x size: repeated-measures analysis of variance over prompts, Greenhouse-Geisser. Secondary."""

import warnings
from typing import Any

import numpy as np
import pandas as pd

from tasks.stats.outcome import NAN, TINY, unit
from tasks.stats.plan import Plan
from tasks.stats.scores import checked

COLUMNS = ("metric", "model_family", "source", "n_prompts", "n_missing", "arms", "models", "ss", "df1", "df2", "ms",
           "f", "p_uncorrected", "eps", "p", "ng2", "reason")
SOURCES = {"dataset": "arm", "model": "size", "dataset * model": "arm x size"}


def arm_by_size(scores: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """Three rows (arm, size, arm x size) per metric and model family, with exactly `COLUMNS`; by `pingouin`.

    Scores are averaged within prompt, dataset (target, control, base: seeds together) and model; `p` is the
    Greenhouse-Geisser corrected one. Prompts are the only random factor: it is about these checkpoints, and
    the trend's own test carries the seeds. Refusals (p NaN, with a reason): fewer than two models or arms, fewer
    than three complete prompts, nothing left to vary.
    """
    table = checked(scores)
    rows: list[dict[str, Any]] = []
    for metric in plan.metrics:
        of_metric = table[(table["metric"] == metric) & table["dataset"].isin([plan.target, plan.control, plan.base])]
        if plan.models:
            of_metric = of_metric[of_metric["model"].isin(plan.models)]
        for model_family, part in of_metric.groupby("model_family"):
            rows += [{"metric": metric, "model_family": model_family} | row for row in _analyse(part)]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"reason": "str"})


def _analyse(part: pd.DataFrame) -> list[dict[str, Any]]:
    keys = ["prompt_id", "dataset", "model"]
    texts = part.groupby([*keys, "arm", "sample"])["score"].mean()
    means = texts.groupby([*keys, "arm"]).mean().groupby(keys).mean()
    wide = means.unstack(["dataset", "model"])
    names = [part[name].unique() for name in ("dataset", "model")]
    wide = wide.reindex(columns=pd.MultiIndex.from_product(names, names=["dataset", "model"]))
    kept, (arms, models) = wide.dropna(), map(len, names)
    shared = {"n_prompts": len(kept), "n_missing": len(wide) - len(kept), "arms": arms, "models": models}
    reason = _refusal(kept.to_numpy(np.float64), arms, models)
    if reason:
        return [shared | {"source": source, "p": NAN, "reason": reason} for source in SOURCES.values()]
    scale = unit(kept.to_numpy(np.float64))
    long = (kept / scale).melt(ignore_index=False, value_name="score").reset_index()
    import pingouin

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        analysis = pingouin.rm_anova(long, dv="score", within=["dataset", "model"], subject="prompt_id", detailed=True)
    return [shared | {
        "source": SOURCES[row["Source"]], "ss": row["SS"] * scale**2, "df1": row["ddof1"], "df2": row["ddof2"],
        "ms": row["MS"] * scale**2,
        "f": row["F"], "p_uncorrected": row["p_unc"], "eps": row["eps"], "p": row["p_GG_corr"], "ng2": row["ng2"],
        "reason": None} for _, row in analysis.iterrows()]


def _refusal(means: Any, arms: int, models: int) -> str | None:
    """Why there is no analysis of means (prompts, arms x models)."""
    if models < 2 or arms < 2:
        return "one model" if models < 2 else "one arm"
    if len(means) < 3:  # with two, pingouin's test of sphericity divides by zero
        return "fewer than three prompts have every cell"
    cube = means.reshape(len(means), arms, models)
    for values in (cube, cube.mean(axis=2), cube.mean(axis=1)):
        centred = values - values.mean(axis=0)
        for axis in range(1, values.ndim):
            centred = centred - centred.mean(axis=axis, keepdims=True)
        if np.abs(centred).max() <= TINY * float(np.abs(means).max()):
            return "the scores do not vary between prompts"
    return None
