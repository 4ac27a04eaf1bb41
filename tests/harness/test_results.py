"""From the harness's samples to tables: items, sets as a whole, documents."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tasks.formats.checkpoints import BASE, Checkpoint, Source
from tasks.harness.items import ITEMS, RESULTS, item_table
from tasks.harness.results import document_table, items_with_metric, read_items
from tasks.runtime.errors import InputError
from tasks.settings.capability import CapabilityRun, Margin

LADDER = [Checkpoint("tiny", BASE, BASE, 0), Checkpoint("tiny", "values", "values", 1)]
SOURCES = {"tiny": Source("tiny", "tiny", "none", 1000)}


def sample(number: int, **fields: Any) -> dict[str, Any]:
    answers = [(-1.0, False), (-2.0, False)]
    return {"doc_id": number, "doc": {}, "filter": "none", "filtered_resps": answers, "acc": 1.0} | fields


def write_results(folder: Path, arm: str, samples: dict[str, Any]) -> None:
    """What the stage would leave for an arm whose harness answered `samples`."""
    made = folder / "tiny" / arm
    made.mkdir(parents=True)
    item_table(samples).assign(model="tiny", arm=arm).to_parquet(made / ITEMS)
    tasks = {name: {"version": 1, "num_fewshot": 0, "items": len(of_task)} for name, of_task in samples.items()}
    (made / RESULTS).write_text(json.dumps({"harness": "1", "precision": "fp32", "tasks": tasks}), "utf-8")


def test_items_of_tasks_that_are_not_ours() -> None:
    """A passage without a name makes a cluster; of two filters the first counts; an open answer may be right."""
    about = [sample(n, doc={"passage": text}, acc_norm=0.0) for n, text in enumerate(("one", "one", "two"))]
    generated = [
        {"doc_id": 0, "doc": {}, "filter": name, "filtered_resps": ["42"], "exact_match": right}
        for name, right in (("strict", 1), ("flexible", 0))
    ]
    table = item_table({"asked": about, "written": generated})
    assert table["item_id"].tolist() == ["0", "1", "2", "0"]
    assert table["cluster"].nunique() == 2
    assert table["cluster"].isna().tolist() == [False, False, False, True]
    assert table["acc"].tolist() == [1, 1, 1, 1]
    assert table["acc_norm"].isna().tolist() == [False, False, False, True]
    assert table["choices"].tolist() == [2, 2, 2, pd.NA]


def test_a_set_is_tested_as_a_whole_too(tmp_path: Path) -> None:
    samples = {"a": [sample(n, doc={"id": f"i{n}"}) for n in range(3)], "b": [sample(0, acc_norm=0.0)]}
    for checkpoint in LADDER:
        write_results(tmp_path, checkpoint.arm, samples)
    items = read_items(tmp_path, LADDER, SOURCES)
    run = CapabilityRun(("both",), {"both": ("a", "b"), "other": ("a",)}, None, 1)
    margins = {name: Margin("acc", 0.5, 0.1) for name in ("a", "b", "both", "other")}
    table = items_with_metric(items, margins | {"b": Margin("acc_norm", 0.5, 0.1)}, run)
    assert table.groupby("task", sort=False)["correct"].agg(["size", "sum"]).to_dict("index") == {
        "a": {"size": 6, "sum": 6},
        "b": {"size": 2, "sum": 0},
        "both": {"size": 8, "sum": 6},
    }
    with pytest.raises(InputError, match="reports no acc_norm"):
        items_with_metric(items, margins | {"a": Margin("acc_norm", 0.5, 0.1)}, run)


def test_documents_are_compared_per_byte(tmp_path: Path) -> None:
    for arm, loglik in ((BASE, -50.0), ("values", -60.0)):
        document = sample(0, doc={"id": "d"}, filtered_resps=[loglik], bits_per_byte=(loglik, 100))
        del document["acc"]
        write_results(tmp_path, arm, {"text": [document]})
    (row,) = document_table(read_items(tmp_path, LADDER, SOURCES)).to_dict("records")
    assert (row["arm"], row["nats_per_byte"], row["nats_per_byte_base"]) == ("values", -0.6, -0.5)
    assert row["diff"] == pytest.approx(-0.1)
