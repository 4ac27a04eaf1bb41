"""Per-item results of one checkpoint: from the harness's samples to a table."""

import hashlib
import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from tasks.runtime.errors import WorkError

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
    """One row an item with `COLUMNS`, in the tasks' own order; of several filters of a task the first counts.

    Raises WorkError for a task without items, or with a likelihood that is not a number.
    """
    rows = []
    for task, of_task in samples.items():
        first_filter = [sample for sample in of_task if sample["filter"] == of_task[0]["filter"]]
        rows += [{"task": task} | _row(sample) for sample in sorted(first_filter, key=lambda s: s["doc_id"])]
        _check_answers(task, [sample["filtered_resps"] for sample in first_filter])
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def _check_answers(task: str, answers: Sequence[Sequence[Any]]) -> None:
    """Raises WorkError where figures would be of nothing: no items, or a likelihood that is no number.

    Says so where every answer is an empty text, which a model may give and which a wrong `until` gives too.
    """
    if not answers:
        raise WorkError(f"task '{task}': no items are left to ask; look at its `process_docs`")
    values = [value[0] if isinstance(value, tuple | list) else value for of_item in answers for value in of_item]
    if undefined := sum(isinstance(value, float) and math.isnan(value) for value in values):
        raise WorkError(
            f"task '{task}': {undefined} of {len(values)} likelihoods are not a number; the model's weights are "
            "damaged, or fine-tuning diverged: lower its learning rate"
        )
    if all(isinstance(value, str) and not value.strip() for value in values):
        notice = f"all {len(values)} answers are empty; look at its `generation_kwargs.until`"
        print(f"capability: task '{task}': {notice}", file=sys.stderr, flush=True)


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
