"""Where a stage runs, if not here: a launcher takes it to its hardware as a job, and this machine waits for it.

    python -m tasks finetune …      what DVC starts; asks `resources.launcher` of params.yaml, and holds a job (`hold`)
    srun … python -m …launchers.job …         the job: runs the same command, there (`job`)

Neither believes in the other's health. The holder renews a lease, a counter in a file, and a job that sees it
unchanged for too long ends itself: else one whose node was taken for lost would write beside its successor. The job
writes how the stage ended, and nothing else counts: srun exits with 0 when it loses a node.

A run is a folder `.dvc/tmp/jobs/<run>` on the file system that both share:

    run.json            who holds it, and what the launcher calls it
    lease               the counter, or `stop`
    task.0, task.1, …   where each task runs, and how it ended
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import NonNegativeInt

from tasks.runtime.sections import Count, part

INSIDE = "PALMS_JOB"  # the variable that names the job's run, in the job


@dataclass(frozen=True)
class Job:
    """What is to be launched: `python -m tasks` with `argv`, and what that asks for."""

    stage: str  # as DVC calls it, finetune@small-values
    argv: tuple[str, ...]
    cpus: int  # of each process, as all that follows
    memory_gb: int
    minutes: int
    gpus: int = 0
    processes: int = 1  # on each node
    nodes: int = 1
    where: str = "resources.jobs"  # the key in params.yaml that says so

    @property
    def tasks(self) -> int:
        """How many times the launcher starts the command: over several nodes once a process, else once; a stage starts
        its processes on one machine itself."""
        return self.processes * self.nodes if self.nodes > 1 else 1

    @property
    def share(self) -> int:
        """Processes in one task."""
        return 1 if self.nodes > 1 else self.processes


@dataclass(frozen=True)
class State:
    """What a launcher says of a job: the word of its system ("": it knows no such job), the reason, node and number."""

    word: str = ""
    reason: str = ""
    node: str = ""
    number: str = ""
    over: bool = True  # the word is final
    ended: bool = False  # and nothing of the job runs any more, for sure
    told: bool = False  # the word says more than an exit code does


@dataclass(frozen=True)
class Ending:
    """Why a job ended without a result; `again`: by no fault of its own, so that it may be started once more."""

    text: str
    again: bool = False


@part
class Launcher(ABC):
    """What all launchers are told in params.yaml, under `resources.launchers.<name>`."""

    at_once: Count = 16  # jobs of one sweep
    lease_seconds: Count = 60  # after which a job that nobody waits for ends itself
    retries: NonNegativeInt = 2  # of a job that its system lost
    setup: str = ""  # lines of bash that run in the job before the stage: module load …
    prefix: tuple[str, ...] = ()  # words before the stage's command: apptainer, exec, --nv, image.sif
    python: str = ""  # of the jobs; "": the one that runs here

    @abstractmethod
    def command(self, name: str, job: Job, inner: list[str], env: Mapping[str, str]) -> "Command":
        """What runs `inner` as the job `name` with `env`, and ends with it."""

    @abstractmethod
    def cancel(self, name: str) -> None:
        """Asks for the end of the job; the holder makes sure of it."""

    @abstractmethod
    def state(self, name: str) -> State | None:
        """What became of the job; None while that cannot be told."""

    @abstractmethod
    def ending(self, state: State, code: int, job: Job, existed: bool) -> Ending:
        """Why a job without a result ended: its `state`, the exit code of `command`, and whether there was such a job
        even if its system knows none."""

    def inner(self, folder: Path, job: Job, python: str) -> list[str]:
        """The command that runs in the job."""
        words = [*self.prefix, self.python or python, "-m", "tasks.runtime.launchers.job", str(folder), *job.argv]
        return ["bash", "-c", f'{self.setup}\nexec "$@"', "setup", *words] if self.setup else words


@dataclass(frozen=True)
class Command:
    """A command, what it reads, and its environment."""

    words: list[str]
    env: Mapping[str, str] = field(default_factory=dict)
    text: str | None = None
