"""How a stage's process reaches its hardware.

What a stage needs stands in params.yaml under `resources`, which no stage tracks, so that moving to another
machine never makes a result stale. Here a stage runs in place. This is the one place where a launcher
(torchrun, srun) re-executes the stage instead; it imports no torch.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from tasks.runtime import config
from tasks.settings.resources import FinetuneResources, Resources

MODEL_STAGES = 2  # that share the cores of a machine without a GPU


def finetune_resources(params: Mapping[str, Any], model: str) -> FinetuneResources:
    """The entry `resources.finetune.<model>`, or `resources.finetune.default`."""
    entries = config.section(params, "resources", Resources).finetune
    return entries.get(model, entries["default"])


def elsewhere(stage: str, argv: Sequence[str], params: Mapping[str, Any]) -> int | None:
    """Runs the stage through a launcher and returns its exit code; None where it runs in place."""
    del stage, argv, params
    return None


def threads() -> int:
    """CPU threads of this stage: OMP_NUM_THREADS if it is set, else its share of the cores.

    Sums are taken in another order with another number of threads, which changes the last digits of a model's
    weights: so a stage has the same number by hand as in a sweep, although by hand it is alone.
    """
    if (wanted := os.environ.get("OMP_NUM_THREADS", "")).isdigit() and int(wanted) > 0:
        return int(wanted)
    return max(1, cores() // MODEL_STAGES)


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
