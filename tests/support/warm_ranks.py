"""Whole fine-tunings of several ranks that start in no time: one process imports everything, and forks for each.

The stage's command, its supervisor and the signals between them are real; only a rank is a fork instead of a fresh
interpreter.
"""

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from tasks import __main__ as entry
from tasks.runtime import config, ranks
from tasks.runtime.parent import die_with_parent
from tasks.settings.resources import ranks_of

Prepare = Callable[[int], None]  # called with a rank's number in each rank, before its work


def start(
    argv: Sequence[str], tree: Path, output: Path, prepare: Prepare | None = None, env: Mapping[str, str] | None = None
) -> ForkServerProcess:
    """`python -m tasks …` in the folder `tree`, with its lines in the file `output`."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.support.warm_ranks_imports"])
    started = context.Process(target=_stage, args=(list(argv), tree, output, prepare, dict(env or {})))
    started.start()
    return started


def _stage(argv: list[str], tree: Path, output: Path, prepare: Prepare | None, env: dict[str, str]) -> None:
    os.chdir(tree)
    _speak_to(output)
    os.environ.update({"PALMS_CACHE": str(tree / "cache"), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", **env})
    ranks.start = partial(_fork, argv, prepare)
    _work(argv, None if ranks_of(argv, config.read_params()) else prepare, 0)


def _fork(
    argv: list[str], prepare: Prepare | None, _command: Sequence[str], env: Mapping[str, str], log: Path | None
) -> ranks.Process:
    """What `ranks.start` does, by a fork."""
    here = os.getpid()
    pid = os.fork()
    if pid == 0:
        die_with_parent(here)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.environ.update(env)
        if log:
            _speak_to(log)
        _work(argv, prepare, int(env["RANK"]))
    rank = subprocess.Popen.__new__(subprocess.Popen)
    rank.pid, rank.returncode, rank.args, rank._waitpid_lock = pid, None, argv, threading.Lock()
    rank.stdin = rank.stdout = rank.stderr = None
    rank._child_created = True
    return rank


def _work(argv: list[str], prepare: Prepare | None, number: int) -> None:
    """Runs the stage, or supervises it, and ends this process."""
    code = 1
    try:
        if prepare:
            prepare(number)
        code = entry.main(argv)
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _speak_to(path: Path) -> None:
    """Output goes to the end of the file."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(file, stream)
    sys.stdout, sys.stderr = (open(stream, "w", buffering=1, closefd=False) for stream in (1, 2))  # noqa: SIM115
