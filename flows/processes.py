"""The processes of a stage: how they are forked, found, and ended to the last one.

What a stage's command starts carries two marks in its environment, so that it is found again whatever became of its
parent, its process group or its session (torchrun gives each worker a session of its own). The process that leads a
stage and DVC are forked and show another's environment: they are known by their ids.
"""

import contextlib
import ctypes
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable

import psutil

STAGE_MARK = "PALMS_STAGE_RUN"  # one id per run of one stage
TREE_MARK = "PALMS_TREE"  # the working tree that it works in
PARENT = "PALMS_PARENT"  # the process id of the one that started it

STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)  # signals that ask a process to end
PR_SET_NAME, PR_SET_CHILD_SUBREAPER = 15, 36
GRACE = 3.0  # seconds between SIGTERM and SIGKILL


def marked(mark: str, value: str) -> list[psutil.Process]:
    """The live processes of this user, but for the calling one, that carry `mark=value`."""
    processes = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.environ().get(mark) == value:
                processes.append(process)
    return processes


def alive(pid: int) -> bool:
    """Whether there is such a process, and not only what is left of it until its parent asks how it ended."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def end_stage(run_id: str, dvc: int | None) -> None:
    """End every process of stage run `run_id` but the calling one: SIGTERM, `GRACE` seconds, SIGKILL.

    `dvc` is the process id of DVC. While it has no command running it is left alone until the grace is over,
    for then it writes dvc.lock and the cache, and a half-written dvc.lock stops every later run.
    """
    terminated: set[int] = set()

    def left() -> list[psutil.Process]:
        with contextlib.suppress(psutil.Error):
            if dvc is not None and alive(dvc):
                return [psutil.Process(dvc), *marked(STAGE_MARK, run_id)]
        return marked(STAGE_MARK, run_id)

    def terminate() -> bool:
        processes = left()
        working = any(process.pid != dvc for process in processes)
        for process in processes:
            if working and process.pid not in terminated:
                terminated.add(process.pid)
                with contextlib.suppress(psutil.Error):
                    process.terminate()
        return not processes

    if not until(terminate, GRACE):
        kill(left)


def fork(work: Callable[[], int]) -> int:
    """The id of a process that is a copy of this one, runs `work` alone, and exits with what it returns.

    Signals mean to it what they mean to a new Python process; those that came while it was forked are delivered then.
    """
    _flush()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    try:
        pid = os.fork()
    except OSError:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        raise
    if pid:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return pid
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        for signum in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
            signal.signal(signum, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        code = work()
    except BaseException:
        traceback.print_exc()
    finally:  # whatever happens, the caller's code does not go on in a second process
        try:
            _flush()
        finally:
            os._exit(code)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()


def name_process(name: str) -> None:
    """Has `ps` and `top` show this name of at most 15 characters: a forked process shows another's command line."""
    _prctl(PR_SET_NAME, name.encode())


def adopt_orphans() -> None:
    """Has what this process's descendants leave behind become its children (Linux): the first process of a container
    may never ask how they ended, and DVC takes an ended process that nobody asked about for one that holds a lock."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def _prctl(option: int, argument: int | bytes) -> None:
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(option, argument, 0, 0, 0)


def kill(find: Callable[[], list[psutil.Process]], seconds: float = 1.0) -> None:
    """SIGKILL what `find` finds until it finds nothing (it may fork meanwhile), for `seconds` at most."""

    def strike() -> bool:
        alive = find()
        for process in alive:
            with contextlib.suppress(psutil.Error):
                process.kill()
        return not alive

    until(strike, seconds, pause=0.05)


def until(done: Callable[[], bool], seconds: float, pause: float = 0.1) -> bool:
    """Wait until `done()`, for `seconds` at most; whether it came to that."""
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True
