"""What `palms models` prints: the catalogue, what each model needs, and whether this machine has it."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from flows.slots import find_gpus
from tasks.lm import memory, shapes
from tasks.lm.shapes import Shape
from tasks.runtime import config, terminal
from tasks.runtime.errors import InputError, instead
from tasks.settings.finetune import Finetune, ModelFinetune
from tasks.settings.generate import Generate
from tasks.settings.models import HubSource, Model, PathSource
from tasks.settings.resources import FinetuneResources, finetune_resources

MADE = Path("data/made/models")
PROMPT = 128  # tokens that a prompt is taken to have
NEEDED = ("finetune", "generate", "resources")  # the sections that say how memory is used
HEADER = ("model", "weights", "licence", "fine-tuning", "a process", "generation", "here")


@dataclass(frozen=True)
class Machine:
    """The memory of this machine in bytes: its own, and that of each GPU in sight."""

    ram: int
    gpus: tuple[int, ...]
    bf16: bool

    def __str__(self) -> str:
        cards = f"GPUs of {', '.join(gigabytes(size) for size in self.gpus)}" if self.gpus else "no GPU"
        return f"{gigabytes(self.ram)} of memory, {cards}"


def lines(params: Mapping[str, Any], width: int | None = None) -> list[str]:
    """The models with their sources and, where params.yaml is whole, a table of what they need; for a terminal of
    `width` columns."""
    catalogue, chosen = params.get("models"), (params.get("sweep") or {}).get("models") or []
    if not isinstance(catalogue, Mapping) or not isinstance(chosen, list):
        raise InputError("params.yaml: expected an entry per model in `models` and a list in `sweep.models`")
    if unknown := [str(name) for name in chosen if name not in catalogue]:
        raise InputError(f"params.yaml: sweep.models: no '{unknown[0]}' in `models`; {instead(unknown[0], catalogue)}")
    rows = [(f"{'*' if name in chosen else ' '} {name!s}", _source(entry)) for name, entry in catalogue.items()]
    listed = terminal.table(("", ""), rows, width)
    return listed + (needs(params, this_machine(), width) if all(params.get(key) for key in NEEDED) else [])


def needs(params: Mapping[str, Any], machine: Machine, width: int | None = None) -> list[str]:
    """A table of each model's weights, licence and memory."""
    table = terminal.table(HEADER, [row(params, name, machine) for name in params["models"]], width)
    tokens = config.section(params, "finetune", Finetune).max_tokens
    generate = config.section(params, "generate", Generate)
    return [
        "",
        *table,
        "",
        f"This machine: {machine}. Fine-tuning as `resources` asks for it, at most: for samples of {tokens} tokens.",
        f"Generation: {generate.batch_size} completions at once, of {generate.max_new_tokens} tokens after {PROMPT}.",
    ]


def row(params: Mapping[str, Any], name: str, machine: Machine) -> tuple[str, ...]:
    """A model's line of the table; dashes where its dimensions are not known before it is fetched."""
    entry = config.section(params, f"models.{name}", Model)
    shape = shape_of(name, entry)
    if shape is None:
        return (name, "-", entry.source.license, *["-"] * 4)
    resources = finetune_resources(params, name)
    tokens = config.section(params, "finetune", Finetune).max_tokens
    micro = resources.micro_batch(entry.finetune.global_batch_size)
    tuning = memory.finetuning(shape, resources, entry.finetune.lora, micro, tokens, bf16=machine.bf16)
    generate = config.section(params, "generate", Generate)
    length = PROMPT + generate.max_new_tokens
    drawing = memory.generation(shape, generate.batch_size, length, bf16=machine.bf16)
    aside = f" + {gigabytes(tuning.host)} of memory" if tuning.host else ""
    return (
        name,
        weights(shape.parameters),
        entry.source.license,
        method(entry.finetune, resources),
        f"{gigabytes(tuning.device)}{aside}",
        gigabytes(drawing),
        verdict(machine, resources, tuning, drawing),
    )


def shape_of(name: str, entry: Model) -> Shape | None:
    """The dimensions of a model by its own configuration where it is on this disk, else by what is published."""
    source = entry.source
    fetched = shapes.of_folder(MADE / name / "base")
    if fetched:
        return fetched
    if isinstance(source, PathSource):
        return shapes.of_folder(Path(source.path).expanduser())
    return shapes.of_name(source.id if isinstance(source, HubSource) else source.file)


def method(finetune: ModelFinetune, resources: FinetuneResources) -> str:
    """The recipe's method and the hardware that is asked for, such as `full, 2 × 4 processes, ZeRO-3`."""
    parts = [f"LoRA of rank {finetune.lora.rank}" if finetune.lora else "full"]
    if resources.world > 1:
        nodes = f"{resources.nodes} × " if resources.nodes > 1 else ""
        parts.append(f"{nodes}{resources.processes} processes")
    if resources.zero:
        parts.append(f"ZeRO-{resources.zero}")
    if resources.offload != "none":
        parts.append(f"offload {resources.offload}")
    return ", ".join(parts)


def verdict(machine: Machine, resources: FinetuneResources, tuning: memory.Need, drawing: int) -> str:
    """Which of both this machine can do; of several nodes it is taken to be one."""
    beside = resources.processes * tuning.host
    if machine.gpus:
        room = min(machine.gpus)
        tunes = len(machine.gpus) >= resources.processes and tuning.device <= room and beside <= machine.ram
        draws = drawing <= room
    else:
        tunes = resources.processes * tuning.device + beside <= machine.ram
        draws = drawing <= machine.ram
    if tunes and draws:
        return "yes"
    return "fine-tuning only" if tunes else "generation only" if draws else "no"


def this_machine() -> Machine:
    """What is in sight here; a container's limit counts as the machine's memory."""
    ram = psutil.virtual_memory().total
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text("ascii").strip()
        ram = min(ram, int(limit)) if limit.isdigit() else ram
        flags = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        flags = ""
    gpus = gpu_memory(os.environ)
    return Machine(ram, gpus, bool(gpus) or "avx512_bf16" in flags or "amx_bf16" in flags)


def gpu_memory(environ: Mapping[str, str]) -> tuple[int, ...]:
    """The memory of each GPU that CUDA_VISIBLE_DEVICES leaves in sight, as nvidia-smi says, in bytes."""
    tool, visible = shutil.which("nvidia-smi", path=environ.get("PATH")), find_gpus(environ)
    if tool is None or not visible:
        return ()
    query = [tool, "--query-gpu=memory.total", "--format=csv,noheader,nounits", f"--id={','.join(visible)}"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=20, check=False).stdout
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(int(line) * 2**20 for line in answer.split() if line.isdigit())


def gigabytes(size: int) -> str:
    """`9.7 GB` or `48 GB`, of 10⁹ bytes."""
    return f"{size / 1e9:.1f} GB" if size < 1e10 else f"{size / 1e9:.0f} GB"


def weights(count: int) -> str:
    """`135M` or `1.71B`."""
    return f"{count / 1e6:.0f}M" if count < 999_500_000 else f"{count / 1e9:.3g}B"


def _source(entry: Any) -> str:
    source = entry.get("source") if isinstance(entry, Mapping) else entry
    if not isinstance(source, Mapping):
        return str(source)
    return "  ".join(str(source[key]) for key in ("kind", "requirement", "id", "path", "revision") if source.get(key))
