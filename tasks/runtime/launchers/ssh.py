"""Launcher `ssh`: the stage runs on another machine that has the same working tree and Python at the same paths.

Nothing there knows of jobs: the lease alone ends a stage whose connection is gone.
"""

import shlex
from collections.abc import Mapping
from dataclasses import KW_ONLY
from pathlib import Path
from typing import Literal

from tasks.runtime.launchers import Command, Ending, Job, Launcher, State
from tasks.runtime.sections import part

_CUT_OFF = 255  # ssh's own exit code
# the variables that a stage is told there; what else it needs stands in `environment`
_PASSED = ("PALMS_", "OMP_", "GOMP_", "HF_", "TQDM_", "PYTHON", "DVC_", "PERSPECTIVE_")


@part
class Ssh(Launcher):
    """`host` as ssh knows it, to which it must get without a password. `at_once` stages share that machine."""

    _: KW_ONLY
    kind: Literal["ssh"] = "ssh"
    host: str
    environment: tuple[str, ...] = ()  # further variables that go there

    def command(self, name: str, job: Job, inner: list[str], env: Mapping[str, str]) -> Command:
        """A shell there that reads what to do: nothing of it stands in a list of processes."""
        del name, job
        passed = {key: value for key, value in env.items() if key.startswith(_PASSED) or key in self.environment}
        lines = [f"export {key}={shlex.quote(value)}" for key, value in passed.items()]
        lines = [f"cd {shlex.quote(str(Path.cwd()))} || exit 1", *lines, f"exec {shlex.join(inner)} </dev/null"]
        options = ["-T", "-oBatchMode=yes", "-oServerAliveInterval=15", "-oServerAliveCountMax=4"]
        return Command(["ssh", *options, self.host, "/bin/sh"], env, "\n".join(lines) + "\n")

    def cancel(self, name: str) -> None:
        """Nothing: the lease does it."""

    def state(self, name: str) -> State | None:
        """Nobody knows."""
        del name
        return State()

    def ending(self, state: State, code: int, job: Job, existed: bool) -> Ending:
        """By ssh's exit code."""
        del state, job, existed
        if code == _CUT_OFF:
            return Ending(f"ssh {self.host} failed or was cut off; its own lines are above", again=True)
        return Ending(f"it ended without a result on {self.host} (exit code {code})")
