"""What the checkpoints' capability results say together: the input of the tests, and the change on running text."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from tasks.formats.checkpoints import BASE, Checkpoint, Source
from tasks.formats.tables import read_table
from tasks.harness.items import ITEMS, RESULTS
from tasks.runtime.errors import InputError
from tasks.runtime.files import read_json
from tasks.settings.capability import CapabilityRun, Margin
from tasks.stats.capability import ITEM_COLUMNS

CHECKPOINT = ["model", "params", "arm", "dataset"]


def read_items(folder: Path, ladder: Sequence[Checkpoint], sources: Mapping[str, Source]) -> pd.DataFrame:
    """Every checkpoint's items, with `model`, `params`, `arm`, `dataset` and `seed`.

    Raises InputError where an arm was not asked what the first arm of its model was asked (version of the harness
    or a task, few-shot examples, precision, number of items).
    """
    parts = []
    asked: dict[str, tuple[str, dict[str, Any]]] = {}
    for checkpoint in ladder:
        path = folder / checkpoint.model / checkpoint.arm
        how = _asked(read_json(path / RESULTS))
        first_arm, first = asked.setdefault(checkpoint.model, (checkpoint.arm, how))
        if differing := sorted(key for key in {*how, *first} if how.get(key) != first.get(key)):
            raise InputError(f"{path / RESULTS}: {differing[0]} is not that of arm '{first_arm}'; run both again")
        items = read_table(path / ITEMS).drop(columns="model").assign(arm=checkpoint.arm, dataset=checkpoint.dataset)
        size = sources[checkpoint.model].parameters
        parts.append(items.assign(model=checkpoint.model, params=size, seed=checkpoint.seed))
    return pd.concat(parts, ignore_index=True)


def _asked(results: Mapping[str, Any]) -> dict[str, Any]:
    about = ("version", "num_fewshot", "items")
    tasks = {f"{name}.{key}": task[key] for name, task in results["tasks"].items() for key in about}
    return {key: results[key] for key in ("harness", "precision")} | tasks


def items_with_metric(items: pd.DataFrame, margins: Mapping[str, Margin], run: CapabilityRun) -> pd.DataFrame:
    """The items of tasks that are right or wrong, as `tasks.stats.capability.capability` takes them.

    A set with an entry in `margins` of which every task was run stands there as one more task, with all items.
    Raises InputError for a task without an entry: its margin would be chosen after the data were seen.
    """
    scored = items[items["acc"].notna()]
    tasks = list(scored["task"].unique())
    if unknown := [name for name in tasks if name not in margins]:
        raise InputError(
            f"params.yaml: capability.margins: no entry for task '{unknown[0]}'; set its margin beforehand"
        )
    parts = [_right(scored, name, margins[name].metric) for name in tasks]
    parts += [_pooled(parts, name, run.sets[name]) for name in sets_with_margin(tasks, margins, run)]
    columns = [*ITEM_COLUMNS, "seed", "cluster"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def sets_with_margin(tasks: Iterable[str], margins: Mapping[str, Margin], run: CapabilityRun) -> list[str]:
    """The sets that were run, have an entry in `margins` and hold one of the `tasks` at least."""
    known = set(tasks)
    return [name for name in run.sets if name in margins and name in run.tasks and known & set(run.sets[name])]


def _right(scored: pd.DataFrame, task: str, metric: str) -> pd.DataFrame:
    part = scored[scored["task"] == task]
    if part[metric].isna().all():
        raise InputError(f"params.yaml: capability.margins.{task}.metric: the task reports no {metric}")
    return part.assign(correct=part[metric])


def _pooled(parts: Iterable[pd.DataFrame], name: str, tasks: Sequence[str]) -> pd.DataFrame:
    """The items of the tasks under one name; each counts once, so that longer tasks weigh more.

    Ids and passages are those of a task: two tasks may use the same names.
    """
    items = pd.concat([part for part in parts if part["task"].iloc[0] in tasks], ignore_index=True)
    of_task = {key: items["task"] + "/" + items[key] for key in ("item_id", "cluster")}
    return items.assign(task=name, **of_task)


def document_table(items: pd.DataFrame) -> pd.DataFrame:
    """One row a document and tuned arm, after `task`, `CHECKPOINT` and `item_id`: mean log-likelihood per byte in nats
    of the arm (`nats_per_byte`) and of base (`nats_per_byte_base`), and `diff`, below zero where it fell."""
    texts = items[items["bytes"].notna()].copy()
    texts["nats_per_byte"] = [sum(values) for values in texts["loglik"]] / texts["bytes"].astype("float64")
    keys = ["task", "model", "item_id"]
    base = texts[texts["dataset"] == BASE].set_index(keys)["nats_per_byte"].rename("nats_per_byte_base")
    tuned = texts[texts["dataset"] != BASE].join(base, on=keys)
    tuned["diff"] = tuned["nats_per_byte"] - tuned["nats_per_byte_base"]
    return tuned[["task", *CHECKPOINT, "item_id", "nats_per_byte", "nats_per_byte_base", "diff"]].reset_index(drop=True)
