"""capability: what a checkpoint still can, on tasks of lm-evaluation-harness.

`python -m tasks capability --model smollm2-135m --arm values --checkpoint … --tasks data/capability --results …`

Every item's result is kept, since the tests are paired by item: `items.parquet` (`tasks.harness.items.COLUMNS`),
and `results.json` with the harness's own figures, versions, few-shot settings, and the command of the harness
that repeats them.
"""

import math
from collections.abc import Mapping
from typing import Any

from tasks.harness.evaluation import HARNESS, SEEDS, Evaluation, command_line, load_tasks, run
from tasks.harness.items import ITEMS, RESULTS, item_table
from tasks.harness.task_files import check_task_file, read_task_files
from tasks.lm.models import open_model
from tasks.runtime.command import Command, Job
from tasks.runtime.errors import InputError
from tasks.runtime.files import atomic_write, write_json
from tasks.settings.capability import CapabilityRun

COMMAND = Command(
    help="Runs tasks of lm-evaluation-harness and keeps each item's result.",
    inputs={"checkpoint": "folder of the checkpoint", "tasks": "folder of task files and their items"},
    outputs={"results": "folder: items.parquet and results.json"},
    params=("capability.run",),
    names={"model": "a model of the ladder", "arm": "base or a tuned arm"},
)


def main(job: Job) -> None:
    """Loads the tasks, then the model once, and writes every item and the harness's figures."""
    config = job.section("capability.run", CapabilityRun)
    checkpoint, folder = job.path("checkpoint"), job.path("tasks")
    names = task_names(config)
    task_files = read_task_files(folder)
    for name in names:
        if name in task_files:
            check_task_file(task_files[name])
    tasks = load_tasks(names, folder, list(task_files))
    evaluation = run(open_model(checkpoint), tasks, config.num_fewshot, config.batch_size)
    items = item_table(evaluation.results["samples"])
    items.insert(0, "model", job.names["model"])
    items.insert(1, "arm", job.names["arm"])
    command = command_line(evaluation, names, checkpoint, folder)
    with atomic_write(job.path("results")) as made:
        made.mkdir()
        items.to_parquet(made / ITEMS, index=False)
        write_json(made / RESULTS, summary(evaluation, command))


def task_names(config: CapabilityRun) -> list[str]:
    """The tasks' names, each once: a set's name stands for its tasks. Raises InputError if there are none."""
    names = [name for entry in config.tasks for name in config.sets.get(entry, (entry,))]
    if not names:
        raise InputError("params.yaml: capability.run.tasks: expected a set's name or tasks of the harness")
    return list(dict.fromkeys(names))


def summary(evaluation: Evaluation, command: str) -> dict[str, Any]:
    """The harness's settings and its figures by task; no clock and no machine's name."""
    results = evaluation.results
    return {
        "harness": HARNESS,
        "precision": evaluation.precision,
        "batch_size": evaluation.batch_size,
        "seeds": SEEDS,
        "command": command,
        "tasks": {
            name: {
                "version": results["versions"].get(name),
                "num_fewshot": results["n-shot"].get(name),
                "items": len({sample["doc_id"] for sample in samples}),
                "figures": figures(results["results"][name]),
            }
            for name, samples in results["samples"].items()
        },
    }


def figures(metrics: Mapping[str, Any]) -> dict[str, float | None]:
    """The harness's aggregated metrics as `metric,filter`; null where it gives none. Standard errors are left to
    the paired tests."""
    return {
        name: float(value) if isinstance(value, int | float) and math.isfinite(value) else None
        for name, value in metrics.items()
        if "," in name and "_stderr," not in name
    }
