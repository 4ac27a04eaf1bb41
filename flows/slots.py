"""How many stages run at once, and on which GPUs.

`PALMS_SLOTS=gpu=2,cpu=4` sets the sizes. Otherwise there is a gpu slot per GPU and a cpu slot per core. Where
there is no GPU, two model stages share the cores: measured, two at once with half the threads each take a fifth
less time than one after the other with all, and more at once only take more memory. `none` is for stages that
only wait, such as downloads: it is never full. Every stage that works has the threads of a model stage, since
their number decides the last digits (see `tasks.runtime.launch.threads`, which says the same of a stage run by hand).
"""

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

from flows.meta import SlotKind
from tasks.runtime import launch
from tasks.runtime.errors import InputError

SETTING = "PALMS_SLOTS"


@dataclass(frozen=True)
class Slot:
    """A place that one running stage holds; `env` is what its process gets to know of it."""

    kind: SlotKind
    number: int
    env: Mapping[str, str]


class Slots:
    """The places of one sweep. Not for use by several threads: the flow's main thread hands them out."""

    def __init__(self, sizes: Mapping[SlotKind, int], gpus: tuple[str, ...], cores: int) -> None:
        self._sizes = dict(sizes)
        self._gpus = gpus
        self._cores = cores
        self._free = {kind: list(range(size)) for kind, size in sizes.items()}

    @classmethod
    def of_this_machine(cls, environ: Mapping[str, str]) -> "Slots":
        """The slots that `environ` asks for, or the default; raises InputError for a bad `PALMS_SLOTS`."""
        cores = launch.cores()
        chosen = _parse(environ.get(SETTING, ""))
        gpus = find_gpus(environ)
        sizes: dict[SlotKind, int] = {"gpu": len(gpus) or min(launch.MODEL_STAGES, cores), "cpu": cores}
        return cls(sizes | chosen, gpus, cores)

    def take(self, kind: SlotKind) -> Slot | None:
        """A free slot, or None while all are taken."""
        if kind == "none":
            return Slot(kind, 0, {"OMP_NUM_THREADS": "1"})
        if not self._free[kind]:
            return None
        number = self._free[kind].pop(0)
        threads = max(1, self._cores // self._sizes["gpu"])
        devices = self._devices(number) if kind == "gpu" else {}
        return Slot(kind, number, {"OMP_NUM_THREADS": str(threads), **devices})

    def give_back(self, slot: Slot) -> None:
        """Free `slot` for another stage."""
        if slot.kind != "none":
            self._free[slot.kind].append(slot.number)
            self._free[slot.kind].sort()

    def _devices(self, number: int) -> Mapping[str, str]:
        """The slot's share: one GPU each, several where slots are fewer, a shared one where they are more."""
        slots, gpus = self._sizes["gpu"], self._gpus
        if len(gpus) < 2 or slots == 1:
            return {}
        share = gpus[number::slots] or (gpus[number % len(gpus)],)
        return {"CUDA_VISIBLE_DEVICES": ",".join(share)}


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


def _parse(text: str) -> dict[SlotKind, int]:
    sizes: dict[SlotKind, int] = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        kind, _, size = (part.strip() for part in entry.partition("="))
        if kind not in ("gpu", "cpu") or not size.isascii() or not size.isdigit() or int(size) < 1:
            raise InputError(f"{SETTING}={text}: expected numbers of 1 or more, such as gpu=2,cpu=4")
        sizes["gpu" if kind == "gpu" else "cpu"] = int(size)
    return sizes
