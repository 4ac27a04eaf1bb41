"""params.yaml as frozen, typed classes: one per section, no defaults, every mistake named by its key.

The numbers of an experiment stand in params.yaml and nowhere else, so no class here has a default: a
missing key is an error, and so is one that nobody reads.
"""

import dataclasses
import re
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml

from tasks.runtime.errors import InputError

T = TypeVar("T")


def require_least(least: int, section: Any, *keys: str) -> None:
    """Raises ValueError for the first of these keys of `section` that is less than `least`."""
    for key in keys:
        if getattr(section, key) < least:
            raise ValueError(f"{key}: expected at least {least}, found {getattr(section, key)}")


def require_share(section: Any, key: str) -> None:
    """Raises ValueError unless this key of `section` lies between 0 and 1."""
    if not 0 < getattr(section, key) < 1:
        raise ValueError(f"{key}: expected a number between 0 and 1, found {getattr(section, key):g}")


PARAMS_FILE = Path("params.yaml")
NAME = re.compile(r"[a-z0-9_-]+")  # models and arms; a dot would break DVC's parameter paths
SHA256 = re.compile(r"[0-9a-f]{64}")
COMMIT = re.compile(r"[0-9a-f]{40}")


def require_language(code: str) -> None:
    """Raises ValueError for what is no ISO 639 code."""
    if not re.fullmatch(r"[a-z]{2,3}", code):
        raise ValueError(f"language: expected an ISO 639 code such as en, found '{code}'")


def read_params(path: Path = PARAMS_FILE) -> dict[str, Any]:
    """The whole params file as plain values. Raises InputError if it cannot be read."""
    try:
        loaded = yaml.safe_load(path.read_text("utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: not found; run this in the project's folder") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(loaded, dict):
        raise InputError(f"{path}: expected sections, found {_kind(loaded)}")
    return loaded


def section(params: Mapping[str, Any], key: str, cls: type[T], source: Path = PARAMS_FILE) -> T:
    """The section at the dotted `key` as `cls`. Raises InputError naming the wrong key."""
    value: Any = params
    for part in key.split("."):
        if not isinstance(value, Mapping) or part not in value:
            known = ", ".join(sorted(value)) if isinstance(value, Mapping) else "nothing"
            raise InputError(f"{source}: '{key}' is missing ('{part}' is not among: {known})")
        value = value[part]
    return typing.cast(T, build(cls, value, f"{source}: {key}"))


def sections() -> Mapping[str, Any]:
    """What each section of params.yaml is."""
    from tasks.settings import (
        adherence,
        capability,
        cooccurrence,
        curate,
        finetune,
        generate,
        models,
        probe,
        prompting,
        report,
        resources,
        significance,
        sweep,
        toxicity,
    )  # fmt: skip

    return {
        "sweep": sweep.Sweep,
        "arms": dict[str, sweep.Arm],
        "models": dict[str, models.ModelSource],
        "prompting": prompting.Prompting,
        "curate": curate.Curate,
        "finetune": finetune.Finetune,
        "generate": generate.Generate,
        "adherence": adherence.Adherence,
        "capability": capability.Capability,
        "toxicity": toxicity.Toxicity,
        "probe": probe.Probe,
        "cooccurrence": cooccurrence.Cooccurrence,
        "significance": significance.Significance,
        "report": report.Report,
        "resources": resources.Resources,
    }


def check(params: Mapping[str, Any], source: Path = PARAMS_FILE) -> None:
    """Raises InputError for the first thing that is wrong anywhere in the file."""
    known_sections = sections()
    if unknown := sorted(set(params) - set(known_sections)):
        raise InputError(f"{source}: unknown section '{unknown[0]}'; known are {', '.join(known_sections)}")
    for catalogue in ("models", "arms"):
        found = params.get(catalogue)
        for name in found if isinstance(found, Mapping) else ():
            if not isinstance(name, str) or not NAME.fullmatch(name):
                raise InputError(f"{source}: {catalogue}: '{name}': a name is made of a-z, 0-9, - and _")
    built = {key: section(params, key, kind, source) for key, kind in known_sections.items()}
    sweep = built["sweep"]
    chosen = (("models", sweep.models, "models"), ("tuned", sweep.tuned, "arms"), ("models", sweep.models, "models"))
    for key, names, catalogue in chosen:
        known = built["finetune"].models if catalogue == "models" else built[catalogue]
        where = "finetune.models" if catalogue == "models" else f"the catalogue `{catalogue}`"
        if unknown := [name for name in names if name not in known]:
            raise InputError(f"{source}: sweep.{key}: '{unknown[0]}' is not in {where} ({', '.join(known)})")


def build(kind: Any, value: Any, where: str) -> Any:
    """`value` as the annotated type `kind`; raises InputError with `where` and the key in it."""
    if kind is Any:
        return value
    if dataclasses.is_dataclass(kind):
        return _build_class(typing.cast(type, kind), value, where)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return _build_union(arguments, value, where)
    if origin is Literal:
        if value in arguments:
            return value
        raise InputError(f"{where}: expected {' or '.join(map(repr, arguments))}, found {value!r}")
    if origin is tuple and isinstance(value, list):
        return tuple(build(arguments[0], item, f"{where}[{i}]") for i, item in enumerate(value))
    if origin is dict and isinstance(value, dict):
        return {str(k): build(arguments[1], item, f"{where}.{k}") for k, item in value.items()}
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if kind in (int, str, bool) and type(value) is kind:
        return value
    raise InputError(f"{where}: expected {_name(kind)}, found {_kind(value)}")


def _build_class(cls: type, value: Any, where: str) -> Any:
    if not isinstance(value, Mapping):
        raise InputError(f"{where}: expected keys and values, found {_kind(value)}")
    hints = typing.get_type_hints(cls)
    if unknown := sorted(set(value) - set(hints)):
        raise InputError(f"{where}: unknown key '{unknown[0]}'; known are {', '.join(hints)}")
    if missing := [key for key in hints if key not in value]:
        raise InputError(f"{where}: missing key '{missing[0]}'")
    built = {key: build(hint, value[key], f"{where}.{key}") for key, hint in hints.items()}
    try:
        return cls(**built)
    except ValueError as error:
        raise InputError(f"{where}.{error}" if ":" in str(error) else f"{where}: {error}") from None


def _build_union(members: tuple[Any, ...], value: Any, where: str) -> Any:
    if value is None and type(None) in members:
        return None
    classes = [member for member in members if dataclasses.is_dataclass(member)]
    if not classes:
        return build(next(m for m in members if m is not type(None)), value, where)
    sources = {typing.get_args(typing.get_type_hints(cls)["source"])[0]: cls for cls in classes}
    found = value.get("source") if isinstance(value, Mapping) else None
    if found not in sources:
        raise InputError(f"{where}.source: expected {' or '.join(sources)}, found {found!r}")
    return build(sources[found], value, where)


def _name(kind: Any) -> str:
    names = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
    origin = typing.get_origin(kind)
    return names.get(kind) or {tuple: "a list", dict: "keys and values"}.get(origin, str(kind))


def _kind(value: Any) -> str:
    return "nothing" if value is None else f"{value!r}"[:80]
