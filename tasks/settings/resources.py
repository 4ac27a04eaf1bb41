from collections.abc import Mapping
from typing import Any

from tasks.runtime import config
from tasks.runtime.sections import Count, part, section


@part
class FinetuneResources:
    """What fine-tuning one model asks of the hardware."""

    micro_batch_size: Count  # samples that one process trains on at once


@section("resources")
class Resources:
    """What stages ask of the hardware: no stage tracks it, so that another machine never makes a result stale."""

    finetune: dict[str, FinetuneResources]  # by model, and `default` for the others

    def __post_init__(self) -> None:
        if "default" not in self.finetune:
            raise ValueError("finetune: expected an entry `default` for the models that have none of their own")


def finetune_resources(params: Mapping[str, Any], model: str) -> FinetuneResources:
    """The entry `resources.finetune.<model>`, or `resources.finetune.default`."""
    entries = config.section(params, "resources", Resources).finetune
    return entries.get(model, entries["default"])
