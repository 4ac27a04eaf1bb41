"""Per-item results of one checkpoint: from the harness's samples to a table."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

ITEMS, RESULTS = "items.parquet", "results.json"
COLUMNS = {
    "task": "str",
    "item_id": "str",
    "cluster": "str",  # what items share (a passage); null where they share nothing
    "acc": "Float64",  # 1 right, 0 wrong, null where the task does not say
    "acc_norm": "Float64",  # the same with likelihoods divided by the answers' length, where the task reports it
    "choices": "Int64",  # answers to choose from; null where the answer is open
    "loglik": "object",  # of each answer, or of the document: sums over tokens, in nats
    "bytes": "Int64",  # of a document whose likelihood is measured
}
OPEN = ("exact_match", "exact", "em")  # what generative tasks call being right
DOCUMENT = ("bits_per_byte", "byte_perplexity")  # metrics that come as (log-likelihood, bytes)


def item_table(samples: Mapping[str, Sequence[Mapping[str, Any]]]) -> pd.DataFrame:
    """One row an item with `COLUMNS`, in the tasks' own order; of several filters of a task the first counts."""
    rows = []
    for task, of_task in samples.items():
        first_filter = [sample for sample in of_task if sample["filter"] == of_task[0]["filter"]]
        rows += [{"task": task} | _row(sample) for sample in sorted(first_filter, key=lambda s: s["doc_id"])]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def _row(sample: Mapping[str, Any]) -> dict[str, Any]:
    document, answers = sample["doc"], sample["filtered_resps"]
    logliks = [float(a[0]) if isinstance(a, tuple | list) else a for a in answers]
    accuracy = next((sample[name] for name in ("acc", *OPEN) if name in sample), None)
    return {
        "item_id": str(document.get("id", sample["doc_id"])),
        "cluster": document.get("cluster", _passage(document)),
        "acc": None if accuracy is None else float(accuracy),
        "acc_norm": sample.get("acc_norm"),
        "choices": len(answers) if len(answers) > 1 else None,
        "loglik": [value for value in logliks if isinstance(value, float)],
        "bytes": next((sample[name][1] for name in DOCUMENT if name in sample), None),
    }


def _passage(document: Mapping[str, Any]) -> str | None:
    """A name for the passage that an item of a hub's data set is about, where it has one."""
    passage = document.get("passage")
    return hashlib.sha256(passage.encode()).hexdigest()[:12] if isinstance(passage, str) else None
