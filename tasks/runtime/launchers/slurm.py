"""Launcher `slurm`: a job is an allocation that `srun` makes, waits for and gives back.

Each fact below was seen on Slurm 22.05. `squeue --states=all` tells the state and its reason for five minutes after the
end (MinJobAge), without accounting. `scancel` has the stage hear SIGTERM, and SIGKILL after the cluster's KillWait;
SIGTERM to srun is SIGKILL for the stage. A job of srun is never requeued: a preempted one is gone.
"""

import os
import pwd
import re
import subprocess
from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from tasks.runtime.launchers import Command, Ending, Job, Launcher, State
from tasks.runtime.sections import part

_PATIENCE = 15.0  # seconds; without its controller each command fails by itself after nine
_GOING_ON = {"PENDING", "CONFIGURING", "RUNNING", "SUSPENDED", "COMPLETING", "RESIZING", "SIGNALING", "STAGE_OUT",
             "STOPPED", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "RESV_DEL_HOLD", "SPECIAL_EXIT"}  # fmt: skip
_LOST = {
    "NODE_FAIL": "its node was lost",
    "BOOT_FAIL": "its node did not start",
    "PREEMPTED": "it was preempted",
    "REVOKED": "its cluster revoked it",
}
_OURS = ("job-name", "ntasks", "ntasks-per-node", "kill-on-bad-exit", "chdir", "export")


@part
class Slurm(Launcher):
    """`options` are those of srun without their dashes. One of ours that is named there has that value; null drops it,
    true gives the option without a value."""

    kind: Literal["slurm"] = "slurm"
    options: dict[str, str | int | bool | None] = Field(default_factory=dict)

    def __post_init__(self) -> None:
        if taken := [name for name in self.options if name.lstrip("-") in _OURS]:
            raise ValueError(f"options: '{taken[0]}' is not yours to set; see docs/cluster.md")

    def command(self, name: str, job: Job, inner: list[str], env: Mapping[str, str]) -> Command:
        """`srun` with what the job asks for, and the profile's options."""
        wanted: dict[str, str | int | bool | None] = {
            "nodes": job.nodes,
            "cpus-per-task": job.cpus * job.share,
            "mem": f"{job.memory_gb * job.processes}G",
            "time": job.minutes,
            "gpus-per-node": job.gpus * job.processes or None,
            **{option.lstrip("-"): value for option, value in self.options.items()},
            "job-name": name,
            "ntasks": job.tasks,
            "ntasks-per-node": job.tasks // job.nodes,
            "kill-on-bad-exit": 1,
        }
        words = [_option(option, value) for option, value in wanted.items() if value not in (None, False)]
        return Command(["srun", *words, *inner], _outside(env))

    def cancel(self, name: str) -> None:
        """`scancel` by the name, for a job may have no number yet."""
        _ask("scancel", f"--name={name}")

    def state(self, name: str) -> State | None:
        """By the name; None while the controller does not answer."""
        lines = _ask("squeue", "--noheader", "--states=all", f"--name={name}", "--format=%T|%r|%N|%i")
        if lines is None:
            return None
        if not lines:
            return State()
        word, reason, node, number = lines[-1].split("|")
        over = word not in _GOING_ON
        # of a node that was taken for lost nobody knows what still runs there
        ended = over and word not in ("NODE_FAIL", "BOOT_FAIL")
        return State(word, reason, node, number, over, ended, told=word not in ("FAILED", "COMPLETED"))

    def ending(self, state: State, code: int, job: Job, existed: bool) -> Ending:
        """In words, with the key of params.yaml to change."""
        if not state.word and existed:  # a controller that is killed may forget its last jobs
            return Ending("Slurm knows nothing of the job any more, or did not answer when it was to begin", again=True)
        if not state.word:
            return Ending(f"Slurm took no job (srun ended with {code}; its own lines are above)")
        name = f"job {state.number}{f' on {state.node}' if state.node else ''}"
        if state.word in _LOST:
            return Ending(f"{name}: {_LOST[state.word]} ({state.word})", again=True)
        if state.word in ("TIMEOUT", "DEADLINE"):
            text = f"its time limit of {job.minutes} minutes was over; ask for more in params.yaml: {job.where}.minutes"
        elif state.word == "CANCELLED":
            text = f"it was cancelled{_by_whom(state.number)}"
        elif state.word == "OUT_OF_MEMORY":
            text = f"it needed more memory; ask for more in params.yaml: {job.where}.memory_gb"
        elif state.reason == "JobLaunchFailure":  # how a limit of memory without cgroups ends, and SIGTERM of srun
            text = f"it was killed; was there memory enough? More is asked for in params.yaml: {job.where}.memory_gb"
        else:
            text = f"it ended without a result; srun's exit code is {code}"
        return Ending(f"{name}: {text} ({state.word})")


def _option(name: str, value: str | int | bool | None) -> str:
    return f"--{name}" if value is True else f"--{name}={value}"


def _outside(env: Mapping[str, str]) -> dict[str, str]:
    """Without the variables of an allocation that this process is in: srun would make a step of it. Elsewhere they are
    the user's own defaults."""
    if "SLURM_JOB_ID" not in env:
        return dict(env)
    return {name: value for name, value in env.items() if not name.startswith("SLURM_") or name == "SLURM_CONF"}


def _by_whom(number: str) -> str:
    """` by anna`, where the cluster keeps accounts."""
    lines = _ask("sacct", "--noheader", "--parsable2", "--allocations", "--format=State", f"--jobs={number}") or []
    uid = next((match[1] for line in lines if (match := re.search(r"CANCELLED by (\d+)", line))), None)
    if uid is None:
        return ""
    try:
        return f" by {pwd.getpwuid(int(uid)).pw_name}"
    except KeyError:
        return f" by user {uid}"


def _ask(*command: str) -> list[str] | None:
    """The lines that a command of Slurm prints; None where it fails."""
    try:
        done = subprocess.run(
            command,
            env=_outside(os.environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.split("\n")[:-1] if done.returncode == 0 else None
