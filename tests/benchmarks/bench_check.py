"""How long `palms check` takes, and how that grows with the datasets.

`python -m tests.benchmarks.bench_check`: three rounds side by side, made-up datasets of nine categories and of
twenty-seven (81 samples each of values and control, the size of the project's own), then the project's own files.
Every text is compared with every other, so three times the size may cost up to nine times as much.
"""

import sys
import tempfile
import time
from io import StringIO
from pathlib import Path

from rich.console import Console

from tasks.curation.check import check_tree
from tests.support import data_trees

ROOT = Path(__file__).parents[2]
ROUNDS, FEWER, MORE = 3, 9, 27


def seconds(tree: Path) -> float:
    """Processor time of one check of `tree`, which must find no problem."""
    console = Console(file=StringIO(), width=160)
    started = time.process_time()
    code = check_tree(tree, console=console)
    took = time.process_time() - started
    if code:
        raise SystemExit(f"error: {tree}: palms check found problems; mend them first")
    return took


def main() -> int:
    """Prints a line a round."""
    with tempfile.TemporaryDirectory() as folder:
        small, large = (
            data_trees.project(Path(folder) / str(size), [f"c{n}" for n in range(size)]) for size in (FEWER, MORE)
        )
        for number in range(ROUNDS):
            few, many, own = seconds(small), seconds(large), seconds(ROOT)
            grown = f"{many / few:.1f} times as long for {MORE / FEWER:.0f} times the size"
            print(f"round {number + 1}: {few:.2f} s, {many:.2f} s, {grown}; the project's own {own:.2f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
