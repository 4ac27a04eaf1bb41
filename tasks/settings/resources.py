import argparse
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any, Literal

from tasks.runtime import config
from tasks.runtime.errors import InputError
from tasks.runtime.sections import Count, part, section


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


@section("resources")
class Resources:
    """What stages ask of the hardware: no stage tracks it, so that another machine never makes a result stale."""

    finetune: dict[str, FinetuneResources]  # by model, and `default` for the others
    generate: dict[str, GenerateResources] = field(default_factory=lambda: {"default": GenerateResources(1)})

    def __post_init__(self) -> None:
        for stage in ("finetune", "generate"):
            if "default" not in getattr(self, stage):
                raise ValueError(f"{stage}: expected an entry `default` for the models that have none of their own")


def finetune_resources(params: Mapping[str, Any], model: str) -> FinetuneResources:
    """The entry `resources.finetune.<model>`, or `resources.finetune.default`."""
    entries = config.section(params, "resources", Resources).finetune
    return entries.get(model, entries["default"])


def ranks_of(command: Sequence[str], params: Mapping[str, Any]) -> FinetuneResources | None:
    """What `python -m tasks …` with these words asks for, if that is more than the stage's own process.

    The words are read here, for the stage's module, which declares them, takes seconds to import.
    """
    if command[:1] != ["finetune"]:
        return None
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--model", nargs="?")
    model = parser.parse_known_args(command)[0].model
    wanted = finetune_resources(params, model) if model else None
    return None if wanted is None or wanted.in_place else wanted


def tensor_parallel(params: Mapping[str, Any], model: str) -> int:
    """`tensor_parallel` of the entry `resources.generate.<model>`, or of `resources.generate.default`."""
    entries = config.section(params, "resources", Resources).generate
    return entries.get(model, entries["default"]).tensor_parallel
