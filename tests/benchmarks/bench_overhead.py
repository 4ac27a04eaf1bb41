"""What DVC and Prefect cost a stage, beside running its command by hand.

`python -m tests.benchmarks.bench_overhead [--rounds 3] [--quick]`: a graph of stages that each copy a line, run by
hand (a shell for each command), by `dvc repro` and by `palms sweep`, and the latter two once more when nothing is to
do. Each is measured with one stage and with twenty-one, as many as the default sweep has, so that what each further
stage adds can be told from what a call costs. `palms sweep` starts a Prefect server of its own, whose database is
there already. Processor seconds are of all processes.

Then what it costs when nothing is to do in the project's own graph with five models, for whose outputs a line of text
stands: `dvc status`, `dvc repro`, and `palms sweep` without a server and with one that runs.

Six minutes on two cores.
"""

import argparse
import contextlib
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from flows import dag
from flows.server import answers
from tests.benchmarks import side_by_side
from tests.benchmarks.side_by_side import ROOT, spread

ONE, MANY, QUICK_MANY = 1, 21, 3
MODELS = 5
DVC, PALMS = [sys.executable, "-m", "dvc"], [sys.executable, "-m", "flows.cli"]


@dataclass(frozen=True)
class Cost:
    """What a call took, in seconds."""

    wall: float
    cpu: float


def command(number: int) -> str:
    """What a stage does."""
    return f"mkdir -p out && cp in.txt out/{number}.txt"


def make(tree: Path, stages: int) -> Path:
    """A DVC working tree with so many stages."""
    entry = "  s{0}:\n    cmd: {1}\n    deps: [in.txt]\n    outs: [out/{0}.txt]\n    meta: {{slot: cpu}}\n"
    return set_up(tree, "stages:\n" + "".join(entry.format(number, command(number)) for number in range(stages)))


def set_up(tree: Path, graph: str) -> Path:
    """A DVC working tree with this dvc.yaml, whose stages may depend on `in.txt`."""
    tree.mkdir(parents=True, exist_ok=True)
    (tree / "in.txt").write_text("a line\n")
    (tree / ".gitignore").write_text("/out/\n")
    (tree / "params.yaml").write_text("{}\n")
    (tree / "dvc.yaml").write_text(graph)
    for words in (["git", "init", "-q"], [*DVC, "init", "-q"]):
        subprocess.run(words, cwd=tree, env=environment(tree), check=True)
    return tree


def environment(tree: Path) -> dict[str, str]:
    """This environment without anybody's settings of Prefect, and with a home for it beside the tree."""
    neutral = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "PALMS_"))}
    quiet = {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1", "DVC_NO_ANALYTICS": "1"}
    return {**neutral, **quiet, "PREFECT_HOME": str(tree.parent / "prefect"), "PYTHONPATH": str(ROOT)}


def run(words: Sequence[str], tree: Path, **more: str) -> None:
    """Runs a command in the tree. Ends the benchmark with what it said if it fails."""
    env = environment(tree) | more
    done = subprocess.run(words, cwd=tree, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{done.stdout}{done.stderr}error: {' '.join(words)}: exit code {done.returncode}")


def by_hand(tree: Path, stages: int) -> None:
    """Each command in a shell of its own, as DVC starts it."""
    for number in range(stages):
        run(["sh", "-c", command(number)], tree)


def blank(tree: Path) -> None:
    """Makes the tree one in which nothing has run, with nothing that DVC could restore."""
    for name in ("out", "dvc.lock", ".dvc/cache", ".dvc/tmp"):
        subprocess.run(["rm", "-rf", name], cwd=tree, check=True)


def cost(work: Callable[[], None]) -> Cost:
    """What `work` took, itself and all processes that ended in it."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    work()
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Cost(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


WAYS: dict[str, Callable[[Path, int], None]] = {
    "by hand": by_hand,
    "dvc repro": lambda tree, _: run([*DVC, "repro", "-q"], tree),
    "palms sweep": lambda tree, _: run([*PALMS, "sweep"], tree),
}


def measure(folder: Path, sizes: Sequence[int], rounds: int) -> dict[tuple[str, int], list[Cost]]:
    """What each way costs on graphs of each size, by (way, stages); `… again` when nothing is to do."""
    trees = {size: make(folder / str(size) / "tree", size) for size in sizes}
    for tree in trees.values():  # Prefect makes its database, and Python compiles modules
        run([*PALMS, "sweep"], tree)
    results: dict[tuple[str, int], list[Cost]] = defaultdict(list)
    for number, way in side_by_side.alternating(list(WAYS), rounds):
        for size, tree in trees.items():
            blank(tree)
            for name in (way, f"{way} again") if way != "by hand" else (way,):
                results[name, size].append(cost(lambda way=way, tree=tree, size=size: WAYS[way](tree, size)))
        print(f"round {number} of {rounds}: {way} is done", file=sys.stderr, flush=True)
    return results


def make_whole(tree: Path) -> int:
    """The project's graph with five models, finished; returns how many stages it has."""
    tree.mkdir(parents=True)
    for name in ("tasks", "data"):  # what the stages depend on
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__", "made"))
    for name in (".gitignore", ".dvcignore"):
        shutil.copy(ROOT / name, tree / name)
    graph, params = (yaml.safe_load((ROOT / name).read_text("utf-8")) for name in ("dvc.yaml", "params.yaml"))
    params["sweep"]["models"] = list(params["models"])[:MODELS]
    for stage in graph["stages"].values():
        body = stage.get("do", stage)
        body["cmd"] = f"python -m tasks {' '.join(outs_of(body))}"  # it is never run
    (tree / "dvc.yaml").write_text(yaml.safe_dump(graph, sort_keys=False), "utf-8")
    (tree / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), "utf-8")
    for words in (["git", "init", "-q"], [*DVC, "init", "-q"]):
        run(words, tree)
    stages = dag.read(tree)
    deps = {dep for stage in graph["stages"].values() for dep in stage.get("do", stage).get("deps", [])}
    for out in [out for stage in stages for out in stage.cmd.split()[3:]]:
        for path in [dep for dep in deps if dep.startswith(f"{out}/")] or [out]:  # some depend on a file of a folder
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).write_text(f"{path}\n")
    run([*DVC, "commit", "--force", "--quiet"], tree)
    return len(stages)


