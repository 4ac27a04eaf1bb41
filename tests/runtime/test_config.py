"""params.yaml: the project's own file is right, and every mistake is named by its key."""

import copy
import datetime
import functools
import re
import tempfile
from pathlib import Path
from typing import Any

import pytest
from dvc.exceptions import DvcException
from dvc.utils.serialize import load_yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.runtime import config, sections
from tasks.runtime.errors import InputError
from tasks.settings.generate import Generate
from tasks.settings.sweep import Sweep

ROOT = Path(__file__).parents[2]
Params = dict[str, Any]
WHEEL = "models.smollm2-135m.source"
PATH = {"kind": "path", "path": "m", "sha256": "1", "family": "f", "license": "l"}


@pytest.fixture
def params() -> Params:
    return copy.deepcopy(config.read_params(ROOT / "params.yaml"))


def put(params: Params, key: str, value: Any) -> None:
    *sections, last = key.split(".")
    for name in sections:
        params = params[name]
    params[last] = value


def mistakes(params: Params) -> list[str]:
    with pytest.raises(InputError) as caught:
        config.check(params)
    return str(caught.value).splitlines()


def test_the_projects_own_file_is_right(params: Params) -> None:
    config.check(params)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("generate.temprature", 1.0, "generate: unknown key 'temprature'; did you mean 'temperature'?"),
        ("generate.temperature", "hot", "generate.temperature: expected a number, found 'hot'"),
        ("generate.temperature", True, "generate.temperature: expected a number, found True"),
        ("generate.temperature", "1e-3", "generate.temperature: expected a number, found '1e-3'"),
        ("generate.temperature", 0.0, "generate.temperature: expected more than 0, found 0.0"),
        ("generate.top_p", 1.1, "generate.top_p: expected at most 1, found 1.1"),
        ("generate.seed", "1", "generate.seed: expected a whole number, found '1'"),
        ("generate.seed", True, "generate.seed: expected a whole number, found True"),
        ("generate.batch_size", 1.5, "generate.batch_size: expected a whole number, found 1.5"),
        ("generate.batch_size", 0, "generate.batch_size: expected at least 1, found 0"),
        ("generate.samples", 3, "generate.samples: expected keys and values, found 3"),
        ("generate.samples.test", -1, "generate.samples.test: expected at least 0, found -1"),
        ("models.smollm2-135m.finetune.epochs", None, "finetune.epochs: expected a whole number, found nothing"),
        ("extra", {}, "unknown section 'extra'; known are adherence, arms, "),
        ("sweep.models", ["gpt-9"], "sweep.models: 'gpt-9' is not in the catalogue `models`; known are smollm2"),
        ("sweep.models", [], "sweep.models: expected a list of different names"),
        ("sweep.arms", ["values"], "sweep.arms: expected base and then the tuned arms"),
        ("sweep.models", "smollm2-135m", "sweep.models: expected a list, found 'smollm2-135m'"),
        (f"{WHEEL}.kind", "ftp", f"{WHEEL}.kind: expected 'wheel' or 'hub' or 'path', found 'ftp'"),
        (f"{WHEEL}.file_sha256", "12", f"{WHEEL}.file_sha256: expected 64 hex digits"),
        (WHEEL, PATH, f"{WHEEL}.sha256: expected 64 hex digits, or null to be told them"),
        (WHEEL, {"id": "owner/name"}, f"{WHEEL}: missing key 'kind'"),
        ("models.pythia-70m.source.revision", "main", "source.revision: expected a commit of 40 hex digits, fo"),
        ("models.pythia-70m.source.file", "x", "models.pythia-70m.source: unknown key 'file'; known are kind, id, rev"),
        ("prompting.template", "Q:", "prompting.template: expected {question} in it, once"),
        ("prompting.template", "Q: {{question}}", "prompting.template: expected no braces but those of {question}, "),
        ("prompting.template", "{question} {answer}", "prompting.template: expected no braces but those of {question}"),
        ("prompting.template", "{question} }", "prompting.template: expected no braces but those of {question}, found"),
        ("prompting.stop", [""], "prompting.stop[0]: expected a text that is not empty, found ''"),
        ("generate.seed", -1, "generate.seed: expected at least 0, found -1"),
        ("arms.values.seed", 2**32, "arms.values.seed: expected less than 4294967296, found 4294967296"),
        ("prompting.stop", ["a", 1], "prompting.stop[1]: expected text, found 1"),
        ("prompting.template", datetime.date(2026, 1, 31), "template: expected text, found the date 2026-01-31; write"),
        ("probe.temperature", 0.0, "probe.temperature: expected more than 0, found 0.0"),
        ("probe.top_p", 1.5, "probe.top_p: expected at most 1, found 1.5"),
        ("probe.completions", 0, "probe.completions: expected at least 1, found 0"),
        ("probe.batch_size", 0, "probe.batch_size: expected at least 1, found 0"),
        ("finetune.max_tokens", 0, "finetune.max_tokens: expected at least 1, found 0"),
        ("arms.values.dataset", "a - b", "arms.values.dataset: a name is made of"),
        ("significance.confidence", 95, "significance.confidence: expected a number between 0 and 1, found 95"),
        ("significance.control", "values", "significance.control: expected another dataset than"),
        ("cooccurrence.other_priors", [1.0, 0], "cooccurrence.other_priors[1]: expected more than 0, found 0"),
        ("capability.margins.sciq.margin", 1, "capability.margins.sciq.margin: expected a number between 0 and 1, fo"),
        ("capability.margins.sciq.chance", 1, "capability.margins.sciq.chance: expected less than 1, found 1"),
        ("resources", None, "resources: expected keys and values, found nothing"),
        ("resources.finetune", {}, "resources.finetune: expected an entry `default`"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_key(params: Params, key: str, value: Any, message: str) -> None:
    put(params, key, value)
    (line,) = mistakes(params)
    assert line.startswith("params.yaml: ")
    assert message in line


def test_every_mistake_of_the_file_is_named_at_once(params: Params) -> None:
    del params["generate"]["seed"], params["report"]
    params["models"]["smollm2-1.7b"] = params["models"]["pythia-70m"]
    put(params, "curate.max_words", "many")
    assert mistakes(params) == [
        "params.yaml: the section 'report' is missing",
        "params.yaml: curate.max_words: expected a whole number, found 'many'",
        "params.yaml: generate: missing key 'seed'",
        "params.yaml: models: 'smollm2-1.7b': a name is made of a-z, 0-9, - and _",
    ]


@pytest.mark.parametrize("name", [160, 2e4, True, None, datetime.date(2026, 1, 31)])
def test_a_name_that_yaml_reads_as_something_else_is_to_be_quoted(params: Params, name: Any) -> None:
    params["models"][name] = params["models"]["pythia-70m"]
    assert f"params.yaml: models: {name!r}: expected text; write the name in quotes" in mistakes(params)


SCALARS = [
    *("010", "0o10", "0x1F", "0b11", "1_000", "+1", "-010", "09", "1e-3", "2e-4", "1E+3", "1.e3", "+.5", ".5", "1."),
    *("no", "yes", "on", "off", "y", "True", "~", "null", "12:30:00", "1:30", "190:20:30.15", "2026-01-31", "text"),
    *("2001-12-14t21:59:43.10-05:00", "'1'", '"\\x41"', "!!int 3", "!!float 3", "!!str 3", ".inf", "-.INF", "a #b"),
]
FILES = [
    *("\ufeffa: 1", "a: &x {b: 1}\nc: {<<: *x, d: 2}", "<<: {a: 1}\na: 2", "%YAML 1.1\n---\na: no", "a:\tb"),
    *("1: a\nno: b\nnull: c\n2e4: d", "a: 1\r\nb: 2\r\n", "a: 1\rb: 2", "? [a]\n: b", 'a: "b\u0085c\u2028d"'),
    *("a: !!binary aGk=", "a: |\n  b\n", "generate: {seed: 010, temperature: 1e-3}"),
    *(f"a: {scalar}" for scalar in SCALARS),
]
NO_FILES = [
    *("a: 1\na: 2", "a: {b: 1, b: 2}", "a: 1\n---\nb: 2", "a: &x 1\nb: &x 2", "a: *b", "a: [1", "a: " + "[" * 3000),
    *("a: 2026-13-31", "a: -_", "a: =", "a: <<", "a: !foo 1", 'a: "\\q"', "a: \x07", "a: @b"),
]


@pytest.mark.parametrize("content", FILES)
def test_params_are_read_as_dvc_reads_them(tmp_path: Path, content: str) -> None:
    """What dvc.lock records is what the stage computed with, to the type."""
    path = tmp_path / "params.yaml"
    path.write_bytes(content.encode())
    assert repr(config.read_params(path)) == repr(load_yaml(path))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from([*"0123456789+-_.:eEoxbnyNT~=<#'\" ", "yes", "null", ".inf", "1e", ": "]), max_size=6))
