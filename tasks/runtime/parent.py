"""A child that does not outlive its parent."""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Asks the kernel to send SIGTERM to this process when its parent dies (Linux; elsewhere nothing).

    DVC and Prefect leave a stage running when they are killed; a stage without a reader only wastes the
    machine and may overwrite what the next run makes.
    """
    if not sys.platform.startswith("linux"):
        return
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it died before the kernel knew
        os.kill(os.getpid(), signal.SIGTERM)
