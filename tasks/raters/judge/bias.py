"""Where a judge rates higher or lower than people do: by arm, between arms, and by length."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from tasks.raters.judge.common import Common, by_prompt, codes
from tasks.stats.outcome import Floats, Outcome, from_t, undefined
from tasks.stats.paired import stratified_t
from tasks.stats.plan import Plan

COLUMNS = ("judge", "kind", "model", "of", "n_texts", "n_prompts", "estimate", "se", "df", "p", "ci_lo", "ci_hi",
           "reason")  # fmt: skip
ARM, CONTRAST, LENGTH = "arm", "contrast", "length"


def bias(name: str, common: Common, plan: Plan) -> pd.DataFrame:
    """A row a checkpoint (`arm`: judge - people, in points), a planned contrast (`contrast`: by how much it is larger
    in the judge's eyes), and one of all texts (`length`: points for each doubling of a text's length, between texts of
    one prompt and model), with exactly `COLUMNS`. No p is corrected: nothing is claimed of these."""
    rows = [*_by_arm(common, plan), *_between(common, plan), _by_length(common, plan.confidence)]
    return pd.DataFrame([{"judge": name} | row for row in rows], columns=list(COLUMNS)).astype({"reason": "str"})


def _by_arm(common: Common, plan: Plan) -> Iterator[dict[str, Any]]:
    for model, arm in common.texts[["model", "arm"]].drop_duplicates().itertuples(index=False):
        rows = ((common.texts["model"] == model) & (common.texts["arm"] == arm)).to_numpy()
        gaps = by_prompt(common, common.gaps, rows)
        yield _row(ARM, model, arm, int(rows.sum()), _test(gaps, plan))


def _between(common: Common, plan: Plan) -> Iterator[dict[str, Any]]:
    models, datasets = (common.texts[name].to_numpy() for name in ("model", "dataset"))
    for model in pd.unique(models):
        for a, b in (*plan.confirmatory, plan.negative_control):
            rows = [(models == model) & (datasets == name) for name in (a, b)]
            first, second = (by_prompt(common, common.gaps, chosen) for chosen in rows)
            yield _row(CONTRAST, model, f"{a} - {b}", int(sum(chosen.sum() for chosen in rows)),
                       _test((first - second).dropna(), plan))


def _by_length(common: Common, confidence: float) -> dict[str, Any]:
    places, count = codes(zip(common.texts["model"], common.texts["prompt_id"], strict=True))
    prompts, n_prompts = codes(common.texts["prompt_id"])
    x, y = (_centred(side, places, count) for side in (common.length, common.gaps))
    return _row(LENGTH, "all", "a doubling of length", len(x), slope(x, y, prompts, n_prompts, confidence))


def slope(x: Floats, y: Floats, clusters: Floats, n: int, confidence: float) -> Outcome:
    """The slope of y on x (both centred), its variance from the clusters' scores (Liang and Zeger 1986), n - 1 df."""
    sxx = float((x * x).sum())
    if n < 3 or sxx < 1e-9:
        reason = "lengths do not vary within prompts" if n >= 3 else "fewer than three prompts"
        return undefined(reason, test="slope", n=n)
    estimate = float((x * y).sum()) / sxx
    scores = np.bincount(clusters, x * (y - estimate * x), n)
    se = float(np.sqrt((scores**2).sum() * n / (n - 1))) / sxx
    if se < 1e-12:
        return undefined("no spread about the slope", test="slope", n=n, estimate=estimate)
    return from_t(estimate, se, n - 1, n=n, n_missing=0, test="slope", confidence=confidence)


def _centred(values: Floats, places: Floats, count: int) -> Floats:
    sizes = np.maximum(np.bincount(places, minlength=count), 1)
    return np.asarray(values - (np.bincount(places, values, count) / sizes)[places], dtype=np.float64)


def _test(gaps: "pd.Series[float]", plan: Plan) -> Outcome:
    categories = gaps.index.get_level_values("category").to_numpy(object)
    return stratified_t(np.asarray(gaps, dtype=np.float64), categories, confidence=plan.confidence)


def _row(kind: str, model: str, of: str, n_texts: int, outcome: Outcome) -> dict[str, Any]:
    return {"kind": kind, "model": model, "of": of, "n_texts": n_texts, "n_prompts": outcome.n,
            "estimate": outcome.estimate, "se": outcome.se, "df": outcome.df, "p": outcome.p, "ci_lo": outcome.ci_lo,
            "ci_hi": outcome.ci_hi, "reason": outcome.reason}  # fmt: skip