def test_whatever_stands_behind_a_key_is_read_as_dvc_reads_it(parts: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "params.yaml")
        path.write_text(f"a: {''.join(parts)}\n", "utf-8")
        try:
            read = config.read_params(path)
        except InputError:
            with pytest.raises((DvcException, ValueError)):
                load_yaml(path)
        else:
            assert repr(read) == repr(load_yaml(path))


@pytest.mark.parametrize("content", NO_FILES, ids=lambda content: content[:12])
def test_what_dvc_cannot_read_is_one_line(tmp_path: Path, content: str) -> None:
    (tmp_path / "params.yaml").write_text(content, "utf-8")
    with pytest.raises(InputError, match=r"params\.yaml: not valid YAML: \S") as caught:
        config.read_params(tmp_path / "params.yaml")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("key", "written", "read"),
    [
        ("generate.seed", "010", 10),
        ("generate.seed", "0o10", 8),
        ("generate.seed", "1_000", 1000),
        ("generate.temperature", "1e-3", 0.001),
        ("models.smollm2-135m.finetune.learning_rate", "2e-4", 2e-4),
        ("curate.language", "no", "no"),
        ("generate.seed", "12:30:00", "expected a whole number, found '12:30:00'"),
        ("generate.temperature", "1,5", "expected a number, found '1,5'"),
        ("prompting.chat", "yes", "expected true or false, found 'yes'"),
        ("prompting.chat", "no", "expected true or false, found 'no'"),
        ("report.title", "2026-01-31", "expected text, found the date 2026-01-31; write it in quotes"),
        ("report.title", "2026", "expected text, found 2026; write it in quotes"),
    ],
)
def test_what_yaml_1_1_reads_otherwise(tmp_path: Path, key: str, written: str, read: Any) -> None:
    """The value that reaches the stage, or what is said."""
    lines, section = (ROOT / "params.yaml").read_text("utf-8").splitlines(), ""
    for number, line in enumerate(lines):
        section = line.partition(":")[0] if line[:1].isalpha() else section
        if section == key.partition(".")[0] and re.match(rf"  +(finetune: \{{)?{key.rpartition('.')[2]}:", line):
            lines[number] = re.sub(rf"({key.rpartition('.')[2]}: )[^,}}#]+", rf"\g<1>{written} ", line)
            break
    (tmp_path / "params.yaml").write_text("\n".join(lines), "utf-8")
    params = config.read_params(tmp_path / "params.yaml")
    if isinstance(read, str) and read.startswith("expected"):
        assert mistakes(params) == [f"params.yaml: {key}: {read}"]
    else:
        config.check(params)
        assert repr(functools.reduce(lambda value, name: value[name], key.split("."), params)) == repr(read)


def test_a_file_that_is_no_yaml_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("a: [1\nb: 2")
    with pytest.raises(InputError, match="not valid YAML") as caught:
        config.read_params(tmp_path / "params.yaml")
    assert "\n" not in str(caught.value)


def test_whole_numbers_are_numbers_and_lists_become_tuples(params: Params) -> None:
    params["generate"]["temperature"] = 1
    assert config.section(params, "generate", Generate).temperature == 1.0
    assert config.section(params, "sweep", Sweep).tuned == ("values", "control")


def test_a_section_is_found_by_its_line_in_any_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "tasks"
    (package / "deep").mkdir(parents=True)
    (package / "toy.py").write_text('@section("toy")\nclass Toy: ...\n\n# @section("no")\n')
    (package / "deep" / "things.py").write_text('    @section("no")\n@section("things.*")\nclass Thing: ...\n')
    monkeypatch.setattr(sections, "PACKAGE", package)
    assert sections.modules.__wrapped__() == {"things.*": "tasks.deep.things", "toy": "tasks.toy"}
