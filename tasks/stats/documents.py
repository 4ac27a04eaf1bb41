"""Did a model's grasp of running text change? Paired by document: mean log-likelihood per byte, tuned against base."""

from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from tasks.stats.outcome import Floats
from tasks.stats.paired import sign_flip, stratified_t

CHECKPOINT = ("task", "model", "params", "arm", "dataset")
COLUMNS = (*CHECKPOINT, "mean_base", "mean", "diff", "se", "test", "stat", "df", "p", "ci_lo", "ci_hi", "p_signflip", "n",
           "n_missing", "reason")


def document_tests(documents: pd.DataFrame, *, confidence: float = 0.95, permutations: int = 10_000,
                   seed: int = 0) -> pd.DataFrame:
    """A row per task, model and tuned arm: the mean change in nats per byte, with its paired t and sign-flip p.

    `documents`: a row a document with `CHECKPOINT`, `nats_per_byte`, `nats_per_byte_base` and `diff` (tuned - base),
    null where one is missing. No p is corrected: these tests describe and are in no family.
    """
    rows: list[dict[str, Any]] = []
    for checkpoint, part in documents.groupby(list(CHECKPOINT), sort=False):
        diffs: Floats = part["diff"].to_numpy(np.float64)
        outcome = asdict(stratified_t(diffs, confidence=confidence))
        complete = part[part["diff"].notna()]
        rows.append(dict(zip(CHECKPOINT, checkpoint, strict=True)) | outcome | {
            "mean_base": float(complete["nats_per_byte_base"].mean()), "mean": float(complete["nats_per_byte"].mean()),
            "diff": outcome["estimate"], "p_signflip": sign_flip(diffs, permutations=permutations, seed=seed)})
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"reason": "str"})
