"""The cells of a sweep's ladder: what a fan-in stage reads, and nothing that a dropped rung left behind."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tasks.config import Arm, Sweep
from tasks.errors import InputError
from tasks.files import read_json

BASE = "base"


@dataclass(frozen=True)
class Cell:
    """One rung × arm. `dataset` is what the arm was trained on (`base`: nothing), `seed` its seed (base: 0)."""

    rung: str
    arm: str
    dataset: str
    seed: int


def cells(sweep: Sweep, arms: Mapping[str, Arm]) -> Iterator[Cell]:
    """Every cell of the ladder, rungs first. Raises InputError for an arm that the catalogue lacks."""
    for rung in sweep.models:
        for arm in sweep.arms:
            if arm == BASE:
                yield Cell(rung, arm, BASE, 0)
            elif arm in arms:
                yield Cell(rung, arm, subject(arms[arm]), arms[arm].seed)
            else:
                known = ", ".join(arms)
                raise InputError(f"params.yaml: sweep.arms: '{arm}' is not in the catalogue `arms` ({known})")


def subject(arm: Arm) -> str:
    """What an arm stands for in a comparison: its dataset, or a smaller share of it, which is another one."""
    return arm.dataset if arm.limit is None else f"{arm.dataset}-n{arm.limit}"


@dataclass(frozen=True)
class Source:
    """Where a rung's base model came from, as fetch wrote it."""

    name: str
    family: str
    license: str
    parameters: int


def read_source(folder: Path, rung: str) -> Source:
    """The rung's source."""
    found = read_json(folder / f"{rung}.json")
    return Source(found["name"], found["family"], found["license"], found["parameters"])
