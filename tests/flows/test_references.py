"""Names in params.yaml that name nothing are told before anything runs, each in one line."""

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows import references
from tasks.runtime.config import read_params
from tasks.runtime.errors import InputError

ROOT = Path(__file__).parents[2]
SECONDS = 2.0
Change = Callable[[dict[str, Any]], object]
MISTAKES: dict[str, tuple[Change, str]] = {
    "scorer": (lambda p: p["toxicity"].update(scorer="ofline"), "toxicity.scorer: there is no 'ofline'; did you mean "
               "'offline'?"),
    "engine": (lambda p: p["generate"].update(engine="vlm"), "generate.engine: there is no 'vlm'; did you mean "
               "'vllm'?"),
    "tagger": (lambda p: p["cooccurrence"].update(tagger="hant"), "cooccurrence.tagger: there is no 'hant'; did you "
               "mean 'hanta'?"),
    "dataset": (lambda p: p["arms"]["values"].update(dataset="value"), "arms.values.dataset: no folder data/value with "
                "samples; did you mean 'values'?"),
    "target": (lambda p: p["significance"].update(target="vlaues"), "significance.target: no arm of sweep.tuned is "
               "trained on 'vlaues' (they are on control, values)"),
    "model": (lambda p: p["sweep"].update(models=["smollm2-135"]), "sweep.models: 'smollm2-135' is not in the "
              "catalogue `models`; did you mean 'smollm2-135m'?"),
    "tuned": (lambda p: p["sweep"].update(tuned=["valuse", "control"]),
              "sweep.tuned: 'valuse' is not in the catalogue `arms`; did you mean 'values'?"),
    "key": (lambda p: p["toxicity"].update(scorrer=p["toxicity"].pop("scorer")),
            "toxicity: unknown key 'scorrer'; did you mean 'scorer'?"),
    "section": (lambda p: p.update(toxcity=p.pop("toxicity")), "unknown section 'toxcity'; did you mean 'toxicity'?"),
    "task": (lambda p: p["capability"]["run"].update(tasks=["lambada_opnai"]), "capability.run: no task "
             "'lambada_opnai': neither a set, nor a file of data/capability, nor one of lm-evaluation-harness; did you "
             "mean 'lambada_openai'?"),
    "set of tune": (lambda p: p["tune"].update(capability="validations"), "tune.capability: there is no 'validations'; "
                    "did you mean 'validation'?"),
    "model of resources": (lambda p: p["resources"]["finetune"].update({"smollm2-135": {"micro_batch_size": 1}}),
                           "resources.finetune: 'smollm2-135' is no model of `models`; did you mean 'smollm2-135m'?"),
    "model of jobs": (lambda p: p["resources"]["jobs"]["probe"].update({"smollm2-135": {"cpus": 1, "memory_gb": 1,
                      "minutes": 1}}), "resources.jobs.probe: 'smollm2-135' is no model of `models`; did you mean "
                      "'smollm2-135m'?"),
    "processes": (lambda p: p["resources"]["finetune"].update(default={"micro_batch_size": 1, "processes": 3}),
                  "models.smollm2-135m: resources.finetune: 3 processes do not divide the global_batch_size 2"),
    "folder": (lambda p: p["models"]["smollm2-135m"].update(source={"kind": "path", "path": "~/nothing", "sha256": None,
               "family": "f", "license": "l"}), "models.smollm2-135m.source.path: ~/nothing: not found"),
    "arms that are one": (lambda p: (p["arms"].update(again=p["arms"]["values"]), p["sweep"].update(
                          tuned=["values", "control", "again"], arms=["base", "values", "control", "again"])),
                          "arms.again: the same as arms.values, values with seed 1; give it another"),
    "language of the tagger": (lambda p: p["cooccurrence"].update(language="es"), "cooccurrence.tagger 'hanta' knows "
                               "no 'es' (cooccurrence.language), only en, de, nl; choose another of hanta, spacy, "
                               "nltk"),
    "classifier's folder": (lambda p: (p["toxicity"].update(scorer="classifier"), p["toxicity"]["classifier"].update(
                            model="roberta-toxicity")), "toxicity.classifier.models.roberta-toxicity.id: data/models/"
                            "roberta-toxicity: no such folder"),
}  # fmt: skip


