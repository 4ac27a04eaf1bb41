"""How many threads a stage's process takes of its machine."""

import os

MODEL_STAGES = 2  # that share the cores of a machine without a GPU


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
