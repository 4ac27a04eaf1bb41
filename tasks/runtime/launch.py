"""How a stage's process takes its share of the machine: the number of its threads, and how they wait."""

import os

MEETING = "PALMS_RANKS_MEET"  # the variable that tells a rank where it meets the others; only ranks have it
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


def threads(ranks: int = 1) -> int:
    """CPU threads of this stage: OMP_NUM_THREADS if it is set, else its share of the cores; or those of each of its
    `ranks` on this machine, which never have more threads together than there are cores.

    Sums are taken in another order with another number of threads, which changes the last digits of a model's
    weights: so a stage has the same number by hand as in a sweep, although by hand it is alone.
    """
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    number = int(wanted) if wanted.isdigit() and int(wanted) > 0 else max(1, cores() // MODEL_STAGES)
    return number if ranks == 1 else max(1, min(number, cores() // ranks))


def rank() -> int:
    """The number of this process among those of its stage."""
    return int(os.environ["RANK"]) if MEETING in os.environ else 0


def is_rank() -> bool:
    """Whether this process is one of several that `ranks` started, or a single one that works as they do."""
    return MEETING in os.environ


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
