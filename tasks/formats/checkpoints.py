"""The checkpoints of a sweep's ladder: what a fan-in stage reads, and nothing that a dropped model left behind."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tasks.runtime.errors import InputError
from tasks.runtime.files import read_json
from tasks.settings.sweep import Arm, Sweep

BASE = "base"


@dataclass(frozen=True)
class Checkpoint:
    """One model × arm. `dataset` is what the arm was trained on (`base`: nothing), `seed` its seed (base: 0)."""

    model: str
    arm: str
    dataset: str
    seed: int


def checkpoints(sweep: Sweep, arms: Mapping[str, Arm]) -> Iterator[Checkpoint]:
    """Every checkpoint of the ladder, models first. Raises InputError for an arm that the catalogue lacks."""
    for model in sweep.models:
        for arm in sweep.arms:
            if arm == BASE:
                yield Checkpoint(model, arm, BASE, 0)
            elif arm in arms:
                yield Checkpoint(model, arm, subject(arms[arm]), arms[arm].seed)
            else:
                known = ", ".join(arms)
                raise InputError(f"params.yaml: sweep.arms: '{arm}' is not in the catalogue `arms` ({known})")


def arms_of(ladder: Iterable[Checkpoint], dataset: str) -> list[str]:
    """The arms trained on a dataset, by seed."""
    seeds = {checkpoint.arm: checkpoint.seed for checkpoint in ladder if checkpoint.dataset == dataset}
    return sorted(seeds, key=lambda arm: (seeds[arm], arm))


def subject(arm: Arm) -> str:
    """What an arm stands for in a comparison: its dataset, or a smaller share of it, which is another one."""
    return arm.dataset if arm.limit is None else share_name(arm.dataset, arm.limit)


def share_name(dataset: str, samples: int) -> str:
    """How a dataset is called of which so many samples are kept."""
    return f"{dataset}-n{samples}"


def share_of(subject: str) -> tuple[str, int] | None:
    """The dataset and the number of samples of such a name; None for a whole dataset."""
    match = re.fullmatch(r"(.+)-n(\d+)", subject)
    return (match[1], int(match[2])) if match else None


@dataclass(frozen=True)
class Source:
    """Where a model's base model came from, as fetch wrote it."""

    name: str
    family: str
    license: str
    parameters: int


def read_source(folder: Path, model: str) -> Source:
    """The model's source."""
    found = read_json(folder / f"{model}.json")
    return Source(found["name"], found["family"], found["license"], found["parameters"])
