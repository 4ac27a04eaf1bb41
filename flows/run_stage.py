"""Run one stage through DVC: `python -m flows.run_stage finetune@smollm2-135m-values`.

The flow starts one such process per stage. It dies with the flow, ends whatever the stage started when it is
told to stop or when DVC is gone, and passes DVC's lines on. Exit codes: 0, 1 when the work failed, 2 when the
stage found its input wrong, 128 + the signal that stopped it.
"""

import argparse
import contextlib
import math
import os
import re
import select
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from types import FrameType

from flows.lines import Splitter
from flows.processes import PARENT, STAGE_MARK, end_stage
from tasks.runtime import machine
from tasks.runtime.parent import die_with_parent

# DVC's advice on what to type next: right for a person, noise in a log.
_ADVICE = (
    "To track the changes with git, run:",
    "git add ",
    "To enable auto staging, run:",
    "dvc config core.autostage",
    "Use `dvc push` to send your updates",
    "Generating lock file '",
    "Updating lock file '",
)
_AFTERWARDS = 2.0  # seconds


class Stopped(BaseException):
    """A signal asked this process to stop."""

    def __init__(self, signum: int) -> None:
        self.signum = signum


class Verdict:
    """What DVC's lines say about a stage; its exit status does not tell `cached` from `ran`, nor 1 from 2."""

    def __init__(self, stage: str) -> None:
        name = re.escape(stage)
        self._telling = re.compile(rf"(?P<ran>Running stage '{name}')|Stage '{name}' (didn't change|is cached)")
        self.outcome: str | None = None  # "cached" or "ran", by the first of DVC's lines that tells
        self.command_code: int | None = None  # how the stage's own command ended, negative for a signal

    def hear(self, line: str) -> None:
        """Take in one line of output."""
        if self.outcome is None and (match := self._telling.match(line)):
            self.outcome = "ran" if match["ran"] else "cached"
        if line.startswith("ERROR: ") and (code := re.search(r", exited with (-?\d+)$", line)):
            self.command_code = int(code[1])

    def exit_code(self, dvc_code: int) -> int:
        """0, 1 or 2, as `tasks.runtime.errors` has them, for DVC's exit status `dvc_code`."""
        if dvc_code == 0:
            return 0
        return 2 if self.command_code == 2 else 1


def main(argv: list[str] | None = None) -> int:
    """Run the stage named on the command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m flows.run_stage", description="Run one stage with DVC.")
    parser.add_argument("stage", help="as dvc.yaml names it, e.g. finetune@smollm2-135m-values")
    stage = parser.parse_args(argv).stage
    machine.prepare()
    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(signum, _stop)
    try:
        die_with_parent(int(os.environ.get(PARENT) or os.getppid()))
        return run(stage)
    except Stopped as stopped:
        return 128 + stopped.signum


def run(stage: str) -> int:
    """Run `stage`, print its lines, and leave no process of it behind; returns the exit code."""
    run_id = os.environ.setdefault(STAGE_MARK, uuid.uuid4().hex)
    here = os.getpid()
    dvc: subprocess.Popen[bytes] | None = None
    try:
        dvc = subprocess.Popen(
            [sys.executable, "-m", "dvc", "--wait-for-lock", "repro", "--single-item", stage],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            preexec_fn=lambda: die_with_parent(here),
        )
        verdict = Verdict(stage)
        for line in lines(dvc):
            verdict.hear(line)
            if not line.strip().startswith(_ADVICE):
                # A flow that was killed reads no more; the signal that ends this process is on its way.
                with contextlib.suppress(BrokenPipeError):
                    print(line, flush=True)
        code = dvc.wait()
        if code < 0:  # whatever it ran may have failed for that alone
            hint = "; was there memory enough?" if code == -signal.SIGKILL else ""
            print(f"error: DVC was killed by {signal.Signals(-code).name}{hint}", flush=True)
        return verdict.exit_code(code)
    finally:
        end_stage(run_id, dvc.pid if dvc else None)


def _stop(signum: int, _frame: FrameType | None) -> None:
    for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)  # once is enough: what follows is bounded in time
    raise Stopped(signum)


def lines(process: subprocess.Popen[bytes]) -> Iterator[str]:
    """The lines of `process`, until it is gone: what it left in the background may hold its pipe open.

    What a process that is gone left there may write for ever: it is heard for `_AFTERWARDS` only.
    """
    assert process.stdout is not None
    splitter, deadline = Splitter(), math.inf
    with process.stdout as pipe:
        while time.monotonic() < deadline:
            ready, _, _ = select.select([pipe], [], [], 0.5)
            if ready:
                if not (chunk := os.read(pipe.fileno(), 65_536)):
                    break
                yield from splitter.feed(chunk)
            if process.poll() is not None:
                if not ready:
                    break
                deadline = min(deadline, time.monotonic() + _AFTERWARDS)
    yield from splitter.rest()


if __name__ == "__main__":
    sys.exit(main())
