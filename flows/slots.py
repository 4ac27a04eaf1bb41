"""How many stages run at once, and on which GPUs.

`PALMS_SLOTS=gpu=2,cpu=4` sets the sizes. Otherwise there is a gpu slot per GPU and a cpu slot per core. Where
there is no GPU, two model stages share the cores: measured, two at once with half the threads each take a fifth
less time than one after the other with all, and more at once only take more memory. `none` is for stages that
only wait, such as downloads: it is never full. A stage of several processes or GPUs takes a gpu slot for each of them.
A stage that a launcher takes elsewhere has a `job` slot, of which the launcher's `at_once` says how many there are.
Every stage that works has the threads of a model stage, since their number decides the last digits (see
`tasks.runtime.launch.threads`, which says the same of a stage run by hand).
"""

import shlex
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from flows.dag import Stage
from flows.meta import SlotKind
from tasks.runtime import config, launch
from tasks.runtime.errors import InputError
from tasks.settings.resources import devices_of, launcher_of

SETTING = "PALMS_SLOTS"
Kind = SlotKind | Literal["job"]


@dataclass(frozen=True)
class Slot:
    """The places that one running stage holds; `env` is what its process gets to know of them."""

    kind: Kind
    numbers: tuple[int, ...]
    env: Mapping[str, str]


class Slots:
    """The places of one sweep. Not for use by several threads: the flow's main thread hands them out."""

    def __init__(self, sizes: Mapping[Kind, int], gpus: tuple[str, ...], cores: int) -> None:
        self._sizes = dict(sizes)
        self._gpus = gpus
        self._cores = cores
        self._free = {kind: list(range(size)) for kind, size in sizes.items()}

    @classmethod
    def of_this_machine(cls, environ: Mapping[str, str], jobs: int = 0) -> "Slots":
        """The slots that `environ` asks for, or the default; raises InputError for a bad `PALMS_SLOTS`."""
        cores = launch.cores()
        chosen = _parse(environ.get(SETTING, ""))
        gpus = find_gpus(environ)
        sizes: dict[Kind, int] = {"gpu": len(gpus) or min(launch.MODEL_STAGES, cores), "cpu": cores, "job": jobs}
        return cls(sizes | chosen, gpus, cores)

    def take(self, kind: Kind, processes: int = 1) -> Slot | None:
        """A free slot with a place for each process, or None while too few are free; all, where there are fewer."""
        if kind == "none":
            return Slot(kind, (), {"OMP_NUM_THREADS": "1"})
        wanted = min(processes, self._sizes[kind])
        if len(self._free[kind]) < wanted:
            return None
        numbers = tuple(self._free[kind].pop(0) for _ in range(wanted))
        if kind == "job":  # the threads and GPUs of this machine are not its own
            return Slot(kind, numbers, {})
        threads = max(1, self._cores // self._sizes["gpu"])
        devices = self._devices(numbers) if kind == "gpu" else {}
        return Slot(kind, numbers, {"OMP_NUM_THREADS": str(threads), **devices})

    def give_back(self, slot: Slot) -> None:
        """Free `slot` for another stage."""
        if slot.kind != "none":
            self._free[slot.kind].extend(slot.numbers)
            self._free[slot.kind].sort()

    def shortage(self, processes: Mapping[str, int]) -> str:
        """A line about the stages, given with their processes, that have fewer places than those; "" without any."""
        size = self._sizes["gpu"]
        short = [f"{stage} ({number})" for stage, number in processes.items() if number > size]
        places = f"{size} gpu slot{'s' * (size > 1)}"
        return f"more processes than the {places}, of which they take all: {', '.join(short)}" if short else ""

    def _devices(self, numbers: Sequence[int]) -> Mapping[str, str]:
        """The places' share: one GPU each, several where slots are fewer, a shared one where they are more."""
        slots, gpus = self._sizes["gpu"], self._gpus
        if len(gpus) < 2 or slots == 1:
            return {}
        shares = [gpus[number::slots] or (gpus[number % len(gpus)],) for number in numbers]
        return {"CUDA_VISIBLE_DEVICES": ",".join(dict.fromkeys(gpu for share in shares for gpu in share))}


@dataclass(frozen=True)
class Needs:
    """What the stages need beside a place of their kind: more than one (`processes`), or none of this machine
    (`launched`), of which `at_once` may run at a time."""

    processes: Mapping[str, int]
    launched: frozenset[str] = frozenset()
    at_once: int = 0

    @classmethod
    def of(cls, stages: Iterable[Stage], root: Path) -> "Needs":
        """By `resources` of params.yaml. Raises InputError for what cannot be."""
        commands = {stage.name: words for stage in stages if (words := _words(stage.cmd))}
        params = config.read_params(root / config.PARAMS_FILE) if commands else {}
        if "resources" not in params:
            return cls({})
        jobs = {name: job for name, words in commands.items() if (job := launcher_of(words, params))}
        here = {name: devices_of(words, params) for name, words in commands.items() if name not in jobs}
        at_once = next((launcher.at_once for launcher, _ in jobs.values()), 0)
        return cls({name: number for name, number in here.items() if number > 1}, frozenset(jobs), at_once)

    def places(self, stage: str, kind: SlotKind) -> tuple[Kind, int]:
        """The kind of the stage's slot, whose meta says `kind`, and its number of places."""
        return ("job", 1) if stage in self.launched else (kind, self.processes.get(stage, 1))


def _words(cmd: str) -> list[str]:
    """The words after `python -m tasks` of a stage's command."""
    words = shlex.split(cmd) if " -m tasks " in cmd else []
    return next((words[at:] for at in range(2, len(words)) if words[at - 2 : at] == ["-m", "tasks"]), [])


def find_gpus(environ: Mapping[str, str]) -> tuple[str, ...]:
    """What CUDA_VISIBLE_DEVICES may hold here: its own entries where it is set, else nvidia-smi's numbers."""
    visible = environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        entries = [entry.strip() for entry in visible.split(",")]
        end = next((at for at, entry in enumerate(entries) if entry in ("", "-1")), len(entries))
        return tuple(entries[:end])  # CUDA stops at the first entry that is no device
    tool = shutil.which("nvidia-smi", path=environ.get("PATH"))
    if tool is None:
        return ()
    try:
        listed = subprocess.run([tool, "-L"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.SubprocessError):
        return ()
    cards = [line for line in listed.stdout.splitlines() if line.startswith("GPU ")]
    return tuple(str(number) for number in range(len(cards))) if listed.returncode == 0 else ()


def _parse(text: str) -> dict[Kind, int]:
    sizes: dict[Kind, int] = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        kind, _, size = (part.strip() for part in entry.partition("="))
        if kind not in ("gpu", "cpu", "job") or not size.isascii() or not size.isdigit() or int(size) < 1:
            raise InputError(f"{SETTING}={text}: expected numbers of 1 or more, such as gpu=2,cpu=4")
        sizes[cast(Kind, kind)] = int(size)
    return sizes
