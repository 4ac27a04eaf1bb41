"""Holds a job: starts it, renews its lease, waits, and says how it ended."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import FrameType

from tasks.runtime.launchers import INSIDE, Ending, Job, Launcher, State
from tasks.runtime.launchers.files import BEAT, FOLDER, HARD, Holder, Lease, Task
from tasks.runtime.parent import die_with_parent

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_SETTLE = 10.0  # seconds in which a launcher's word for a job that is over becomes final
_ENDING = 10.0  # seconds that a stage gets to end by itself
_AWAY = 600.0  # seconds for which a launcher that cannot tell is waited for
_SEEN = 65.0  # seconds after which a file that another machine made is seen here (NFS: acdirmax is 60)
_NOT_THERE = ("PALMS_STAGE_RUN", "PALMS_TREE", "PALMS_PARENT", "CUDA_VISIBLE_DEVICES")  # of this machine


def launch_job(launcher: Launcher, job: Job) -> int:
    """Runs the job to its end, again where its system lost it; returns the stage's exit code."""
    for signum in _SIGNALS:
        if signal.getsignal(signum) != signal.SIG_IGN:  # as `nohup` means it
            signal.signal(signum, _stopped)
    left = launcher.retries
    while not isinstance(ending := _Hold(job, launcher).run(), int):
        if not ending.again or not left:
            print(f"error: {ending.text}", file=sys.stderr, flush=True)
            return 1
        print(f"{ending.text}; starting it again, {left} {'try' if left == 1 else 'tries'} left", flush=True)
        left -= 1
    return ending


def _stopped(signum: int, _frame: FrameType | None) -> None:
    for each in _SIGNALS:
        signal.signal(each, signal.SIG_IGN)  # once is enough: what follows is bounded in time
    sys.exit(128 + signum)


class _Hold:
    """One run of a job."""

    def __init__(self, job: Job, launcher: Launcher) -> None:
        run = uuid.uuid4().hex[:12]
        self.job, self.launcher = job, launcher
        self.name = f"{job.stage}.{run}"  # of this run alone: cancelling by a stage's name would hit another tree's
        self.folder = Path.cwd() / FOLDER / run
        self.lease = Lease(self.folder)
        self.tasks = [Task(self.folder, number) for number in range(job.tasks)]
        self.away = False  # whether the launcher did not answer at some time

    def run(self) -> int | Ending:
        """The stage's exit code, or why it has none."""
        Holder.here(self.name, self.launcher).announce(self.folder, self.job.tasks)
        over = threading.Event()
        threading.Thread(target=self._renew, args=(over,), daemon=True).start()
        try:
            ending = self._hold()
        finally:
            over.set()
        shutil.rmtree(self.folder, ignore_errors=True)
        return ending

    def _renew(self, over: threading.Event) -> None:
        count = 0
        while not over.wait(BEAT):
            count += 1
            self.lease.renew(count)

    def _hold(self) -> int | Ending:
        process: subprocess.Popen[str] | None = None
        try:
            inner = self.launcher.inner(self.folder, self.job, sys.executable)
            command = self.launcher.command(self.name, self.job, inner, self._environment())
            process = _start(command.words, command.env, command.text)
            return self._verdict(process.wait())
        except FileNotFoundError as error:
            return Ending(f"{error.filename} is not on this machine; params.yaml: resources.launcher asks for it")
        except BaseException:
            self._cancel(process)
            raise

    def _environment(self) -> dict[str, str]:
        """This one's, without what is true of this machine and this process alone."""
        env = {name: value for name, value in os.environ.items() if name not in _NOT_THERE}
        threads = env.get("OMP_NUM_THREADS") or str(self.job.cpus)
        return {**env, INSIDE: self.folder.name, "OMP_NUM_THREADS": threads, "PYTHONUNBUFFERED": "1"}

    def _verdict(self, code: int) -> int | Ending:
        """How the stage ended, by what the job wrote; where that is not enough, by what the launcher says."""
        proofs = [task.read() for task in self.tasks]
        codes = [proof.get("code") for proof in proofs]
        failed = next((each for each in codes if each), 0)
        if None not in codes and 0 <= failed < 128:
            if not failed:
                _see([path for proof in proofs for path in proof["paths"]])
            return failed
        state = self._end()
        if code < 0:
            name = signal.Signals(-code).name
            return Ending(f"the command that waited for {self.name} was killed by {name}", again=True)
        if state.told or not failed:
            return self.launcher.ending(state, code, self.job, self.away or any(proofs))
        if 0 < failed < 128:
            return failed
        return Ending(f"{self.job.stage} was killed by {_signal(-failed if failed < 0 else failed - 128)}")

    def _end(self) -> State:
        """Sees to it that nothing of the job runs any more; returns what the launcher says of it."""
        self.lease.stop()
        deadline = time.monotonic() + self.launcher.lease_seconds + HARD + 2 * BEAT
        state = self._state()
        if not state.over:  # such as a job whose srun was killed
            self.launcher.cancel(self.name)
            state = self._state()
        while not state.ended and any(task.runs() for task in self.tasks) and time.monotonic() < deadline:
            time.sleep(0.5)
        return state

    def _state(self) -> State:
        """What the launcher says once that is final, or in the end."""
        began = time.monotonic()
        while True:
            state, waited = self.launcher.state(self.name), time.monotonic() - began
            if state is None and waited < _AWAY:
                if not self.away:
                    print("the launcher does not answer; waiting", flush=True)
                self.away = True
                time.sleep(BEAT)
            elif state is None or state.over or waited > _SETTLE:
                return state or State()
            else:
                time.sleep(0.2)

    def _cancel(self, process: "subprocess.Popen[str] | None") -> None:
        self.lease.stop()
        self.launcher.cancel(self.name)
        if process is not None and not _ended(process, _ENDING):
            self.launcher.cancel(self.name)  # which may have been taken in only now
            process.terminate()
            _ended(process, _ENDING)
        if (state := self.launcher.state(self.name)) and (state.ended or not any(task.runs() for task in self.tasks)):
            shutil.rmtree(self.folder, ignore_errors=True)


def _start(words: list[str], env: Mapping[str, str], text: str | None) -> "subprocess.Popen[str]":
    """In a session of its own: Ctrl-C in a terminal is for this process."""
    here = os.getpid()
    process = subprocess.Popen(
        words,
        env=env,
        stdin=subprocess.DEVNULL if text is None else subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: die_with_parent(here),
    )
    if process.stdin is not None:
        with contextlib.suppress(BrokenPipeError), process.stdin as pipe:
            pipe.write(text or "")
    return process


def _signal(number: int) -> str:
    name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
    return f"{name}; was there memory enough?" if number == signal.SIGKILL else name


def _ended(process: "subprocess.Popen[str]", seconds: float) -> bool:
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    return process.poll() is not None


def _see(paths: list[str]) -> None:
    """Waits until this machine sees the paths that the job saw."""
    deadline = time.monotonic() + _SEEN
    while not all(Path(path).exists() for path in paths) and time.monotonic() < deadline:
        time.sleep(0.2)
