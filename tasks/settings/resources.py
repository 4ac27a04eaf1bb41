import argparse
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeInt

from tasks.runtime import config, durations, launchers
from tasks.runtime.errors import InputError
from tasks.runtime.launchers.slurm import Slurm
from tasks.runtime.launchers.ssh import Ssh
from tasks.runtime.sections import PACKAGE, Count, part, section

HERE = "none"  # the launcher of this machine


@part
class FinetuneResources:
    """What fine-tuning one model asks of the hardware."""

    micro_batch_size: Count  # samples that one process trains on at once
    processes: Count = 1  # on each node, a GPU each
    nodes: Count = 1
    zero: Literal[0, 1, 2, 3] = 0  # DeepSpeed's stage; 0: without DeepSpeed
    offload: Literal["none", "optimizer", "all"] = "none"  # what lies in the nodes' memory instead of the GPUs'

    def __post_init__(self) -> None:
        if self.offload != "none" and self.zero < (least := 3 if self.offload == "all" else 1):
            raise ValueError(f"offload: '{self.offload}' needs zero of {least} or more, found {self.zero}")

    @property
    def world(self) -> int:
        """The number of processes on all nodes."""
        return self.processes * self.nodes

    @property
    def in_place(self) -> bool:
        """Whether the stage's own process does the work, without ranks."""
        return self.world == 1 and self.zero == 0

    def micro_batch(self, batch: int) -> int:
        """Samples that one process trains on at once, of a step of `batch`. Raises InputError if the processes cannot
        share that evenly."""
        where = "params.yaml: resources.finetune"
        if batch % self.world:
            raise InputError(
                f"{where}: {self.world} processes do not divide the global_batch_size {batch}; "
                "choose a number that does"
            )
        micro = min(self.micro_batch_size, batch // self.world)
        if batch % (micro * self.world):
            among = f" of {self.world} processes" if self.world > 1 else ""
            raise InputError(
                f"{where}: micro_batch_size {micro}{among} does not divide the global_batch_size {batch}; "
                "choose a number that does"
            )
        return micro


@part
class GenerateResources:
    """What drawing completions of one model asks of the hardware, in the stages generate and probe."""

    tensor_parallel: Count  # GPUs that share the model's weights, with the engine vllm


@part
class JobResources:
    """What a stage that is launched asks of the launcher, for each of its processes."""

    cpus: Count  # as many threads: with another number the last digits of a result are others
    memory_gb: Count
    minutes: Count  # after which the job is ended
    gpus: NonNegativeInt = 0


@section("resources")
class Resources:
    """What stages ask of the hardware: no stage tracks it, so that another machine never makes a result stale."""

    finetune: dict[str, FinetuneResources]  # by model, and `default` for the others
    generate: dict[str, GenerateResources] = field(default_factory=lambda: {"default": GenerateResources(1)})
    launcher: str = HERE  # or one of `launchers`
    launchers: dict[str, Annotated[Slurm | Ssh, Field(discriminator="kind")]] = field(default_factory=dict)
    # by stage, and as above; a stage that has no entry runs here
    jobs: dict[str, dict[str, JobResources]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        jobs = {f"jobs.{stage}": set(entries) for stage, entries in self.jobs.items()}
        for key, entries in {"finetune": set(self.finetune), "generate": set(self.generate), **jobs}.items():
            if "default" not in entries:
                raise ValueError(f"{key}: expected an entry `default` for the models that have none of their own")
        if self.launcher not in (HERE, *self.launchers):
            known = ", ".join((HERE, *self.launchers))
            raise ValueError(f"launcher: '{self.launcher}' is not among {known}")
        if wrong := [stage for stage in self.jobs if not (PACKAGE / f"{stage}.py").is_file()]:
            raise ValueError(f"jobs: '{wrong[0]}' is no stage")


def finetune_resources(params: Mapping[str, Any], model: str) -> FinetuneResources:
    """The entry `resources.finetune.<model>`, or `resources.finetune.default`."""
    entries = config.section(params, "resources", Resources).finetune
    return entries.get(model, entries["default"])


def ranks_of(command: Sequence[str], params: Mapping[str, Any]) -> FinetuneResources | None:
    """What `python -m tasks …` with these words asks for, if that is more than the stage's own process."""
    if command[:1] != ["finetune"]:
        return None
    model = _names(command)["model"]
    wanted = finetune_resources(params, model) if model else None
    return None if wanted is None or wanted.in_place else wanted


def devices_of(command: Sequence[str], params: Mapping[str, Any]) -> int:
    """The processes on one machine, or the GPUs that share a model, which the stage of these words takes."""
    if ranks := ranks_of(command, params):
        return ranks.processes
    stage, model = command[0], _names(command)["model"]
    of_vllm = (params.get(stage) or {}).get("engine") == "vllm" if stage in ("generate", "probe") else False
    return tensor_parallel(params, model) if of_vllm and model else 1


def launcher_of(
    command: Sequence[str], params: Mapping[str, Any]
) -> tuple[launchers.Launcher, launchers.Job] | None:
    """The launcher of the stage of these words, and its job; None where it runs on this machine."""
    resources = config.section(params, "resources", Resources)
    entries = resources.jobs.get(command[0]) if command else None
    if resources.launcher == HERE or entries is None:
        return None
    names = {name: value for name, value in _names(command).items() if value}
    model = names.get("model", "")
    key = model if model in entries else "default"
    wanted, ranks = entries[key], ranks_of(command, params)
    job = launchers.Job(
        stage=durations.stage_name(command[0], names.values()),
        argv=tuple(command),
        **vars(wanted),
        processes=devices_of(command, params),
        nodes=ranks.nodes if ranks else 1,
        where=f"resources.jobs.{command[0]}.{key}",
    )
    return resources.launchers[resources.launcher], job


def _names(command: Sequence[str]) -> dict[str, str | None]:
    """The model and the arm among a stage's words, read here, for its module, which declares them, takes seconds to
    import."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    for name in ("model", "arm"):
        parser.add_argument(f"--{name}", nargs="?")
    return vars(parser.parse_known_args(command)[0])


def tensor_parallel(params: Mapping[str, Any], model: str) -> int:
    """`tensor_parallel` of the entry `resources.generate.<model>`, or of `resources.generate.default`."""
    entries = config.section(params, "resources", Resources).generate
    return entries.get(model, entries["default"]).tensor_parallel
