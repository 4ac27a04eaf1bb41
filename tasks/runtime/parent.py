"""A child that does not outlive its parent."""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int | None = None, signum: int = signal.SIGTERM) -> None:
    """Asks the kernel to send `signum` to this process when its parent dies (Linux; elsewhere nothing).

    DVC and Prefect leave a stage running when they are killed; a stage without a reader only wastes the
    machine and may overwrite what the next run makes. `parent` is the process id of the parent where it may have
    died already. It counts from the thread that forked: that thread must live as long as the child should.
    """
    if not sys.platform.startswith("linux"):
        return
    expected = os.getppid() if parent is None else parent
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(signum), 0, 0, 0)
    if os.getppid() != expected:  # it died before the kernel knew
        os.kill(os.getpid(), signum)
