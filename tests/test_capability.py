"""capability: the harness's own figures, and verdicts on damage planted by hand."""

import copy
import json
import shlex
import shutil
import subprocess
import sys
from functools import reduce
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from tasks import capability
from tasks.formats.checkpoints import BASE, Checkpoint, Source
from tasks.formats.verdicts import PASSED
from tasks.harness import evaluation
from tasks.harness.items import ITEMS, RESULTS
from tasks.harness.results import items_with_metric, read_items
from tasks.lm.models import load_weights
from tasks.runtime import config
from tasks.runtime.command import Job
from tasks.runtime.errors import InputError
from tasks.settings.capability import Capability, CapabilityRun, Margin
from tasks.stats.capability import capability as compare
from tests.support import memory_task
from tests.support.precision import opened_in_fp32

ROOT = Path(__file__).parent.parent
PARAMS = config.read_params(ROOT / "params.yaml")
OFFLINE = PARAMS["capability"]["run"]["sets"]["offline"]
OURS = Path("data/capability")


def evaluate(model: Path, folder: Path, results: Path, arm: str = BASE, **changed: Any) -> Path:
    """Runs the stage as `python -m tasks` would."""
    params = copy.deepcopy(PARAMS)
    params["capability"]["run"] |= changed
    paths = {"checkpoint": model, "tasks": folder, "results": results}
    capability.main(Job(capability.COMMAND, paths, {"model": "tiny", "arm": arm}, params))
    return results


