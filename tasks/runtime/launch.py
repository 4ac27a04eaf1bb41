"""How a stage's process takes its share of the machine: the number of its threads, and how they wait."""

import os

MODEL_STAGES = 2  # that share the cores of a machine without a GPU
# A thread that waits for the others looks again so many times before it sleeps. With OpenMP's own 300,000, two
# trainings of two threads on two cores made 0.030 steps a second each; with 1,000 they made 0.096, and one alone 0.163
# against 0.167 (one round of tests/benchmarks/bench_threads.py).
WAITING = {"GOMP_SPINCOUNT": "1000"}
CHOICES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")  # the variables that say how threads wait


def environment() -> dict[str, str]:
    """What OpenMP reads once, when a stage first imports torch; how threads wait is the user's choice, if made."""
    chosen = any(os.environ.get(name) for name in CHOICES)
    return {"OMP_NUM_THREADS": str(threads()), **({} if chosen else WAITING)}


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
