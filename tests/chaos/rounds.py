"""A round of chaos: a sweep, one SIGKILL at a random moment, and the sweep once more.

Nothing is mocked. What must hold after every kill: the sweep ends by itself and leaves no process, one further sweep
completes, what it made equals an undisturbed sweep's, no finished stage ran again, and no half-written file is left.
"""

import contextlib
import random
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import yaml

from tests.support.flow_trees import PALMS, Tree

# kind -> what the command line of its processes holds or, of those that are forked, their name
KINDS = {
    "flow": "flows.cli sweep",
    "server": "-m flows.server",
    "fork server": "palms-fork",
    "supervisor": "palms-stage",
    "dvc": "dvc",
    "stage": "-m tasks ",
}
FORKED = {"fork server", "supervisor", "dvc"}
STEP = {"step": "launchers.job", "srun": "srun --"}
PAGE = "data/made/report"
END = 300.0  # seconds in which a disturbed sweep must have ended
LEFT = 15.0  # seconds after which no process of it may be left


@dataclass
class Round:
    """What happened: `problems` is empty if all held."""

    kind: str
    moment: str
    killed: str = "nothing"
    code: int | None = None
    seconds: float = 0.0
    again_seconds: float = 0.0
    finished: set[str] = field(default_factory=set)  # before the kill's sweep ended
    problems: list[str] = field(default_factory=list)
    output: str = ""

    def __str__(self) -> str:
        verdict = "; ".join(self.problems) or "all well"
        return (
            f"killed {self.killed} {self.moment}: ended with {self.code} after {self.seconds:.0f} s, "
            f"{len(self.finished)} stages done; again {self.again_seconds:.0f} s: {verdict}"
        )


class Sweep:
    """A running `palms sweep`, its lines as they come."""

    def __init__(self, tree: Tree, targets: Sequence[str]) -> None:
        self.began = time.monotonic()
        self.process = tree.start([*PALMS, "sweep", "-v", *targets])
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        self.lines.extend(iter(self.process.stdout.readline, ""))

    def done(self) -> set[str]:
        """The stages that have run to their end."""
        matches = (re.match(r"\[ *\d+/\d+\] (\S+) done in", line) for line in list(self.lines))
        return {match[1] for match in matches if match}

    def wait(self, seconds: float) -> int | None:
        """The exit code; None if it has not ended by then."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)
            self._reader.join(5)
        return self.process.poll()


def lock(tree: Tree) -> dict[str, Any]:
    """Stage -> its entry in dvc.lock, whose order says nothing; none where a kill cut it off. Of the report its outputs
    are left out: the page says when it was made."""
    with contextlib.suppress(OSError, yaml.YAMLError, TypeError, KeyError):
        stages = yaml.safe_load((tree.root / "dvc.lock").read_text("utf-8"))["stages"]
        return {name: _without_page(entry) for name, entry in stages.items()}
    return {}


def _without_page(entry: dict[str, Any]) -> dict[str, Any]:
    return entry | {"outs": [out for out in entry.get("outs", []) if out["path"] != PAGE]}


def undisturbed(tree: Tree, targets: Sequence[str]) -> tuple[dict[str, Any], float]:
    """What a sweep of `tree` makes, and how long it takes."""
    sweep = Sweep(tree, targets)
    assert sweep.wait(1800) == 0, "".join(sweep.lines)
    return lock(tree), time.monotonic() - sweep.began


def disturb(
    tree: Tree,
    targets: Sequence[str],
    kind: str,
    rng: random.Random,
    longest: float,
    reference: dict[str, Any],
    left_over: Callable[[], list[str]] = list,
) -> Round:
    """One round in the fresh `tree`; `longest` is the time that an undisturbed sweep takes, and `left_over` names what
    else may not be left, such as jobs."""
    sweep = Sweep(tree, targets)
    round_ = Round(kind, _wait_for_moment(sweep, rng, longest))
    if victim := _victim(tree, sweep, kind, rng):
        round_.moment += f", at {time.monotonic() - sweep.began:.1f} s"
        with contextlib.suppress(psutil.Error):
            victim.kill()
            round_.killed = kind
    round_.code = sweep.wait(END)
    round_.seconds = time.monotonic() - sweep.began
    if round_.code is None:
        round_.problems.append(f"it hung for {END:.0f} s")
        sweep.process.kill()
    if left := tree.left_after(LEFT):
        round_.problems.append(f"left: {left}")
    round_.finished = sweep.done()
    told = any(re.search(r"error|failed|stopped|killed|unexpectedly", line) for line in sweep.lines)
    if round_.code and kind != "flow" and not told:
        round_.problems.append("no line says what happened")
    locked = set(lock(tree))
    again = Sweep(tree, targets)
    code = again.wait(1800)
    round_.again_seconds = time.monotonic() - again.began
    round_.output = "".join([*sweep.lines, "=== again\n", *again.lines])
    round_.problems += _compare(tree, code, again.done(), round_.finished | locked, reference, left_over)
    return round_


def _wait_for_moment(sweep: Sweep, rng: random.Random, longest: float) -> str:
    """Any moment, or one when DVC hashes, links, and writes dvc.lock."""
    if rng.random() < 0.5:
        sweep.wait(rng.uniform(1.0, 0.9 * longest))
        return "at any moment"
    after, pause = rng.randint(1, 3), rng.uniform(0.0, 1.5)
    while sweep.process.poll() is None and len(sweep.done()) < after:
        time.sleep(0.02)
    time.sleep(pause)
    return f"{pause:.1f} s after stage {after}"


def _victim(tree: Tree, sweep: Sweep, kind: str, rng: random.Random) -> psutil.Process | None:
    pattern = (KINDS | STEP)[kind]
    while sweep.process.poll() is None:
        matching = []
        for process in tree.processes():
            with contextlib.suppress(psutil.Error):
                line = process.cmdline()
                shell = "-c" in line[:2] and "sh" in process.name()
                if process.name() == pattern if kind in FORKED else pattern in " ".join(line) and not shell:
                    matching.append(process)
        if matching:
            return rng.choice(matching)
        time.sleep(0.02)
    return None


def _compare(
    tree: Tree,
    code: int | None,
    ran: set[str],
    finished: set[str],
    reference: dict[str, Any],
    left_over: Callable[[], list[str]],
) -> list[str]:
    problems = []
    if code != 0:
        problems.append(f"the sweep after it ended with {code}")
    here = lock(tree)
    if wrong := sorted(name for name in reference if here.get(name) != reference[name]):
        problems.append(f"other results: {wrong}")
    if twice := sorted(ran & finished):
        problems.append(f"ran again: {twice}")
    temporary = [path.name for path in tree.root.rglob("*.tmp") if not {".dvc", ".git"} & set(path.parts)]
    if temporary:
        problems.append(f"half-written: {temporary}")
    if "up to date" not in tree.dvc("status", *reference):
        problems.append("dvc status is not clean")
    if left := tree.left_after(LEFT):
        problems.append(f"left: {left}")
    if left := left_over():
        problems.append(f"left: {left}")
    return problems


def copy(tree: Tree, folder: Path) -> Tree:
    """A fresh copy of a tree that no sweep has worked in."""
    shutil.copytree(tree.root, folder, symlinks=True)
    return Tree(folder, dict(tree.env))
