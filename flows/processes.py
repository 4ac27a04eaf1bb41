"""The processes of a stage: how they are found, and ended to the last one.

Each carries two marks in its environment, so that it is found again whatever became of its parent, its process
group or its session (torchrun gives each worker a session of its own).
"""

import contextlib
import os
import time
from collections.abc import Callable

import psutil

STAGE_MARK = "PALMS_STAGE_RUN"  # one id per run of one stage
TREE_MARK = "PALMS_TREE"  # the working tree that it works in
PARENT = "PALMS_PARENT"  # the process id of the flow

GRACE = 3.0  # seconds between SIGTERM and SIGKILL


def marked(mark: str, value: str) -> list[psutil.Process]:
    """The live processes of this user, but for the calling one, that carry `mark=value`."""
    processes = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.environ().get(mark) == value:
                processes.append(process)
    return processes


def end_stage(run_id: str, dvc: int | None) -> None:
    """End every process of stage run `run_id`: SIGTERM, `GRACE` seconds, SIGKILL.

    `dvc` is the process id of DVC. While it has no command running it is left alone until the grace is over,
    for then it writes dvc.lock and the cache, and a half-written dvc.lock stops every later run.
    """
    terminated: set[int] = set()

    def terminate() -> bool:
        alive = marked(STAGE_MARK, run_id)
        working = any(process.pid != dvc for process in alive)
        for process in alive:
            if working and process.pid not in terminated:
                terminated.add(process.pid)
                with contextlib.suppress(psutil.Error):
                    process.terminate()
        return not alive

    if not until(terminate, GRACE):
        kill(lambda: marked(STAGE_MARK, run_id))


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
