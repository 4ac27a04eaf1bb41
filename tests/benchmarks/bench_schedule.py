"""How soon a large sweep begins, and how much longer than it must a sweep takes.

`python -m tests.benchmarks.bench_schedule [--rounds 3] [--quick]`

*Start*: seconds from `palms sweep` to the first command of a stage, in a graph of one stage and in one of 300, with a
Prefect server that runs and without one.

*Makespan*: a ladder of three models whose stages only sleep, in two places, from the first start of a command to the
last end. Beside it the bound that no schedule can undercut: the longest chain or, if that is more, half of the work.

Eight minutes on two cores.
"""

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks import side_by_side
from tests.benchmarks.bench_overhead import PALMS, blank, environment, make, run, serving, set_up
from tests.benchmarks.side_by_side import spread

MANY, QUICK_MANY = 300, 5
SIZES = {"small": 0.5, "medium": 1.0, "large": 2.0}  # how long a model's stages take, of what stands in CHAIN
CHAIN = {"train": 10.0, "generate": 8.0, "score": 3.0}  # seconds; each follows the one before it
ARMS = ("values", "control")
LAST = 2.0  # seconds of the stage that follows all


def to_first_command(tree: Path, **more: str) -> float:
    """Seconds until the first stage of `tree` has been at work; the sweep is ended then."""
    blank(tree)
    env, began = environment(tree) | more, time.perf_counter()
    with subprocess.Popen(
        [*PALMS, "sweep"], cwd=tree, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as sweep:
        while not (tree / "out").exists():
            if sweep.poll() is not None:
                raise SystemExit(f"{sweep.communicate()[0].decode()}error: the sweep ended before its first stage")
            time.sleep(0.01)
        seconds = time.perf_counter() - began
        sweep.send_signal(signal.SIGTERM)
        sweep.communicate()
    return seconds


def starts(folder: Path, many: int, rounds: int) -> str:
    """A Markdown table of how soon the first command runs."""
    trees = {size: make(folder / str(size) / "tree", size) for size in (1, many)}
    rows = [["to the first command, s", *(f"{size} stage{'s' * (size > 1)}" for size in trees)]]
    rows.append(["---", *["---:"] * len(trees)])
    for tree in trees.values():
        to_first_command(tree)  # Prefect makes its database, and Python compiles modules
    own = {size: [to_first_command(tree) for _ in range(rounds)] for size, tree in trees.items()}
    with serving(folder / "1") as url:
        running = {size: [to_first_command(tree, PREFECT_API_URL=url) for _ in range(rounds)]
                   for size, tree in trees.items()}  # fmt: skip
    for title, seconds in (("palms sweep", own), ("palms sweep, with a server", running)):
        rows.append([title, *(spread(each, 1) for each in seconds.values())])
    return side_by_side.markdown(rows)


def ladder(scale: float) -> dict[str, tuple[float, Sequence[str]]]:
    """Stage -> its seconds and the stages that it follows."""
    stages: dict[str, tuple[float, Sequence[str]]] = {}
    for size, factor in SIZES.items():
        for arm in ARMS:
            before: list[str] = []
            for name, seconds in CHAIN.items():
                stages[f"{name}-{size}-{arm}"] = (scale * factor * seconds, list(before))
                before = [f"{name}-{size}-{arm}"]
    return stages | {"last": (scale * LAST, [name for name in stages if name.startswith("score")])}


def bound(stages: dict[str, tuple[float, Sequence[str]]], places: int) -> float:
    """Seconds that no schedule can undercut."""
    ends: dict[str, float] = {}
    for name, (seconds, ups) in stages.items():
        ends[name] = seconds + max((ends[up] for up in ups), default=0.0)
    return max(max(ends.values()), sum(seconds for seconds, _ in stages.values()) / places)


def makespan(folder: Path, stages: dict[str, tuple[float, Sequence[str]]], places: int) -> float:
    """Seconds from the first start of a command to the last end."""
    tree = folder / "tree"
    tree.mkdir(parents=True)
    graph = "stages:\n"
    for name, (seconds, ups) in stages.items():
        deps = "".join(f", {up}.txt" for up in ups)
        command = f"date +%s.%N >> times && sleep {seconds:g} && date +%s.%N >> times && touch {name}.txt"
        graph += f'  {name}:\n    cmd: "{command}"\n    deps: [in.txt{deps}]\n    outs: [{name}.txt]\n'
        graph += "    meta: {slot: cpu}\n"
    set_up(tree, graph)
    run([*PALMS, "sweep"], tree, PALMS_SLOTS=f"cpu={places}")
    times = [float(line) for line in (tree / "times").read_text().split()]
    return max(times) - min(times)


def main() -> int:
    """Prints two tables."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.bench_schedule")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one small round: whether it runs, no figures")
    arguments = parser.parse_args()
    rounds, many, scale = (1, QUICK_MANY, 0.05) if arguments.quick else (arguments.rounds, MANY, 1.0)
    stages, places = ladder(scale), 2
    with tempfile.TemporaryDirectory(prefix="palms-bench-") as name:
        first = starts(Path(name) / "starts", many, rounds)
        took = [makespan(Path(name) / f"makespan{number}", stages, places) for number in range(rounds)]
    least = bound(stages, places)
    print(f"{rounds} rounds; median (least–greatest)")
    print(side_by_side.machine())
    print(first)
    rows = [[f"{len(stages)} stages in {places} places", "makespan, s", "bound, s", "ratio"],
            ["---", "---:", "---:", "---:"],
            ["palms sweep", spread(took, 1), f"{least:.1f}", spread([each / least for each in took])]]  # fmt: skip
    print(side_by_side.markdown(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
