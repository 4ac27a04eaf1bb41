"""dvc.yaml, params.yaml, the commands and the import closure say the same thing.

A dependency that dvc.yaml does not name leaves stale results behind when it is edited; a parameter that a
stage reads but does not track does the same.
"""

import ast
import importlib
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from tasks.__main__ import STAGES
from tasks.command import Command

ROOT = Path(__file__).parents[1]
STANZAS: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text("utf-8"))["stages"]
PARAMS: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))

# modules whose edit changes how a stage is reached or reported, not what it computes
HELPERS = {
    "tasks/__init__.py",
    "tasks/engines/__init__.py",
    "tasks/command.py",
    "tasks/config.py",
    "tasks/errors.py",
    "tasks/files.py",
    "tasks/guard.py",
    "tasks/imports.py",
    "tasks/launch.py",
    "tasks/parent.py",
    "tasks/progress.py",
}
# folders of backends, imported by name when they are used: a stage that looks one up there depends on them all
BACKENDS = {"tasks/scorers", "tasks/taggers", "tasks/lexicons"}
NAMES = {"${key}": "{arm}", "${item.arm}": "{arm}", "${item.model}": "{rung}"}


def stanza(stage: str) -> dict[str, Any]:
    found: dict[str, Any] = STANZAS[stage]
    return found.get("do", found)


def command(stage: str) -> Command:
    found: Command = importlib.import_module(f"tasks.{stage}").COMMAND
    return found


def flags(stage: str) -> dict[str, str]:
    words = shlex.split(stanza(stage)["cmd"])
    assert words[:4] == ["python", "-m", "tasks", stage]
    return {flag.removeprefix("--"): value for flag, value in zip(words[4::2], words[5::2], strict=True)}


def paths(entries: list[Any]) -> list[str]:
    return [next(iter(entry)) if isinstance(entry, dict) else entry for entry in entries]


def outs(stage: str) -> list[str]:
    return [path for key in ("outs", "plots", "metrics") for path in paths(stanza(stage).get(key, []))]


def imported(module: Path) -> set[str]:
    """First-party modules that a file imports, anywhere in it, as paths from the root."""
    names = set()
    for node in ast.walk(ast.parse(module.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    found = {path for name in names if name.startswith("tasks") and (path := module_path(name))}
    return {str(path.relative_to(ROOT)) for path in found}


def module_path(name: str) -> Path | None:
    base = ROOT / name.replace(".", "/")
    candidates = (base.with_suffix(".py"), base / "__init__.py")
    return next((path for path in candidates if path.is_file()), None)


def closure(start: str) -> set[str]:
    """Every first-party module that importing `start` brings in, helpers and their own imports left out."""
    todo, seen = [start], set()
    while todo:
        path = todo.pop()
        if path not in seen and path not in HELPERS:
            seen.add(path)
            todo += imported(ROOT / path)
    return seen


def covered(path: str, deps: list[str]) -> bool:
    return any(path == dep or path.startswith(f"{dep}/") for dep in deps)


def filled(dep: str) -> str:
    """The path with the values of params.yaml in it."""

    def value(found: re.Match[str]) -> str:
        section, *keys = found.group(1).split(".")
        if section == "item":
            return found.group(0)
        entry = PARAMS[section]
        for key in keys:
            entry = entry[key]
        return str(entry)

    return re.sub(r"\$\{(\w+(?:\.\w+)+)\}", value, dep)


def test_every_stage_has_a_stanza_and_a_description() -> None:
    assert set(STANZAS) == set(STAGES)
    for stage in STAGES:
        assert stanza(stage).get("desc"), stage
        assert stanza(stage).get("meta", {}).get("slot") in {"cpu", "gpu"}, stage


@pytest.mark.parametrize("stage", STAGES)
def test_flags_are_the_ones_the_command_declares(stage: str) -> None:
    declared = command(stage)
    assert set(flags(stage)) == {*declared.inputs, *declared.outputs, *declared.names}


@pytest.mark.parametrize("stage", STAGES)
def test_every_input_is_a_dep_and_every_output_an_out(stage: str) -> None:
    declared, given = command(stage), flags(stage)
    deps = paths(stanza(stage).get("deps", []))
    assert {given[name] for name in declared.inputs} == {dep for dep in deps if not dep.startswith("tasks/")}
    assert {given[name] for name in declared.outputs} == set(outs(stage))


@pytest.mark.parametrize("stage", STAGES)
def test_tracked_params_are_the_ones_it_reads(stage: str) -> None:
    tracked = set()
    for key in stanza(stage).get("params", []):
        for template, name in NAMES.items():
            key = key.replace(template, name)
        tracked.add(key)
    assert tracked == set(command(stage).params)


@pytest.mark.parametrize("stage", STAGES)
def test_deps_name_every_module_that_can_change_the_result(stage: str) -> None:
    deps = [filled(dep) for dep in paths(stanza(stage)["deps"])]
    code = [dep for dep in deps if dep.startswith("tasks/")]
    needed = closure(f"tasks/{stage}.py")
    backends = {str(path.relative_to(ROOT)) for dep in code for path in (ROOT / dep).glob("*.py") if dep in BACKENDS}
    needed |= {module for backend in backends for module in closure(backend)}
    missing = sorted(path for path in needed if not covered(path, code))
    assert not missing, f"{stage}: not among the deps in dvc.yaml: {missing}"
    idle = [dep for dep in code if not any(covered(path, [dep]) for path in needed)]
    assert not idle, f"{stage}: deps that it does not import: {idle}"


def test_no_machine_detail_is_tracked() -> None:
    for stage in STAGES:
        keys = stanza(stage).get("params", [])
        assert not any(key.startswith(("resources", "models.")) for key in keys if stage != "fetch"), stage
        assert not any(key.startswith("resources") for key in keys), stage


def imports_of(package: str) -> set[str]:
    names = set()
    for path in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.split(".")[0])
    return names


def test_tasks_know_nothing_of_prefect_and_flows_nothing_of_models() -> None:
    assert "prefect" not in imports_of("tasks")
    assert not {"torch", "transformers"} & imports_of("flows")
