"""params.yaml: its sections as frozen, typed classes, and every mistake named by its key.

The numbers of an experiment stand in params.yaml and nowhere else, so no class has a default, but for `resources`,
which decide no result: a missing key is an error, and so is one that nobody reads.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

from tasks.runtime import sections
from tasks.runtime.errors import InputError, instead, nearest
from tasks.runtime.files import read_yaml
from tasks.runtime.validation import parse

T = TypeVar("T")
PARAMS_FILE = Path("params.yaml")


def read_params(path: Path = PARAMS_FILE) -> dict[str, Any]:
    """The whole params file as plain values. Raises InputError if it cannot be read."""
    if not path.exists():
        raise InputError(f"{path}: not found; run this in the project's folder")
    loaded = read_yaml(path)
    if not isinstance(loaded, dict):
        raise InputError(f"{path}: expected sections, found {'nothing' if loaded is None else repr(loaded)[:80]}")
    return loaded


def section(params: Mapping[str, Any], key: str, kind: type[T], source: Path = PARAMS_FILE) -> T:
    """The section at the dotted `key` as `kind`. Raises InputError with a line for each mistake."""
    value: Any = params
    for name in key.split("."):
        if not isinstance(value, Mapping) or name not in value:
            known = sorted(map(str, value)) if isinstance(value, Mapping) else ()
            raise InputError(f"{source}: '{key}' is missing: no '{name}'; {instead(name, known)}")
        value = value[name]
    parsed, problems = parse(kind, value, f"{source}: {key}")
    if problems:
        raise InputError("\n".join(problems))
    return cast(T, parsed)


def check(params: Mapping[str, Any], source: Path = PARAMS_FILE) -> None:
    """Raises InputError with a line for each thing that is wrong anywhere in the file."""
    kinds = sections.kinds()
    lacking = [name for name in kinds if name not in params]
    unknown = {str(name): nearest(str(name), lacking) for name in params if name not in kinds}
    problems = [
        f"{source}: unknown section '{name}'; {instead(name, lacking if near else kinds)}"
        for name, near in unknown.items()
    ]
    misspelt = set(unknown.values())
    problems += [f"{source}: the section '{name}' is missing" for name in lacking if name not in misspelt]
    for name in [name for name in kinds if name in params]:
        problems += parse(kinds[name], params[name], f"{source}: {name}")[1]
    names = _names(params, source)
    if any(line.startswith(f"{source}: sweep.tuned: ") for line in names):  # what is wrong with `arms` follows from it
        problems = [line for line in problems if not line.startswith(f"{source}: sweep.arms: ")]
    problems += names
    if problems:
        raise InputError("\n".join(problems))


def _names(params: Mapping[str, Any], source: Path) -> list[str]:
    """What is wrong with the names of models and arms, and with those that the sweep chooses."""
    sweep = params.get("sweep")
    problems = []
    for catalogue, key in (("models", "models"), ("arms", "tuned")):
        known, chosen = params.get(catalogue), sweep.get(key) if isinstance(sweep, Mapping) else ()
        if not isinstance(known, Mapping) or not isinstance(chosen, list):
            continue  # which has been told
        wrong = [name for name in known if not sections.NAME.fullmatch(str(name))]
        problems += [f"{source}: {catalogue}: '{name}': {sections.NAME_RULE}" for name in wrong]
        no_text = [name for name in known if not isinstance(name, str)]  # 160, 2e4, null and true are keys of YAML too
        problems += [f"{source}: {catalogue}: {name!r}: expected text; write the name in quotes" for name in no_text]
        lacking = f"is not in the catalogue `{catalogue}`"
        problems += [
            f"{source}: sweep.{key}: '{name}' {lacking}; {instead(name, known)}" for name in chosen if name not in known
        ]
    return problems