def outs_of(body: dict[str, Any]) -> Iterable[str]:
    """The paths of a stage's outputs, metrics and plots, as dvc.yaml writes them."""
    for out in [out for key in ("outs", "metrics", "plots") for out in body.get(key, [])]:
        yield out if isinstance(out, str) else next(iter(out))


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[str]:
    """A Prefect server as `make ui` starts it; yields its API's URL."""
    home, url = folder / "server:memory:", "http://127.0.0.1:4917/api"
    words = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", "4917"]
    env = environment(folder / "tree") | {"PREFECT_HOME": str(home), "PREFECT_API_URL": url}
    with subprocess.Popen(words, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            while not answers(url):
                time.sleep(0.2)
            yield url
        finally:
            server.terminate()


def idle(folder: Path, rounds: int) -> str:
    """A Markdown table of what it costs to find that nothing is to do."""
    tree = folder / "whole" / "tree"
    stages = make_whole(tree)
    with serving(folder / "whole") as url:
        ways: dict[str, Callable[[], None]] = {
            "dvc status": lambda: run([*DVC, "status", "-q"], tree),
            "dvc repro": lambda: run([*DVC, "repro", "-q"], tree),
            "palms sweep": lambda: run([*PALMS, "sweep"], tree),
            "palms sweep, with a server": lambda: run([*PALMS, "sweep"], tree, PREFECT_API_URL=url),
        }
        costs: dict[str, list[Cost]] = defaultdict(list)
        for way in ways.values():
            way()
        for _, name in side_by_side.alternating(list(ways), rounds):
            costs[name].append(cost(ways[name]))
    rows = [[f"{stages} stages, nothing to do", "s", "CPU s"], ["---", "---:", "---:"]]
    for name, each in costs.items():
        rows.append([name, spread([one.wall for one in each], 1), spread([one.cpu for one in each], 1)])
    return side_by_side.markdown(rows)


def table(results: dict[tuple[str, int], list[Cost]], few: int, many: int) -> str:
    """A Markdown table: what a call costs with one stage, and what each further stage adds."""
    rows = [["", f"{few} stage, s", f"{many} stages, s", f"{many} stages, CPU s", "a stage more, s", "CPU s"]]
    rows.append(["---", *["---:"] * (len(rows[0]) - 1)])
    for name in dict.fromkeys(name for name, _ in results):
        pairs = list(zip(results[name, few], results[name, many], strict=True))
        wall = [(more.wall - less.wall) / (many - few) for less, more in pairs]
        cpu = [(more.cpu - less.cpu) / (many - few) for less, more in pairs]
        whole = [spread([each.wall for each in results[name, size]], 1) for size in (few, many)]
        rows.append([name, *whole, spread([more.cpu for _, more in pairs], 1), spread(wall), spread(cpu)])
    return side_by_side.markdown(rows)


def main() -> int:
    """Prints a table of the ways."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.bench_overhead")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one round of three stages: whether it runs, no figures")
    arguments = parser.parse_args()
    rounds, many = (1, QUICK_MANY) if arguments.quick else (arguments.rounds, MANY)
    with tempfile.TemporaryDirectory(prefix="palms-bench-") as folder:
        results = measure(Path(folder), (ONE, many), rounds)
        nothing_to_do = idle(Path(folder), rounds)
    print(f"overhead of stages that do nothing; {rounds} rounds; median (least–greatest)")
    print(side_by_side.machine())
    print(table(results, ONE, many))
    print(nothing_to_do)
    return 0


if __name__ == "__main__":
    sys.exit(main())