def read(results: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    return pd.read_parquet(results / ITEMS), json.loads((results / RESULTS).read_text("utf-8"))


# As it is, but without its catalogue of 14,000 files and the standard errors, which take it most of the time.
COMMAND_LINE = """
from functools import partial, partialmethod
import lm_eval.__main__
from lm_eval.tasks import TaskManager
TaskManager.__init__ = partialmethod(TaskManager.__init__, include_defaults=False)
lm_eval.simple_evaluate = partial(lm_eval.simple_evaluate, bootstrap_iters=0)
lm_eval.__main__.cli_evaluate()
"""


@pytest.mark.slow
def test_figures_equal_the_harness_s_own_command_line(
    ladder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All offline tasks, every likelihood of every item, to the last digit."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # sums are taken in another order with another number of threads
    items, summary = read(evaluate(ladder / "tiny-1", OURS, tmp_path / "ours"))
    command = shlex.split(summary["command"])
    assert command[:2] == ["lm_eval", "run"]
    more = ["--log_samples", "--output_path", str(tmp_path / "their")]
    command = [sys.executable, "-c", COMMAND_LINE, *command[1:], *more]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    (aggregated,) = (tmp_path / "their").rglob("results_*.json")
    theirs = json.loads(aggregated.read_text("utf-8"))["results"]
    assert {name: task["figures"] for name, task in summary["tasks"].items()} == {
        name: {key: theirs[name][key] for key in summary["tasks"][name]["figures"]} for name in OFFLINE
    }
    compared = 0
    for name in OFFLINE:
        (path,) = (tmp_path / "their").rglob(f"samples_{name}_*.jsonl")
        samples = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        ours = items[items["task"] == name].set_index("item_id")["loglik"]
        assert len(samples) == len(ours)
        for sample in samples:
            answers = [a[0] if isinstance(a, list) else a for a in sample["filtered_resps"]]
            assert [float(value) for value in answers] == list(ours[sample["doc"]["id"]])
            compared += len(answers)
    assert compared > 1000


def test_results_say_how_the_harness_was_asked_and_are_the_same_again(
    ladder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Examples can be set, but not where a task wants none."""
    monkeypatch.chdir(ROOT)
    names = ["palms_arithmetic", "palms_reading", "palms_text"]
    folders = [evaluate(ladder / "tiny-1", OURS, tmp_path / name, tasks=names, num_fewshot=1) for name in "ab"]
    for name in (ITEMS, RESULTS):
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes(), name
    items, summary = read(folders[0])
    assert summary["harness"] == evaluation.HARNESS
    assert summary["precision"] in {"bf16", "fp32"}
    assert summary["command"].endswith("--num_fewshot 1")
    tasks = summary["tasks"]
    assert {name: (task["version"], task["num_fewshot"], task["items"]) for name, task in tasks.items()} == {
        "palms_arithmetic": (1.0, 1, 64),
        "palms_reading": (1.0, 0, 64),
        "palms_text": (1.0, 0, 20),
    }
    assert items[items["task"] == "palms_reading"]["cluster"].nunique() == 32
    texts = items[items["task"] == "palms_text"]
    assert texts["acc"].isna().all()
    nats = -texts["loglik"].map(sum).sum() / texts["bytes"].sum()
    assert tasks["palms_text"]["figures"]["bits_per_byte,none"] == pytest.approx(nats / torch.log(torch.tensor(2.0)))


@pytest.fixture(scope="module")
def learnt(ladder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A task in a folder of its own, and a tiny model that has learnt it."""
    folder, model = tmp_path_factory.mktemp("tasks"), tmp_path_factory.mktemp("models") / BASE
    memory_task.write_task(folder)
    shutil.copytree(ladder / "tiny-1", model)
    opened = opened_in_fp32(model)
    texts = [f"{item['question']} = {memory_task.LETTERS[item['answer']]}" for item in memory_task.ITEMS]
    ids = opened.tokenizer(texts, return_tensors="pt", padding=True)["input_ids"]
    torch.manual_seed(0)
    optimiser = torch.optim.Adam(opened.model.parameters(), lr=0.01)
    for _ in range(400):
        loss = torch.nn.functional.cross_entropy(opened.model(input_ids=ids).logits[:, -2], ids[:, -1])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if loss.item() < 0.02:
            break
    opened.model.save_pretrained(model)
    return folder, model


def damaged(model: Path, folder: Path, scale: float, seed: int) -> Path:
    """A copy of the model with noise added to every weight matrix, `scale` times its standard deviation."""
    shutil.copytree(model, folder)
    weights = load_weights(folder)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in weights.parameters():
            if weight.ndim > 1:
                weight += scale * weight.std() * torch.randn(weight.shape, generator=generator)
    weights.save_pretrained(folder)
    return folder


def verdicts(made: Path, folder: Path, models: dict[str, Path]) -> pd.DataFrame:
    """Runs every arm of one model and tests them against base, as significance would; index: arm."""
    for arm, model in models.items():
        evaluate(model, folder, made / "tiny" / arm, arm, tasks=["memory"])
    ladder = [Checkpoint("tiny", arm, arm, 0) for arm in models]
    items = read_items(made, ladder, {"tiny": Source("tiny", "tiny", "none", 1000)})
    items = items_with_metric(items, {"memory": Margin("acc", 0.25, 0.1)}, CapabilityRun(("memory",), {}, None, 32))
    return compare(items, margins={"memory": 0.1}, chances={"memory": 0.25}).set_index("arm")


def test_damage_is_never_called_unharmed_and_a_copy_always(learnt: tuple[Path, Path], tmp_path: Path) -> None:
    folder, base = learnt
    models = {BASE: base, "copy": base}
    for scale, seed in ((2, 1), (2, 2), (4, 1)):
        name = f"noise-{scale}-{seed}"
        models[name] = damaged(base, tmp_path / name, scale, seed)
    table = verdicts(tmp_path / "made", folder, models)
    assert table.loc["copy", "accuracy_against"] > 0.9, "the base model did not learn the task"
    assert table.loc["copy", ["verdict", "b", "c", "equivalent"]].tolist() == ["no loss", 0, 0, True]
    harmed = table[table.index.str.startswith("noise")]
    assert (harmed["diff"] < -0.1).all(), "the noise did no harm: the test shows nothing"
    assert not harmed["verdict"].isin(PASSED).any()
    assert (harmed["verdict"] == "loss").all()


def test_a_base_at_chance_is_uninformative(learnt: tuple[Path, Path], ladder: Path, tmp_path: Path) -> None:
    base = ladder / "tiny-1"
    models = {BASE: base, "copy": base, "noise": damaged(base, tmp_path / "noise", 1.0, 1)}
    table = verdicts(tmp_path / "made", learnt[0], models)
    assert (table["verdict"] == "uninformative").all()
    assert not table["equivalent"].any()


@pytest.mark.parametrize(
    ("tasks", "message"), [(["memory"], "missing key 'doc_to_target'"), ([], "expected a set's name or tasks")]
)
def test_a_mistake_ends_the_stage_before_a_model_is_opened(tmp_path: Path, tasks: list[str], message: str) -> None:
    memory_task.write_task(tmp_path, doc_to_target=None)
    with pytest.raises(InputError, match=message):
        evaluate(tmp_path / "no-model", tmp_path, tmp_path / "results", tasks=tasks)
    assert not (tmp_path / "results").exists()


def test_sets_stand_for_their_tasks_once() -> None:
    run = CapabilityRun(("some", "c", "a"), {"some": ("a", "b")}, None, 1)
    assert capability.task_names(run) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("run.batch_size", 0, r"capability\.run\.batch_size"),
        ("run.num_fewshot", -1, r"capability\.run\.num_fewshot"),
        ("margins.palms_reading.margin", 0.0, r"capability\.margins\.palms_reading"),
        ("margins.palms_reading.metric", "f1", r"expected 'acc' or 'acc_norm'"),
    ],
)
def test_params_with_a_mistake(key: str, value: Any, message: str) -> None:
    params, (*parents, last) = copy.deepcopy(PARAMS), key.split(".")
    reduce(dict.__getitem__, parents, params["capability"])[last] = value
    with pytest.raises(InputError, match=message):
        config.section(params, "capability", Capability)
