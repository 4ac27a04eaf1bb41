"""The classes that say what the sections of params.yaml hold, found where they stand.

    @section("generate")        a whole section
    @section("arms.*")          each entry of a catalogue
    @part                       something within a section

A class may stand in any module of tasks/. It is found by its line `@section(`, and its module is imported when
params.yaml is checked, by every stage: a stage whose module is slow to import keeps its class in tasks/settings.
"""

import functools
import importlib
import re
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast, dataclass_transform

import pydantic.dataclasses
from pydantic import AfterValidator, ConfigDict, Field

T = TypeVar("T")
PACKAGE = Path(__file__).parents[1]
NAME = re.compile(r"[a-z0-9_-]+")  # models, arms and datasets; a dot would break DVC's parameter paths
COMMIT = re.compile(r"[0-9a-f]{40}")
NAME_RULE = "a name is made of a-z, 0-9, - and _"
_LINE = re.compile(r'^@section\("([\w-]+(?:\.\*)?)"\)$', re.MULTILINE)
_classes: dict[str, Any] = {}


@dataclass_transform(frozen_default=True)
def part(cls: type[T]) -> type[T]:
    """A frozen class whose fields are checked strictly; a key that it does not know is an error."""
    made: Any = pydantic.dataclasses.dataclass(cls, frozen=True, config=ConfigDict(strict=True, extra="forbid"))
    return cast(type[T], made)


@dataclass_transform(frozen_default=True)
def section(key: str) -> Callable[[type[T]], type[T]]:
    """A `part` that is the section `key` of params.yaml; `key.*` is each entry of a catalogue."""

    def register(cls: type[T]) -> type[T]:
        made = _classes[key] = part(cls)
        return made

    return register


@functools.cache
def modules() -> Mapping[str, str]:
    """The module of each section's class, by the section's key; read from the source text, without an import."""
    return {
        key: ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
        for path in sorted(PACKAGE.rglob("*.py"))
        for key in _LINE.findall(path.read_text("utf-8"))
    }


def kinds() -> dict[str, Any]:
    """The type of each section, by its name; imports their modules."""
    for module in dict.fromkeys(modules().values()):
        importlib.import_module(module)
    classes = {key.removesuffix(".*"): (key, _classes[key]) for key in sorted(modules())}
    return {name: types.GenericAlias(dict, (str, cls)) if "*" in key else cls for name, (key, cls) in classes.items()}


def matching(pattern: str | re.Pattern[str], rule: str) -> Any:
    """The check that the whole of a text matches `pattern`; `rule` says so to who wrote it."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(f"{rule}, found '{text}'")
        return text

    return AfterValidator(check)


def _share(value: float) -> float:
    if not 0 < value < 1:
        raise ValueError(f"expected a number between 0 and 1, found {value:g}")
    return value


def different(names: tuple[str, ...]) -> tuple[str, ...]:
    """The check that there are names, and none twice."""
    if not names or len(set(names)) != len(names):
        raise ValueError(f"expected a list of different names, found {list(names)}")
    return names


Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]  # what numpy, torch and the harness all take
Fraction = Annotated[float, Field(ge=0, le=1)]
Share = Annotated[float, AfterValidator(_share)]
Names = Annotated[tuple[str, ...], AfterValidator(different)]
Name = Annotated[str, matching(NAME, NAME_RULE)]
Language = Annotated[str, matching(r"[a-z]{2,3}", "expected an ISO 639 code such as en")]
Sha256 = Annotated[str, matching(r"[0-9a-f]{64}", "expected 64 hex digits")]
Commit = Annotated[str, matching(COMMIT, "expected a commit of 40 hex digits or null")]
