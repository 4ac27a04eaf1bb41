"""Which tasks are run, and which loss must be ruled out."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt

from tasks.runtime.sections import Count, Share, part, section


@part
class CapabilityRun:
    """Which tasks of lm-evaluation-harness are run, and how."""

    tasks: tuple[str, ...]  # names of sets, of the harness's tasks, or of tasks in data/capability
    sets: dict[str, tuple[str, ...]]  # names that stand for several tasks
    num_fewshot: NonNegativeInt | None  # examples before each item; null leaves it to the tasks
    batch_size: Count  # the largest; halved until it fits in memory


@part
class Margin:
    """How a task, or all items of a set, is tested for a loss; chosen before the data are seen."""

    metric: Literal["acc", "acc_norm"]  # what counts as right
    chance: Annotated[float, Field(ge=0, lt=1)]  # share of items that are right without any ability
    margin: Share  # the loss, as a share of items, that must be ruled out


@section("capability")
class Capability:
    """Tasks that a fine-tuned model should do as well as its base."""

    run: CapabilityRun
    margins: dict[str, Margin]  # by task or set
