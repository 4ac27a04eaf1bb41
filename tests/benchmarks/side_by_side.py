"""Several ways to do the same work, side by side: each in a process of its own, in turns, as rates and ratios.

A benchmark hands `compare` its module and the names of its arms; `compare` starts `python -m <module> --arm NAME` for
each arm and round, in the order of the arms and then in the reverse, and so on, so that a machine that becomes slower
is no arm's loss. The arm does the work once and prints what it was as its last line (`report`).
"""

import argparse
import functools
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tasks.runtime import launch

ROOT = Path(__file__).parents[2]
MODEL = "smollm2-135m"
GIGABYTE = 1e9


@dataclass(frozen=True)
class Work:
    """What one arm did in one round."""

    tokens: int
    seconds: float
    cpu_seconds: float  # of processor time, of all threads
    peak_bytes: int  # the highest memory of the process, from its start
    precision: str  # what products of matrices were computed in

    @property
    def rate(self) -> float:
        """Tokens a second."""
        return self.tokens / self.seconds

    @property
    def cpu_rate(self) -> float:
        """Tokens a second of processor time, which a busy machine changes less."""
        return self.tokens / self.cpu_seconds


class Clock:
    """Wall and processor seconds from the first `start` to the last `stop`."""

    def __init__(self) -> None:
        self._first: tuple[float, float] | None = None
        self._last = (0.0, 0.0)

    def start(self) -> None:
        if self._first is None:
            self._first = (time.perf_counter(), time.process_time())

    def stop(self) -> None:
        self._last = (time.perf_counter(), time.process_time())

    @contextmanager
    def calls(self, owner: Any, name: str) -> Iterator[None]:
        """Times from the first call of the method `owner.name` to the end of the last."""
        original = getattr(owner, name)

        @functools.wraps(original)  # who asks for the signature gets the original's
        def timed(*arguments: Any, **options: Any) -> Any:
            self.start()
            result = original(*arguments, **options)
            self.stop()
            return result

        setattr(owner, name, timed)
        try:
            yield
        finally:
            setattr(owner, name, original)

    def work(self, tokens: int, precision: str) -> Work:
        """What was done in that time."""
        if self._first is None:
            raise RuntimeError("the work that is timed was never done")
        seconds, cpu = (last - first for first, last in zip(self._first, self._last, strict=True))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        return Work(tokens, seconds, cpu, peak, precision)


def parse(module: str, what: str, rounds: int) -> argparse.Namespace:
    """The flags of a benchmark: --rounds, --quick, --threads, and --arm with --setting in an arm's own process."""
    parser = argparse.ArgumentParser(prog=f"python -m tests.benchmarks.{module}", description=what)
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--quick", action="store_true", help="one round of little work: whether it runs, no figures")
    parser.add_argument("--threads", type=int, default=launch.cores(), help="of each process (all cores)")
    parser.add_argument("--arm", help=argparse.SUPPRESS)
    parser.add_argument("--setting", type=json.loads, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.rounds = 1
    return arguments


def alternating(names: Sequence[str], rounds: int) -> Iterator[tuple[int, str]]:
    """The round (from 1) and the arm of each turn; every other round goes backwards."""
    for number in range(1, rounds + 1):
        for name in names if number % 2 else reversed(names):
            yield number, name


def compare(
    module: str, settings: Mapping[str, Mapping[str, Any]], rounds: int, threads: int
) -> dict[str, list[Work]]:
    """What each arm did in each round; `settings` maps an arm to what its process is told."""
    results: dict[str, list[Work]] = {name: [] for name in settings}
    for number, name in alternating(list(settings), rounds):
        work = turn(module, name, settings[name], threads)
        print(f"round {number} of {rounds}: {name}: {work.rate:.1f} tokens/s", file=sys.stderr, flush=True)
        results[name].append(work)
    return results


def turn(module: str, arm: str, setting: Mapping[str, Any], threads: int) -> Work:
    """One arm's work, in a process of its own. Ends the benchmark with the arm's own words if it fails."""
    command = [sys.executable, "-m", f"tests.benchmarks.{module}", "--arm", arm, "--setting", json.dumps(setting)]
    with tempfile.TemporaryFile("w+") as log:
        streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": log, "text": True}
        done = subprocess.run(command, cwd=ROOT, env=environment(threads), **streams, check=False)
        if done.returncode:
            log.seek(0)
            raise SystemExit(f"{log.read()}error: the arm '{arm}' failed with exit code {done.returncode}")
    return Work(**json.loads(done.stdout.splitlines()[-1]))


def environment(threads: int) -> dict[str, str]:
    """This environment with so many threads, without anybody's settings of how they wait, and without a hub."""
    neutral = {name: value for name, value in os.environ.items() if name not in launch.CHOICES}
    return {**neutral, "OMP_NUM_THREADS": str(threads), "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}


def report(arm: Callable[[], Work]) -> int:
    """Does an arm's work and prints it as the last line; whatever else is printed meanwhile goes to stderr."""
    stdout = os.dup(1)
    os.dup2(2, 1)
    with os.fdopen(stdout, "w") as parent:
        print(json.dumps(asdict(arm())), file=parent)
    return 0


def as_a_stage() -> None:
    """Sets the environment as `python -m tasks` does, which must be before torch is imported."""
    from tasks.__main__ import ENVIRONMENT

    os.environ |= ENVIRONMENT | launch.environment()


def base_model() -> Path:
    """The folder of SmolLM2-135M; the stage `fetch` makes it if it is not there."""
    folder = ROOT / "data" / "made" / "models" / MODEL / "base"
    if not folder.exists():
        stage = [sys.executable, "-m", "dvc", "repro", "--single-item", f"fetch@{MODEL}"]
        if subprocess.run(stage, cwd=ROOT, check=False).returncode:
            raise SystemExit(f"error: {folder}: no model, and the stage fetch could not make it")
    return folder


def machine() -> str:
    """The machine and the versions of what decides its speed, in a line."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text("utf-8").splitlines() if info.exists() else []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), None)
    packages = ("torch", "transformers", "dvc", "prefect")
    versions = ", ".join(f"{package} {version(package)}" for package in packages)
    return f"{model or platform.machine()}, {launch.cores()} cores, Python {platform.python_version()}, {versions}"


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Median, least and greatest: `2.10 (1.98–2.31)`."""
    middle, least, most = statistics.median(values), min(values), max(values)
    return f"{middle:.{digits}f} ({least:.{digits}f}–{most:.{digits}f})"


def table(results: Mapping[str, Sequence[Work]], ours: str) -> str:
    """A Markdown table: rates, memory, and how many times faster `ours` is than each arm of the same round."""
    rows = [
        ["arm", "tokens", "precision", "tokens/s", "tokens/CPU s", "peak memory, GB", "ours faster by", "by CPU s"],
        ["---"] + ["---:"] + ["---"] + ["---:"] * 5,
    ]
    for name, works in results.items():
        pairs = list(zip(results[ours], works, strict=True))
        row = [name, str(works[0].tokens), works[0].precision]
        row += [spread([work.rate for work in works], 1), spread([work.cpu_rate for work in works], 1)]
        row.append(f"{max(work.peak_bytes for work in works) / GIGABYTE:.1f}")
        if name != ours:
            row.append(spread([mine.rate / theirs.rate for mine, theirs in pairs]))
            row.append(spread([mine.cpu_rate / theirs.cpu_rate for mine, theirs in pairs]))
        rows.append(row + [""] * (len(rows[0]) - len(row)))
    return markdown(rows)


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """Rows as the lines of a Markdown table."""
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
