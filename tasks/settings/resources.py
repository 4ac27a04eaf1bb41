from collections.abc import Mapping
from dataclasses import field
from typing import Any

from tasks.runtime import config
from tasks.runtime.sections import Count, part, section


@part
class FinetuneResources:
    """What fine-tuning one model asks of the hardware."""

    micro_batch_size: Count  # samples that one process trains on at once


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


def tensor_parallel(params: Mapping[str, Any], model: str) -> int:
    """`tensor_parallel` of the entry `resources.generate.<model>`, or of `resources.generate.default`."""
    entries = config.section(params, "resources", Resources).generate
    return entries.get(model, entries["default"]).tensor_parallel
