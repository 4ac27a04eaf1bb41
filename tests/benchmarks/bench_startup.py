"""What a stage's process pays before it works, in wall and processor seconds.

`python -m tests.benchmarks.bench_startup [--rounds 3] [--quick]`: each stage of dvc.yaml is started as DVC starts it
and ended where its work begins: at the call of the stage's `main` (Python, imports, params.yaml, fingerprints of code
and inputs), and for the stages that run a model once more at the model's first call (reading the inputs, opening the
model). One thread a process. The second needs a finished sweep's inputs in data/made; without them it is left out.

`--imports STAGE` prints what the imports of one stage cost, in wall seconds by package, and who brings each in.

Five minutes on two cores.
"""

import argparse
import importlib
import json
import os
import re
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from tests.benchmarks import side_by_side
from tests.benchmarks.side_by_side import ROOT, spread

MAIN, MODEL = "main", "model"  # where a stage's work begins
BEGUN = "PALMS_BENCH_BEGUN"
LINE = re.compile(r"import time:\s+(\d+) \|\s+\d+ \|(\s+)(\S+)")  # of `python -X importtime`


def stages() -> dict[str, list[str]]:
    """The arguments of `python -m tasks` by stage, for the first of each kind that dvc.yaml has."""
    from flows import dag

    commands: dict[str, list[str]] = {}
    for stage in dag.read(ROOT):
        words = stage.cmd.split()
        if words[:3] == ["python", "-m", "tasks"]:
            commands.setdefault(stage.group, words[3:])
    return commands


def begin(argv: Sequence[str], place: str) -> int:
    """In a process of its own: runs a stage until its work begins at `place`, and prints what that took."""
    from tasks import __main__ as command

    stdout, original = os.dup(1), importlib.import_module
    os.dup2(2, 1)

    def stop(*_arguments: Any, **_options: Any) -> NoReturn:
        times = {"wall": time.monotonic() - float(os.environ[BEGUN]), "cpu": time.process_time()}
        os.write(stdout, json.dumps(times).encode())
        os._exit(0)

    def importing(name: str, package: str | None = None) -> Any:
        module = original(name, package)
        if name == f"tasks.{argv[0]}" and place == MAIN:
            module.main = stop  # type: ignore[attr-defined]
        return module

    if place == MODEL:  # a stage may import it late
        original("torch").nn.Module.__call__ = stop
    importlib.import_module = importing
    return command.main(argv)


def turn(argv: Sequence[str], place: str) -> dict[str, float] | None:
    """What one start took; None if the stage ended before it ran a model."""
    words = [sys.executable, "-m", "tests.benchmarks.bench_startup", "--until", place, *argv]
    env = {**os.environ, "OMP_NUM_THREADS": "1", BEGUN: str(time.monotonic())}
    done = subprocess.run(words, cwd=ROOT, env=env, capture_output=True, check=False)
    if place == MAIN and done.returncode:
        raise SystemExit(f"{done.stderr.decode()}error: {argv[0]} did not start")
    return json.loads(done.stdout) if done.stdout else None


def runs_a_model(argv: Sequence[str]) -> bool:
    """Whether the stage reads a model that is there."""
    paths = [Path(argv[argv.index(flag) + 1]) for flag in ("--checkpoint", "--base") if flag in argv]
    return any((ROOT / path / "config.json").exists() for path in paths) and argv[0] != "fetch"


def imports(stage: str) -> str:
    """What the stage's imports cost, by package: self times of all modules, and who first asked for the package."""
    code = f"import tasks.__main__, tasks.{stage}"
    done = subprocess.run([sys.executable, "-X", "importtime", "-c", code], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    packages, askers = defaultdict(float), {}
    above: dict[int, str] = {}
    for line in reversed(done.stderr.splitlines()):  # a module is listed after those that it imports
        if match := LINE.match(line):
            depth, name = len(match[2]), match[3]
            package = name.split(".")[0]
            packages[package] += int(match[1]) / 1e6
            above[depth] = name
            chain = [above[level] for level in sorted(above) if level < depth]
            if not chain or chain[-1].split(".")[0] != package:
                askers[package] = " < ".join(reversed(chain[-4:]))
    order = sorted(packages, key=lambda package: -packages[package])[:20]
    return "\n".join(f"{packages[name]:6.2f} s  {name:<16} {askers.get(name, '')}" for name in order)


def table(results: Mapping[str, Mapping[str, Sequence[Mapping[str, float]]]]) -> str:
    """A Markdown table: a row a stage."""
    rows = [["stage", "until `main`, s", "CPU s", "until the model's first call, s", "CPU s"]]
    rows.append(["---", *["---:"] * 4])
    for stage, places in results.items():
        row = [stage]
        for place in (MAIN, MODEL):
            starts = places.get(place, ())
            row += [spread([start[what] for start in starts]) if starts else "" for what in ("wall", "cpu")]
        rows.append(row)
    return side_by_side.markdown(rows)


def main() -> int:
    """Prints a table of the stages."""
    if sys.argv[1:2] == ["--until"]:
        return begin(sys.argv[3:], sys.argv[2])
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.bench_startup")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one round: whether it runs")
    parser.add_argument("--imports", metavar="STAGE", help="what one stage's imports cost, and nothing else")
    parser.add_argument("stages", nargs="*", help="only these (all)")
    arguments = parser.parse_args()
    if arguments.imports:
        print(imports(arguments.imports))
        return 0
    chosen = {name: argv for name, argv in stages().items() if not arguments.stages or name in arguments.stages}
    results: dict[str, dict[str, list[dict[str, float]]]] = {name: defaultdict(list) for name in chosen}
    rounds = 1 if arguments.quick else arguments.rounds
    for number, name in side_by_side.alternating(list(chosen), rounds):
        for place in (MAIN, MODEL) if runs_a_model(chosen[name]) else (MAIN,):
            if start := turn(chosen[name], place):
                results[name][place].append(start)
        print(f"round {number} of {rounds}: {name} is done", file=sys.stderr, flush=True)
    print(f"start-up by stage, one thread; {rounds} rounds; median (least–greatest)")
    print(side_by_side.machine())
    print(table(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
