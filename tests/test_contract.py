"""dvc.yaml, params.yaml, the commands and the import closure say the same thing.

A dependency that dvc.yaml does not name leaves stale results behind when it is edited; a parameter that a
stage reads but does not track does the same.
"""

import ast
import importlib
import re
import shlex
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
import yaml

from tasks.__main__ import STAGES
from tasks.runtime import sections
from tasks.runtime.command import Command
from tests.support.closure import closure, has_code

ROOT = Path(__file__).parents[1]
STANZAS: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text("utf-8"))["stages"]
PARAMS: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))

# how a stage is run, reached and reported: an edit there changes no result
HELPERS = ("tasks/runtime/", "tasks/settings/")
NAMES = {"${key}": "{arm}", "${item.arm}": "{arm}", "${item.model}": "{model}"}


def stanza(stage: str) -> dict[str, Any]:
    return STANZAS[stage].get("do", STANZAS[stage])


def command(stage: str) -> Command:
    return importlib.import_module(f"tasks.{stage}").COMMAND


def flags(stage: str) -> dict[str, str]:
    words = shlex.split(stanza(stage)["cmd"])
    assert words[:4] == ["python", "-m", "tasks", stage]
    return {flag.removeprefix("--"): value for flag, value in zip(words[4::2], words[5::2], strict=True)}


def paths(entries: list[Any]) -> list[str]:
    return [next(iter(entry)) if isinstance(entry, dict) else entry for entry in entries]


def outs(stage: str) -> list[str]:
    return [path for key in ("outs", "plots", "metrics") for path in paths(stanza(stage).get(key, []))]


def files_of(dep: str) -> set[str]:
    """The code files that a dep names: itself, or those of its folder that hold code."""
    files = [ROOT / dep] if (ROOT / dep).is_file() else (ROOT / dep).rglob("*.py")
    return {path.relative_to(ROOT).as_posix() for path in files if has_code(path)}


def alternatives(dep: str) -> list[str]:
    """Every backend that could stand where a dep has one chosen by name: its files, or its folders."""
    backends = [path for path in ROOT.glob(re.sub(r"\$\{[\w.]+\}", "*", dep)) if path.name != "__init__.py"]
    same_kind = [path.relative_to(ROOT).as_posix() for path in backends if path.is_file() == dep.endswith(".py")]
    return [path for path in same_kind if files_of(path)]


def filled(dep: str) -> str:
    """The path with the values of params.yaml in it."""

    return re.sub(r"\$\{(?!item\.)(\w+(?:\.\w+)+)\}", lambda match: str(entry(match[1])), dep)


def entry(key: str) -> Any:
    """What stands in params.yaml at a dotted key."""
    return reduce(lambda section, name: section[name], key.split("."), PARAMS)


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
def test_deps_name_every_module_that_can_change_the_result_and_no_other(stage: str) -> None:
    code = [dep for dep in paths(stanza(stage)["deps"]) if dep.startswith("tasks/")]
    backends = {path for dep in code if "${" in dep for path in chosen_among(dep, stage)}
    own = closure(f"tasks/{stage}.py", helpers=HELPERS)
    with_backends = own | closure(*backends, helpers=HELPERS)
    named = {path for dep in code for path in files_of(filled(dep))}
    missing = sorted((with_backends - backends | own) - named)
    assert not missing, f"{stage}: not among the deps in dvc.yaml: {missing}"
    unreachable = sorted(named - with_backends)
    assert not unreachable, f"{stage}: deps that it cannot reach: {unreachable}"


def chosen_among(dep: str, stage: str) -> set[str]:
    """The files of every backend that the stage could be given in this place."""
    files = {path for backend in alternatives(dep) for path in files_of(backend)}
    return files - closure(f"tasks/{stage}.py", helpers=HELPERS)


@pytest.mark.parametrize("stage", STAGES)
def test_params_are_keys_of_sections_that_are_declared(stage: str) -> None:
    first = {"model": PARAMS["sweep"]["models"][0], "arm": PARAMS["sweep"]["tuned"][0]}
    for key in command(stage).params:
        assert key.split(".")[0] in sections.kinds()
        entry(key.format(**first))


def test_no_machine_detail_is_tracked() -> None:
    """A training does not depend on where its base model came from, nor a model that is fetched on the training."""
    for stage in STAGES:
        keys = command(stage).params
        assert not any(key.startswith("resources") for key in keys), stage
        assert [key for key in keys if key.startswith("models.")] == {
            "fetch": ["models.{model}.source"], "finetune": ["models.{model}.finetune"]
        }.get(stage, []), stage


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
