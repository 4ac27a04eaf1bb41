"""Run one stage through DVC: `python -m flows.run_stage finetune@smollm2-135m-values`.

The flow has one such process forked per stage (`flows.fork_server`). It dies with its parent, ends whatever the stage
started when it is told to stop or when DVC is gone, and passes DVC's lines on. DVC runs in a process forked from it.
Exit codes: 0, 1 when the work failed, 2 when the stage found its input wrong, 128 + the signal that stopped it.
"""

import contextlib
import importlib
import math
import os
import re
import select
import signal
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from functools import partial
from types import FrameType
from typing import IO, Protocol

import psutil

from flows.lines import Splitter
from flows.processes import PARENT, STAGE_MARK, STOPPING, end_stage, fork, name_process
from tasks.runtime import machine
from tasks.runtime.imports import importing
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
_USED_BY_DVC = (
    *("dvc.repo", "dvc.repo.artifacts", "dvc.repo.datasets", "dvc.repo.graph", "dvc.repo.metrics", "dvc.repo.params"),
    *("dvc.repo.plots", "dvc.repo.reproduce", "dvc.repo.stage", "dvc.data_cloud", "dvc.daemon", "dvc.lock"),
    *("dvc.rwlock", "dvc.stage.cache", "dvc.stage.run", "dvc.utils.strictyaml", "ruamel.yaml", "dulwich.index"),
    "dulwich.worktree",
    *("dvc_data.hashfile.db.local", "dvc_data.hashfile.status", "fsspec.implementations.memory"),
)


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


def main(stage: str) -> int:
    """Run `stage` until it ends or a signal comes; returns the exit code."""
    machine.prepare()
    try:
        for signum in STOPPING:
            signal.signal(signum, _stop)
        die_with_parent(int(os.environ.get(PARENT) or os.getppid()))
        return run(stage)
    except Stopped as stopped:
        return 128 + stopped.signum


def run(stage: str) -> int:
    """Run `stage`, print its lines, and leave no process of it behind; returns the exit code."""
    run_id = os.environ.setdefault(STAGE_MARK, uuid.uuid4().hex)
    dvc: _Dvc | None = None
    try:
        dvc = _Dvc("--wait-for-lock", "repro", "--single-item", stage)
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
        if dvc:
            dvc.poll()  # what nobody asks for stays in the process list, and DVC takes it for one that holds its locks


class _Dvc:
    """DVC at work in a forked process: what it prints is read from `stdout`."""

    def __init__(self, *arguments: str) -> None:
        read, write = os.pipe()
        self.pid = fork(partial(_run_dvc, arguments, read, write, os.getpid()))
        os.close(write)
        self.stdout: IO[bytes] | None = os.fdopen(read, "rb")
        self._code: int | None = None

    def poll(self) -> int | None:
        """The exit code, negative for a signal, or None while it runs."""
        return self._reap(os.WNOHANG)

    def wait(self) -> int:
        """The exit code, once it has ended."""
        code = self._reap(0)
        assert code is not None
        return code

    def _reap(self, options: int) -> int | None:
        if self._code is None:
            pid, status = os.waitpid(self.pid, options)
            self._code = os.waitstatus_to_exitcode(status) if pid else None
        return self._code


def _run_dvc(arguments: Sequence[str], read: int, write: int, parent: int) -> int:
    from dvc.cli import main as dvc

    die_with_parent(parent)
    name_process("dvc")
    os.dup2(write, 1)
    os.dup2(write, 2)
    os.close(read)
    os.close(write)
    # DVC writes this beside its locks; the process list shows it, too, and so `tree_lock` knows who holds them.
    sys.argv = psutil.Process().cmdline()
    return int(dvc(list(arguments)))


def import_dvc() -> None:
    """Imports what `dvc repro` needs, which is not imported by DVC until it is used."""
    with importing():
        from dvc.cli import parse_args

        parse_args(["repro"])
        for name in _USED_BY_DVC:
            with contextlib.suppress(ImportError):  # of another version, which imports it when it needs it
                importlib.import_module(name)


def _stop(signum: int, _frame: FrameType | None) -> None:
    for each in STOPPING:
        signal.signal(each, signal.SIG_IGN)  # once is enough: what follows is bounded in time
    raise Stopped(signum)


class Printing(Protocol):
    """A process whose output is read."""

    stdout: IO[bytes] | None

    def poll(self) -> int | None:
        """The exit code, or None while it runs."""


def lines(process: Printing) -> Iterator[str]:
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
    sys.exit(main(sys.argv[1]))
