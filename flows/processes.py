"""How a stage's processes die with the flow, and how all of them are ended.

Every process of a stage carries two marks in its environment, so that it is found again whatever became of
its parent, its process group or its session (torchrun gives each worker a session of its own).
"""

import contextlib
import ctypes
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import psutil

STAGE_MARK = "PALMS_STAGE_RUN"  # one id per run of one stage
TREE_MARK = "PALMS_TREE"  # the working tree that it works in
PARENT = "PALMS_PARENT"  # the process id of the flow
LAUNCHER = "PALMS_LAUNCHER"
LAUNCHER_CANCEL = "PALMS_LAUNCHER_CANCEL"

GRACE = 3.0  # seconds between SIGTERM and SIGKILL
CANCEL_TIME = 2.0  # seconds for the launcher's cancel command
_PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int, with_signal: signal.Signals) -> None:
    """Have the kernel send `with_signal` when process `parent` ends, also if it has ended already (Linux).

    It counts from the thread that forked: that thread must live as long as the child should.
    """
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(with_signal), 0, 0, 0)
    if os.getppid() != parent:
        os.kill(os.getpid(), with_signal)


def marked(mark: str, value: str) -> list[psutil.Process]:
    """The live processes of this user, but for the calling one, that carry `mark=value`."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.environ().get(mark) == value:
                found.append(process)
    return found


def end_stage(run_id: str, dvc: int | None, name: str) -> None:
    """End every process of stage run `run_id`: SIGTERM, `GRACE` seconds, the launcher's cancel, SIGKILL.

    `dvc` is the process id of DVC. While it has no command running it is left alone until the grace is over,
    for then it writes dvc.lock and the cache, and a half-written dvc.lock stops every later run.
    """
    told: set[int] = set()

    def tell(process: psutil.Process) -> None:
        if process.pid not in told:
            told.add(process.pid)
            process.terminate()

    def ask() -> bool:
        alive = marked(STAGE_MARK, run_id)
        working = [process for process in alive if process.pid != dvc]
        for process in alive if working else []:
            with contextlib.suppress(psutil.Error):
                tell(process)
        return not alive

    if not _until(ask, GRACE):
        launcher_cancel(name)
        kill(lambda: marked(STAGE_MARK, run_id))


def kill(find: Callable[[], list[psutil.Process]], seconds: float = 1.0) -> None:
    """SIGKILL what `find` finds until it finds nothing (it may fork meanwhile), for `seconds` at most."""

    def strike() -> bool:
        alive = find()
        for process in alive:
            with contextlib.suppress(psutil.Error):
                process.kill()
        return not alive

    _until(strike, seconds, pause=0.05)


def launcher_cancel(name: str) -> None:
    """Run the command in `PALMS_LAUNCHER_CANCEL` (`scancel --name {name}`), if it is set.

    SIGKILL to a cluster's launcher leaves its job running, so the cluster is told first.
    """
    template = os.environ.get(LAUNCHER_CANCEL)
    if not template:
        return
    command = [part.replace("{name}", name) for part in shlex.split(template)]
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        subprocess.run(command, timeout=CANCEL_TIME, stdin=subprocess.DEVNULL, check=False)


def _until(done: Callable[[], bool], seconds: float, pause: float = 0.1) -> bool:
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True
