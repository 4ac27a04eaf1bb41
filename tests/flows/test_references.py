"""Names in params.yaml that name nothing are told before anything runs, each in one line."""

import os
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
Change = Callable[[dict[str, Any]], object]
MISTAKES: dict[str, tuple[Change, str]] = {
    "scorer": (lambda p: p["toxicity"].update(scorer="ofline"), "toxicity.scorer: 'ofline' is not among offline, "
               "classifier, perspective, recorded; did you mean offline?"),
    "engine": (lambda p: p["generate"].update(engine="vlm"), "generate.engine: 'vlm' is not among transformers, vllm; "
               "did you mean vllm?"),
    "tagger": (lambda p: p["cooccurrence"].update(tagger="hant"), "cooccurrence.tagger: 'hant' is not among hanta, "
               "nltk, spacy; did you mean hanta?"),
    "dataset": (lambda p: p["arms"]["values"].update(dataset="value"), "arms.values.dataset: no folder data/value with "
                "samples; did you mean values?"),
    "target": (lambda p: p["significance"].update(target="vlaues"), "significance.target: no arm of sweep.tuned is "
               "trained on 'vlaues' (they are on control, values)"),
    "model": (lambda p: p["sweep"].update(models=["smollm2-135"]), "sweep.models: 'smollm2-135' is not in the"),
    "tuned": (lambda p: p["sweep"].update(tuned=["valuse", "control"], arms=["base", "valuse", "control"]),
              "sweep.tuned: 'valuse' is not in the catalogue"),
    "task": (lambda p: p["capability"]["run"].update(tasks=["lambada_opnai"]), "capability.run: no task "
             "'lambada_opnai': neither a set, nor a file of data/capability, nor one of lm-evaluation-harness; did you "
             "mean lambada_openai?"),
    "set of tune": (lambda p: p["tune"].update(capability="validations"), "tune.capability: 'validations' is not among "
                    "offline, validation, standard; did you mean validation?"),
    "model of resources": (lambda p: p["resources"]["finetune"].update({"qwen": {"micro_batch_size": 1}}),
                           "resources.finetune: 'qwen' is not among"),
    "processes": (lambda p: p["resources"]["finetune"].update(default={"micro_batch_size": 1, "processes": 3}),
                  "models.smollm2-135m: resources.finetune: 3 processes do not divide the global_batch_size 2"),
    "folder": (lambda p: p["models"]["smollm2-135m"].update(source={"kind": "path", "path": "~/nothing", "sha256": None,
               "family": "f", "license": "l"}), "models.smollm2-135m.source.path: ~/nothing: not found"),
    "study": (lambda p: p["studies"]["sizes"].update(models=["pythia-71m"]), "studies.sizes.models: 'pythia-71m' is "
              "not among"),
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


def test_what_a_mistake_of_type_brings_with_it_is_not_told(params: dict[str, Any]) -> None:
    params["arms"]["values"]["dataset"] = 3
    params["significance"]["target"] = "nothing"
    with pytest.raises(InputError) as refusal:
        references.check(ROOT, params)
    line = "params.yaml: arms.values.dataset: expected text, found 3; write it in quotes"
    assert str(refusal.value).splitlines() == [line]


@pytest.mark.parametrize("command", ["sweep", "check", "models"])
def test_every_command_says_so_at_once(tmp_path: Path, params: dict[str, Any], command: str) -> None:
    params["toxicity"]["scorer"] = "ofline"
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    for name in ("dvc.yaml", "data", ".dvc"):
        (tmp_path / name).symlink_to(ROOT / name)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = subprocess.run([sys.executable, "-m", "flows.cli", command], cwd=tmp_path, env=environment,
                         capture_output=True, text=True)  # fmt: skip
    assert (run.returncode, run.stderr.count("\n")) == (2, 1), run.stderr
    assert run.stderr.startswith("error: params.yaml: toxicity.scorer: 'ofline'")
