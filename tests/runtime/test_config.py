"""params.yaml: the project's own file is right, and every mistake is named by its key."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tasks.runtime import config
from tasks.runtime.errors import InputError
from tasks.settings.generate import Generate
from tasks.settings.sweep import Sweep

ROOT = Path(__file__).parents[2]
Params = dict[str, Any]


@pytest.fixture
def params() -> Params:
    return copy.deepcopy(config.read_params(ROOT / "params.yaml"))


def test_the_projects_own_file_is_right(params: Params) -> None:
    config.check(params)


def test_every_rung_of_the_catalogue_has_training_settings(params: Params) -> None:
    assert set(params["finetune"]["models"]) == set(params["models"])


def put(*path: str, value: Any) -> Callable[[Params], None]:
    def change(params: Params) -> None:
        for key in path[:-1]:
            params = params[key]
        params[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put("generate", "temprature", value=1.0), "generate: unknown key 'temprature'; known are samples"),
        (put("generate", "temperature", value="hot"), "generate.temperature: expected a number, found 'hot'"),
        (put("generate", "temperature", value=True), "generate.temperature: expected a number, found True"),
        (put("generate", "temperature", value=0.0), "generate: expected temperature above 0"),
        (put("generate", "batch_size", value=1.5), "generate.batch_size: expected a whole number, found 1.5"),
        (put("generate", "samples", value=3), "generate.samples: expected keys and values, found 3"),
        (
            put("finetune", "models", "smollm2-135m", "epochs", value=None),
            "epochs: expected a whole number, found noth",
        ),
        (put("extra", value={}), "unknown section 'extra'; known are sweep"),
        (put("sweep", "models", value=["gpt-9"]), "sweep.models: 'gpt-9' is not in the catalogue `models` (smollm2"),
        (put("sweep", "models", value=[]), "sweep.models: expected a list of different names"),
        (put("sweep", "arms", value=["values"]), "sweep.arms: expected base and then the tuned arms"),
        (put("sweep", "models", value="smollm2-135m"), "sweep.models: expected a list, found 'smollm2-135m'"),
        (put("models", "smollm2-1.7b", value={}), "models: 'smollm2-1.7b': a name is made of a-z, 0-9, - and _"),
        (put("models", "smollm2-135m", "source", value="ftp"), "source: expected wheel or hub or path, found 'ftp'"),
        (put("models", "smollm2-135m", "file_sha256", value="12"), "file_sha256: expected 64 hex digits"),
        (put("prompting", "template", value="Q:"), "prompting.template: expected {question} in it, once"),
        (put("prompting", "stop", value=["a", 1]), "prompting.stop[1]: expected text, found 1"),
        (put("generate", "batch_size", value=0), "generate.batch_size: expected at least 1, found 0"),
        (put("generate", "samples", "test", value=0), "generate.samples.test: expected at least 1, found 0"),
        (put("adherence", "batch_size", value=0), "adherence.batch_size: expected at least 1, found 0"),
        (put("finetune", "common", "max_tokens", value=0), "finetune.common.max_tokens: expected at least 1, found 0"),
        (put("arms", "values", "dataset", value="a - b"), "arms.values.dataset: a name is made of"),
        (put("significance", "confidence", value=95), "significance.confidence: expected a number between 0 and 1, fo"),
        (put("significance", "permutations", value=0), "significance.permutations: expected at least 1, found 0"),
        (put("significance", "control", value="values"), "significance.control: expected another dataset than"),
        (
            put(
                "models",
                "smollm2-135m",
                value={"source": "path", "path": "m", "sha256": "1", "family": "f", "license": "l"},
            ),
            "models.smollm2-135m.sha256: expected 64 hex digits, or null to be told them",
        ),
        (put("resources", value=None), "resources: expected keys and values, found nothing"),
        (put("resources", "finetunes", value={}), "resources: unknown key 'finetunes'; known are finetune"),
        (put("resources", "finetune", value=4), "resources.finetune: expected keys and values, found 4"),
        (put("resources", "finetune", value={}), "resources.finetune: expected an entry `default`"),
        (put("resources", "finetune", "default", "micro_batch_size", value=0), "micro_batch_size: expected at least 1"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_key(
    params: Params, change: Callable[[Params], None], message: str
) -> None:
    change(params)
    with pytest.raises(InputError) as caught:
        config.check(params)
    assert message in str(caught.value)
    assert str(caught.value).startswith("params.yaml: ")
    assert "\n" not in str(caught.value)


def test_a_missing_key_is_named(params: Params) -> None:
    del params["generate"]["seed"]
    with pytest.raises(InputError, match=r"generate: missing key 'seed'"):
        config.check(params)


def test_a_file_that_is_no_yaml_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("a: [1\nb: 2")
    with pytest.raises(InputError, match="not valid YAML") as caught:
        config.read_params(tmp_path / "params.yaml")
    assert "\n" not in str(caught.value)


def test_whole_numbers_are_numbers_and_lists_become_tuples(params: Params) -> None:
    params["generate"]["temperature"] = 1
    assert config.section(params, "generate", Generate).temperature == 1.0
    assert config.section(params, "sweep", Sweep).tuned == ("values", "control")
