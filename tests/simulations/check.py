"""`python -m tests.simulations.check`: each figure beside its bound (docs/method.md, "Checked by simulation").

Seeded. Exit code 1 if a figure is outside. The full form repeats as often as the bounds need; the quick one is
for continuous integration and has the same bounds.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Iterator

from tests.simulations import simulations, text_simulations
from tests.simulations.degenerate import degenerate
from tests.simulations.references import Figure, references

Check = Callable[[], Iterator[Figure]]


def checks(quick: bool) -> dict[str, Check]:
    """The checks by title; `quick` repeats less."""
    def reps(full: int, short: int) -> int:
        return short if quick else full

    return {
        "reference values": references,
        "constant, missing and all-tied input": degenerate,
        "family-wise error": lambda: simulations.family_wise(reps(20_000, 4_000)),
        "coverage": lambda: simulations.coverage(reps(20_000, 4_000), reps(4_000, 1_500)),
        "seeds": lambda: simulations.seed_spread(reps(20_000, 4_000)),
        "trend": lambda: simulations.model_shocks(reps(20_000, 4_000)),
        "losses": lambda: simulations.losses(reps(4_000, 1_000)),
        "ratings as independent": lambda: simulations.independent_ratings(reps(4_000, 500)),
        "words": lambda: text_simulations.permutation(reps(2_000, 400)),
        "divergence": lambda: text_simulations.no_change(reps(60, 5), reps(200, 100)),
        "length": lambda: text_simulations.equal_chunks(reps(20_000, 4_000)),
    }


def show(figures: Iterable[Figure]) -> Iterator[bool]:
    """Print each figure beside its bounds; yield whether it holds."""
    for figure in figures:
        mark = "ok     " if figure.holds else "OUTSIDE"
        print(f"  {mark} {figure.value:10.4f}   [{figure.low:.4f}, {figure.high:.4f}]   {figure.name}", flush=True)
        yield figure.holds


def main(arguments: list[str] | None = None) -> int:
    """Run the checks; 0 if every figure holds, else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulations.check", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    quick = parser.parse_args(arguments).quick
    held: list[bool] = []
    for title, check in checks(quick).items():
        start = time.monotonic()
        print(title)
        held += show(check())
        print(f"  ({time.monotonic() - start:.1f} s)")
    print(f"{sum(held)} of {len(held)} figures hold")
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