@pytest.fixture
def params() -> dict[str, Any]:
    return read_params(ROOT / "params.yaml")


def test_the_projects_own_parameters_name_what_is_there(params: dict[str, Any]) -> None:
    params["capability"]["run"]["tasks"] += ["standard", "hellaswag", "mmlu"]  # a set, a task and a group
    references.check(ROOT, params)


@pytest.mark.parametrize("name", MISTAKES)
def test_a_name_of_nothing_is_one_line(params: dict[str, Any], name: str) -> None:
    change, expected = MISTAKES[name]
    change(params)
    with pytest.raises(InputError) as refusal:
        references.check(ROOT, params)
    lines = str(refusal.value).splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith(f"params.yaml: {expected}")


def test_what_is_left_of_a_model_that_is_gone_is_no_mistake(params: dict[str, Any]) -> None:
    del params["models"]["pythia-2800m"]
    params["studies"]["sizes"]["models"] = ["pythia-2800m"]  # told by `palms sweep --study sizes`
    references.check(ROOT, params)


def test_arms_to_compare_are_needed_only_by_the_tests(params: dict[str, Any]) -> None:
    params["sweep"] |= {"tuned": ["values"], "arms": ["base", "values"]}
    references.check(ROOT, params, tests=False)
    with pytest.raises(InputError, match=r"significance\.control: no arm of sweep\.tuned is trained on 'control'"):
        references.check(ROOT, params)


def test_a_model_folder_says_which_file_it_lacks(tmp_path: Path, params: dict[str, Any]) -> None:
    source = {"kind": "path", "path": str(tmp_path), "sha256": None, "family": "f", "license": "l"}
    params["models"]["smollm2-135m"]["source"] = source
    for name, lack in (
        ("model.safetensors", "no .safetensors in this folder"),
        ("config.json", "no config.json in this folder"),
        ("tokenizer.json", "no tokenizer in this folder, which is one of: tokenizer.json, "),
    ):
        with pytest.raises(InputError) as refusal:
            references.check(ROOT, params)
        assert str(refusal.value).startswith(f"params.yaml: models.smollm2-135m.source.path: {tmp_path}: {lack}")
        (tmp_path / name).touch()
    references.check(ROOT, params)


def test_what_a_mistake_of_type_brings_with_it_is_not_told(params: dict[str, Any]) -> None:
    params["arms"]["values"]["dataset"] = 3
    params["significance"]["target"] = "nothing"
    with pytest.raises(InputError) as refusal:
        references.check(ROOT, params)
    (line,) = str(refusal.value).splitlines()
    assert line == "params.yaml: arms.values.dataset: expected text, found 3; write it in quotes"


@pytest.mark.parametrize(
    ("command", "mistake"), [*(("sweep", name) for name in MISTAKES), ("check", "scorer"), ("models", "scorer")]
)
def test_every_command_says_so_at_once(tmp_path: Path, params: dict[str, Any], command: str, mistake: str) -> None:
    change, expected = MISTAKES[mistake]
    change(params)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    for name in ("dvc.yaml", "data", ".dvc"):
        (tmp_path / name).symlink_to(ROOT / name)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run = subprocess.run([sys.executable, "-m", "flows.cli", command], cwd=tmp_path, env=environment,
                         capture_output=True, text=True)  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert (run.returncode, run.stderr.count("\n")) == (2, 1), run.stderr
    assert run.stderr.startswith(f"error: params.yaml: {expected}")
    # of the processor: what it takes by the clock, where nothing else runs
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < SECONDS
