"""What runs in the job: `python -m tasks.runtime.launchers.job FOLDER STAGE …` runs `python -m tasks STAGE …`.

It ends the stage when its lease is over, and writes how the stage ended into the folder of the run, whatever that was.
"""

import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType

from tasks.runtime import ranks
from tasks.runtime.launchers.files import BEAT, HARD, STOP, Holder, Lease, Task
from tasks.runtime.parent import die_with_parent

_NOT_BEGUN = 143  # exit code of a job that nobody waits for


def main(argv: Sequence[str]) -> int:
    """Runs the stage; returns its exit code, 128 and the signal where one ended it."""
    folder, number = Path(argv[0]), int(os.environ.get("SLURM_PROCID", "0"))
    holder, task, lease = Holder.read(folder), Task(folder, number), Lease(folder)
    if holder is None or lease.read() == STOP:
        print("error: nobody waits for this job", file=sys.stderr, flush=True)
        return _NOT_BEGUN
    die_with_parent()
    host, job = os.environ.get("SLURMD_NODENAME") or platform.node(), os.environ.get("SLURM_JOB_ID")
    place = {"host": host, "job": job}
    task.write(**place)
    if number == 0:
        print(f"job {job} on {host}" if job else f"on {host}", flush=True)
    stage = _Stage([sys.executable, "-m", "tasks", *argv[1:]], {**os.environ, **_meeting()})
    code = stage.wait(lease, float(holder.launcher["lease_seconds"]))
    paths = [word for word in argv if "/" in word and Path(word).exists()]
    task.write(**place, code=code, paths=paths)
    return code if code >= 0 else 128 - code


def _meeting() -> Mapping[str, str]:
    """What the tasks of one stage on several nodes need to find each other, as ranks."""
    tasks, nodes = (int(os.environ.get(name, "1")) for name in ("SLURM_NTASKS", "SLURM_JOB_NUM_NODES"))
    return ranks.over_nodes(tasks // nodes) if tasks > 1 else {}


class _Stage:
    """The stage's process, a child of this one."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str]) -> None:
        self._signalled: float | None = None
        for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(signum, self._hear)
        here = os.getpid()
        self._process = subprocess.Popen(command, env=env, preexec_fn=lambda: die_with_parent(here))

    def _hear(self, _signum: int, _frame: FrameType | None) -> None:
        self._signalled = self._signalled or time.monotonic()

    def wait(self, lease: Lease, seconds: float) -> int:
        """Until the stage has ended, by itself or because the lease was not renewed for so long."""
        seen, since, looked = lease.read(), time.monotonic(), time.monotonic()
        while True:
            try:
                return self._process.wait(0.2)
            except subprocess.TimeoutExpired:
                now = time.monotonic()
            if self._signalled and now - self._signalled > 1.0:  # Slurm has told all processes, others only this one
                self._process.terminate()
                self._signalled = float("inf")
            if now - looked < BEAT:
                continue
            looked, content = now, lease.read()
            if content is not None and content != seen:
                seen, since = content, now
            if content == STOP or now - since > seconds:
                return self._end()

    def _end(self) -> int:
        print("error: nobody waits for this job any more; ending it", file=sys.stderr, flush=True)
        self._process.terminate()
        try:
            return self._process.wait(HARD)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
