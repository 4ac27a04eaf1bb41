"""A child that does not outlive its parent."""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int | None = None, signum: int = signal.SIGTERM) -> None:
    """Has the kernel send `signum` to this process when its parent dies (Linux), also if it has died already.

    `parent` is the process id that the parent is known to have; without it, it is asked for. The signal comes when
    the thread ends that forked: that thread must live as long as the child should. DVC and Prefect leave a stage
    running when they are killed; a stage without a reader only wastes the machine and may overwrite what the next
    run makes.
    """
    expected = os.getppid() if parent is None else parent
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(signum), 0, 0, 0)
    if os.getppid() != expected:
        os.kill(os.getpid(), signum)
