"""`python -m tests.simulations.check`: each figure beside its bound (docs/method.md, "Checked by simulation").

Seeded. Exit code 1 if a figure is outside. The full form repeats as often as the bounds need; the quick one, which the
test suite runs, has the same bounds.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from tests.simulations import (
    level_simulations,
    pair_simulations,
    rating_simulations,
    simulations,
    sweeps,
    text_simulations,
    trainings,
)
from tests.simulations.degenerate import degenerate
from tests.simulations.references import Figure, references

SIMULATIONS: dict[str, tuple[Callable[..., Iterator[Figure]], tuple[Any, ...], tuple[Any, ...]]] = {
    # how often in full, and in the quick form
    "family-wise error": (simulations.family_wise, (20_000,), (1_000,)),
    "coverage": (simulations.coverage, (20_000, 4_000), (2_000, 400)),
    "seeds": (simulations.seed_spread, (20_000,), (2_000,)),
    "trend": (simulations.model_shocks, (20_000,), (1_500,)),
    "pairs of answers": (pair_simulations.several_pairs, (20_000,), (2_000,)),
    "losses": (simulations.losses, (4_000,), (500,)),
    "ratings as independent": (simulations.independent_ratings, (4_000,), (100,)),
    "claims about the dataset": (level_simulations.dataset_claims, (20_000, (3, 5, 10)), (2_000, (3,))),
    "categories of several sizes": (level_simulations.unequal_categories, (20_000,), (2_000,)),
    "claims from ratings": (rating_simulations.claims, (10_000,), (600,)),
    "power of a plan of ratings": (rating_simulations.planned, (10_000,), (1_500,)),
    "ordinal model of ratings": (rating_simulations.ordinal, (1_000,), (12,)),
    "ratings in lots": (level_simulations.lots, (2_000,), (60,)),
    "words": (text_simulations.permutation, (2_000,), (75,)),
    "one skewed word": (text_simulations.one_skewed_word, (400,), (15,)),
    "divergence": (text_simulations.no_change, (60, 200), (2, 40)),
    "trainings": (trainings.known, (10,), (1,)),
    "length": (text_simulations.equal_chunks, (20_000,), (4_000,)),
}

# models, seeds, standard deviation between seeds in points
SWEEPS = ((1, 1, 0.0), (1, 1, 0.1), (1, 1, 0.2), (3, 3, 0.1), (3, 3, 0.2), (5, 3, 0.1), (5, 3, 0.2))
PLANTED = ((1, 1, 0.0), (3, 3, 0.1), (3, 3, 0.2), (5, 3, 0.1), (5, 3, 0.2))


def checks(*, quick: bool) -> dict[str, Callable[[], Iterator[Figure]]]:
    """The checks by title; `quick` repeats less."""
    simulated = {title: partial(run, *(short if quick else full)) for title, (run, full, short) in SIMULATIONS.items()}
    for models, seeds, seed_sd in SWEEPS:
        title = f"sweeps of {models} model{'s' * (models > 1)} and {seeds} seed{'s' * (seeds > 1)}, seed sd {seed_sd:g}"
        if not quick:
            simulated[title] = partial(sweeps.unchanged, 2_000, models, seeds, seed_sd)
        elif (models, seed_sd) == (3, 0.1):
            simulated[title] = partial(sweeps.unchanged, 30, models, seeds, seed_sd)
    for models, seeds, seed_sd in PLANTED if not quick else PLANTED[:1]:
        title = f"a planted effect at {models} x {seeds}, seed sd {seed_sd:g}"
        simulated[title] = partial(sweeps.planted, 60 if quick else 2_000, models, seeds, seed_sd)
    return {"reference values": references, "constant, missing and all-tied input": degenerate, **simulated}


def show(figures: Iterable[Figure]) -> Iterator[bool]:
    """Print each figure beside its bounds; yield whether it holds."""
    for figure in figures:
        mark = "ok     " if figure.holds else "OUTSIDE"
        print(f"  {mark} {figure.value:10.4f}   [{figure.low:.4f}, {figure.high:.4f}]   {figure.name}", flush=True)
        yield figure.holds


def main(arguments: list[str] | None = None) -> int:
    """Run the checks; 0 if every figure holds, else 1."""
    summary = (__doc__ or "").split("\n")[0]
    parser = argparse.ArgumentParser(prog="python -m tests.simulations.check", description=summary)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    held: list[bool] = []
    for title, check in checks(quick=parser.parse_args(arguments).quick).items():
        start = time.monotonic()
        print(title)
        held += show(check())
        print(f"  ({time.monotonic() - start:.1f} s)")
    print(f"{sum(held)} of {len(held)} figures hold")
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
