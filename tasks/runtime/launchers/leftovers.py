"""Ends the jobs of a working tree whose holder is gone: a killed sweep's, or those of a machine that went down."""

import shutil
import time
from pathlib import Path

from tasks.runtime.launchers import Launcher
from tasks.runtime.launchers.files import BEAT, FOLDER, HARD, Holder, Lease, Task
from tasks.runtime.launchers.slurm import Slurm
from tasks.runtime.launchers.ssh import Ssh
from tasks.runtime.validation import parse

KINDS: dict[str, type[Launcher]] = {"slurm": Slurm, "ssh": Ssh}


def end_leftovers(root: Path, seconds: float | None = None) -> list[str]:
    """Ends them, and waits until nothing of them runs: for as long as their leases allow, or `seconds`. Returns the
    names of jobs that may still run."""
    left = []
    for folder in sorted((root / FOLDER).glob("*")):
        holder = Holder.read(folder)
        if holder is None:  # killed before it launched anything
            shutil.rmtree(folder, ignore_errors=True)
        elif not holder.alive(folder):
            Lease(folder).stop()
            left.append((holder, folder))
    began = time.monotonic()
    return [holder.name for holder, folder in left if not _end(holder, folder, began, seconds)]


def _end(holder: Holder, folder: Path, began: float, seconds: float | None) -> bool:
    launcher, problems = parse(KINDS[holder.launcher["kind"]], holder.launcher, "run.json")
    assert not problems, problems
    launcher.cancel(holder.name)
    longest = launcher.lease_seconds + HARD + 2 * BEAT if seconds is None else seconds
    while True:
        state = launcher.state(holder.name)
        runs = any(Task(folder, number).runs() for number in range(len(list(folder.glob("task.*")))))
        if state is not None and (state.ended or (state.over and not runs)):
            shutil.rmtree(folder, ignore_errors=True)
            return True
        if time.monotonic() - began > longest:
            ended = seconds is None and state is not None and state.over  # its lease has made it end itself
            if ended:
                shutil.rmtree(folder, ignore_errors=True)
            return ended
        time.sleep(0.2)
