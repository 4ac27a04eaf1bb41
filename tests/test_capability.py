"""capability: the harness's own figures, verdicts on damage planted by hand, and errors in one line."""

import dataclasses
import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
import yaml

from tasks import capability
from tasks.capability import COMMAND, chosen
from tasks.formats.checkpoints import BASE, Checkpoint, Source
from tasks.harness import evaluation
from tasks.harness.evaluation import Harness, first_batch_size, load_tasks, run
from tasks.harness.items import ITEMS, RESULTS, item_table
from tasks.harness.results import document_table, items_with_metric, read_items
from tasks.harness.task_files import REQUIRED, check_task_file, read_task_files
from tasks.lm.models import Opened, load_weights, open_model
from tasks.runtime import config
from tasks.runtime.command import Job
from tasks.runtime.errors import InputError, WorkError
from tasks.settings.capability import Capability, CapabilityRun, Margin
from tasks.stats.capability import PASSED
from tasks.stats.capability import capability as judge_tasks

ROOT = Path(__file__).parent.parent
PARAMS = config.read_params(ROOT / "params.yaml")
OFFLINE = PARAMS["capability"]["run"]["sets"]["offline"]
LETTERS = "ABCD"
NUMBERS = range(100, 200)  # items of a task that a tiny model can learn


def evaluate(model: Path, folder: Path, results: Path, arm: str = BASE, **changed: Any) -> Path:
    """Runs the stage as `python -m tasks` would."""
    section = PARAMS["capability"] | {"run": PARAMS["capability"]["run"] | changed}
    paths = {"checkpoint": model, "tasks": folder, "results": results}
    capability.main(Job(COMMAND, paths, {"model": "tiny", "arm": arm}, PARAMS | {"capability": section}))
    return results


def read(results: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    return pd.read_parquet(results / ITEMS), json.loads((results / RESULTS).read_text("utf-8"))


# the harness's command line

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
    items, summary = read(evaluate(ladder / "tiny-1", Path("data/capability"), tmp_path / "ours"))
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
    monkeypatch.chdir(ROOT)
    chosen_tasks = ["palms_arithmetic", "palms_reading", "palms_text"]
    folders = [
        evaluate(ladder / "tiny-1", Path("data/capability"), tmp_path / name, tasks=chosen_tasks) for name in "ab"
    ]
    for name in (ITEMS, RESULTS):
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes(), name
    items, summary = read(folders[0])
    assert summary["harness"] == evaluation.HARNESS
    assert summary["precision"] in {"bf16", "fp32"}
    found = summary["tasks"]
    assert {name: (task["version"], task["num_fewshot"]) for name, task in found.items()} == {
        "palms_arithmetic": (1.0, 2),
        "palms_reading": (1.0, 0),
        "palms_text": (1.0, 0),
    }
    assert items[items["task"] == "palms_reading"]["cluster"].nunique() == 32
    texts = items[items["task"] == "palms_text"]
    assert texts["acc"].isna().all()
    nats = -texts["loglik"].map(sum).sum() / texts["bytes"].sum()
    assert found["palms_text"]["figures"]["bits_per_byte,none"] == pytest.approx(nats / torch.log(torch.tensor(2.0)))


def test_examples_can_be_set_but_not_where_a_task_wants_none(
    ladder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    names = ["palms_arithmetic", "palms_knowledge"]
    made = evaluate(ladder / "tiny-1", Path("data/capability"), tmp_path / "made", tasks=names, num_fewshot=1)
    _, summary = read(made)
    assert {name: task["num_fewshot"] for name, task in summary["tasks"].items()} == dict(
        zip(names, (1, 0), strict=True)
    )
    assert summary["command"].endswith("--num_fewshot 1")


# verdicts


@pytest.fixture(scope="module")
def learnt(ladder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A task in a folder of its own, and a tiny model that has learnt it."""
    folder, model = tmp_path_factory.mktemp("tasks"), tmp_path_factory.mktemp("models") / BASE
    write_task(folder)
    shutil.copytree(ladder / "tiny-1", model)
    opened = open_model(model)
    texts = [f"{item['question']} = {LETTERS[item['answer']]}" for item in memory()]
    ids = opened.tokenizer(texts, return_tensors="pt", padding=True)["input_ids"]
    torch.manual_seed(0)
    optimiser = torch.optim.Adam(opened.model.parameters(), lr=0.02)
    for _ in range(400):
        loss = torch.nn.functional.cross_entropy(opened.model(input_ids=ids).logits[:, -2], ids[:, -1])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if loss.item() < 0.02:
            break
    opened.model.save_pretrained(model)
    return folder, model


def memory() -> list[dict[str, Any]]:
    """Numbers, each with the letter that belongs to its last digit."""
    return [
        {"id": f"m{n}", "question": " ".join(str(n)), "choices": list(LETTERS), "answer": n % 10 % 4} for n in NUMBERS
    ]


def write_task(folder: Path, **changed: Any) -> Path:
    """A task file and its items in `folder`; `changed` replaces keys of the task, None takes them away."""
    data = folder / "memory.jsonl"
    data.write_text("".join(json.dumps(item) + "\n" for item in memory()), "utf-8")
    task = {
        "task": "memory",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(data)}},
        "test_split": "test",
        "output_type": "multiple_choice",
        "doc_to_text": "{{question}} =",
        "doc_to_choice": "choices",
        "doc_to_target": "answer",
        "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
        "metadata": {"version": 1},
    }
    kept = {key: value for key, value in (task | changed).items() if value is not None}
    path = folder / "memory.yaml"
    path.write_text(yaml.safe_dump(kept), "utf-8")
    return path


def damaged(model: Path, folder: Path, scale: float, seed: int) -> Path:
    """A copy of the model with noise added to every weight matrix, `scale` times its standard deviation."""
    shutil.copytree(model, folder)
    found = load_weights(folder)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in found.parameters():
            if weight.ndim > 1:
                weight += scale * weight.std() * torch.randn(weight.shape, generator=generator)
    found.save_pretrained(folder)
    return folder


def verdicts(made: Path, arms: list[str], folder: Path, models: dict[str, Path]) -> pd.DataFrame:
    """Runs every arm of one model and judges them against base, as significance would; index: arm."""
    for arm in arms:
        evaluate(models[arm], folder, made / "tiny" / arm, arm, tasks=["memory"])
    ladder = [Checkpoint("tiny", arm, arm, 0) for arm in arms]
    items = read_items(made, ladder, {"tiny": Source("tiny", "tiny", "none", 1000)})
    plan = CapabilityRun(("memory",), {}, None, 32)
    judge = {"memory": Margin("acc", 0.25, 0.1)}
    found = judge_tasks(
        items_with_metric(items, judge, plan),
        margins={name: entry.margin for name, entry in judge.items()},
        chances={name: entry.chance for name, entry in judge.items()},
    )
    return found.set_index("arm")


def test_damage_is_never_called_unharmed_and_a_copy_always(learnt: tuple[Path, Path], tmp_path: Path) -> None:
    folder, base = learnt
    models = {BASE: base, "copy": shutil.copytree(base, tmp_path / "copy")}
    for scale, seed in ((2, 1), (2, 2), (4, 1)):
        name = f"noise-{scale}-{seed}"
        models[name] = damaged(base, tmp_path / name, scale, seed)
    found = verdicts(tmp_path / "made", list(models), folder, models)
    assert found.loc["copy", "accuracy_base"] > 0.9, "the base model did not learn the task"
    assert found.loc["copy", ["verdict", "b", "c", "equivalent"]].tolist() == ["no loss", 0, 0, True]
    harmed = found[found.index.str.startswith("noise")]
    assert (harmed["diff"] < -0.1).all(), "the noise did no harm: the test shows nothing"
    assert not harmed["verdict"].isin(PASSED).any()
    assert (harmed["verdict"] == "loss").all()


def test_a_base_at_chance_is_uninformative(learnt: tuple[Path, Path], ladder: Path, tmp_path: Path) -> None:
    folder, _ = learnt
    base = ladder / "tiny-1"
    models = {BASE: base, "copy": base, "noise": damaged(base, tmp_path / "noise", 1.0, 1)}
    found = verdicts(tmp_path / "made", list(models), folder, models)
    assert (found["verdict"] == "uninformative").all()
    assert not found["equivalent"].any()


# memory


@pytest.fixture(scope="module")
def opened(learnt: tuple[Path, Path]) -> Opened:
    return open_model(learnt[1])


def narrow(monkeypatch: pytest.MonkeyPatch, most: int, error: Callable[[], Exception]) -> list[int]:
    """Lets a forward pass of more than `most` texts fail; returns the batches that were tried."""
    tried: list[int] = []
    plain = Harness._model_call

    def call(self: Harness, inps: torch.Tensor, **extra: Any) -> torch.Tensor:
        tried.append(len(inps))
        if len(inps) > most:
            raise error()
        logits: torch.Tensor = plain(self, inps, **extra)
        return logits

    monkeypatch.setattr(Harness, "_model_call", call)
    return tried


OUT_OF_MEMORY = (
    lambda: torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB."),
    lambda: RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you tried"),
    MemoryError,
)


@pytest.mark.parametrize("error", OUT_OF_MEMORY)
def test_too_large_a_batch_ends_in_a_smaller_one(
    learnt: tuple[Path, Path], opened: Opened, monkeypatch: pytest.MonkeyPatch, error: Callable[[], Exception]
) -> None:
    tasks = load_tasks(["memory"], learnt[0], ["memory"])
    plain = item_table(run(opened, tasks, None, 16).results["samples"])
    tried = narrow(monkeypatch, 16, error)
    found = run(opened, tasks, None, 64)
    assert (found.batch_size, tried[:3]) == (16, [64, 32, 16])
    assert item_table(found.results["samples"]).equals(plain)


def test_no_memory_even_for_one_text(
    learnt: tuple[Path, Path], opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    narrow(monkeypatch, 0, OUT_OF_MEMORY[0])
    with pytest.raises(WorkError, match="out of memory even with one text at a time"):
        run(opened, load_tasks(["memory"], learnt[0], ["memory"]), None, 4)


def test_other_errors_are_not_taken_for_memory(
    learnt: tuple[Path, Path], opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    narrow(monkeypatch, 0, lambda: RuntimeError("shapes do not match"))
    with pytest.raises(RuntimeError, match="shapes do not match"):
        run(opened, load_tasks(["memory"], learnt[0], ["memory"]), None, 4)


def test_the_first_batch_fits_the_machine(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    one = evaluation.EXPECTED_TOKENS * opened.model.config.vocab_size * evaluation.BYTES_PER_SCORE
    monkeypatch.setattr(evaluation, "has_bf16", lambda _: False)
    for fits, expected in ((1000, 32), (20, 16), (1, 1), (0, 1)):
        total = type("Memory", (), {"total": one * fits / evaluation.SHARE_OF_MEMORY})
        monkeypatch.setattr(evaluation.psutil, "virtual_memory", lambda total=total: total)
        assert first_batch_size(dataclasses.replace(opened, device=torch.device("cpu")), 32) == expected


# tasks that cannot be run


def test_an_unknown_task(learnt: tuple[Path, Path], tmp_path: Path) -> None:
    folder, model = learnt
    with pytest.raises(InputError, match="no task 'memry'; near it: memory"):
        load_own(folder, "memry")
    with pytest.raises(InputError, match="expected a set"):
        evaluate(model, folder, tmp_path / "none", tasks=[])


def load_own(folder: Path, name: str) -> None:
    """Loads without the harness's catalogue, which takes ten seconds to search."""

    class Own(evaluation.TaskManager):  # type: ignore[misc]
        def __init__(self, **given: Any) -> None:
            super().__init__(**given | {"include_defaults": False})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluation, "TaskManager", Own)
        load_tasks([name], folder, list(read_task_files(folder)))


@pytest.mark.parametrize("error", [ConnectionError("Couldn't reach 'x/y' on the Hub"), OSError("a disk fell out")])
def test_data_that_cannot_be_fetched(error: Exception) -> None:
    class Manager:
        def load(self, _names: list[str]) -> None:
            raise error

    expected = "needs a network once" if isinstance(error, ConnectionError) else "OSError: a disk fell out"
    with pytest.raises(InputError, match=expected) as caught:
        evaluation._load(Manager(), "piqa")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", [*REQUIRED, "doc_to_choice", "test_split", "dataset_kwargs"])
def test_a_task_file_with_a_missing_key(tmp_path: Path, key: str) -> None:
    path = write_task(tmp_path, **{key: None})
    with pytest.raises(InputError, match=rf"memory\.yaml: missing key '{key}") as caught:
        check_task_file(read_task_files(tmp_path)["memory"])
    assert str(caught.value).startswith(str(path))


def test_a_missing_key_ends_the_stage_before_a_model_is_opened(tmp_path: Path) -> None:
    write_task(tmp_path, doc_to_target=None)
    with pytest.raises(InputError, match="missing key 'doc_to_target'"):
        evaluate(tmp_path / "no-model", tmp_path, tmp_path / "results", tasks=["memory"])
    assert not (tmp_path / "results").exists()


ITEM = {"id": "a", "question": "?", "choices": ["x", "y"], "answer": 1}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([{k: v for k, v in ITEM.items() if k != "question"}], "line 1: missing field 'question', which doc_to_text"),
        ([{k: v for k, v in ITEM.items() if k != "choices"}], "line 1: missing field 'choices', which doc_to_choice"),
        ([ITEM, ITEM], "line 2: the id 'a' was already used"),
        ([ITEM | {"answer": 2}], "line 1: answer 2: there are choices 0 to 1"),
        (["{"], "line 1: not valid JSON"),
        (["3"], "line 1: expected an item's keys"),
        ([], "no items"),
    ],
)
def test_items_with_a_mistake(tmp_path: Path, lines: list[Any], message: str) -> None:
    write_task(tmp_path)
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    (tmp_path / "memory.jsonl").write_text("\n".join(texts), "utf-8")
    with pytest.raises(InputError, match=message):
        check_task_file(read_task_files(tmp_path)["memory"])


@pytest.mark.parametrize(
    ("text", "message"), [("task: [", "not valid YAML"), ("- a", "expected the keys"), ("a: 1", "missing key 'task'")]
)
def test_files_that_the_harness_would_skip_silently(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "x.yaml").write_text(text, "utf-8")
    with pytest.raises(InputError, match=message):
        read_task_files(tmp_path)


def test_functions_groups_and_fragments_are_left_to_the_harness(tmp_path: Path) -> None:
    write_task(tmp_path, doc_to_text="!function utils.text")
    text = (tmp_path / "memory.yaml").read_text("utf-8").replace("'!function utils.text'", "!function utils.text")
    (tmp_path / "memory.yaml").write_text(text, "utf-8")
    (tmp_path / "_part.yaml").write_text("output_type: multiple_choice", "utf-8")
    (tmp_path / "all.yaml").write_text("{group: everything, task: [memory]}", "utf-8")
    check_task_file(read_task_files(tmp_path)["memory"])
    with pytest.raises(InputError, match="no such folder"):
        read_task_files(tmp_path / "gone")


def test_a_data_file_that_is_not_there(tmp_path: Path) -> None:
    write_task(tmp_path)
    (tmp_path / "memory.jsonl").unlink()
    with pytest.raises(InputError, match=r"its data file .*memory\.jsonl does not exist"):
        check_task_file(read_task_files(tmp_path)["memory"])


# params and tables


def test_sets_stand_for_their_tasks_once() -> None:
    plan = CapabilityRun(("some", "c", "a"), {"some": ("a", "b")}, None, 1)
    assert chosen(plan) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("run.batch_size", 0, r"capability\.run\.batch_size"),
        ("run.num_fewshot", -1, r"capability\.run\.num_fewshot"),
        ("judge.palms_reading.margin", 0.0, r"capability\.judge\.palms_reading"),
        ("judge.palms_reading.metric", "f1", r"expected 'acc' or 'acc_norm'"),
    ],
)
def test_params_with_a_mistake(key: str, value: Any, message: str) -> None:
    params = json.loads(json.dumps(PARAMS))
    found, parts = params["capability"], key.split(".")
    for part in parts[:-1]:
        found = found[part]
    found[parts[-1]] = value
    with pytest.raises(InputError, match=message):
        config.section(params, "capability", Capability)


def sample(number: int, **fields: Any) -> dict[str, Any]:
    answers = [(-1.0, False), (-2.0, False)]
    return {"doc_id": number, "doc": {}, "filter": "none", "filtered_resps": answers, "acc": 1.0} | fields


def test_items_of_tasks_that_are_not_ours() -> None:
    """A passage without a name makes a cluster; of two filters the first counts; an open answer may be right."""
    about = [sample(n, doc={"passage": text}, acc_norm=0.0) for n, text in enumerate(("one", "one", "two"))]
    generated = [
        {"doc_id": 0, "doc": {}, "filter": name, "filtered_resps": ["42"], "exact_match": right}
        for name, right in (("strict", 1), ("flexible", 0))
    ]
    found = item_table({"asked": about, "written": generated})
    assert found["item_id"].tolist() == ["0", "1", "2", "0"]
    assert found["cluster"].nunique() == 2
    assert found["cluster"].isna().tolist() == [False, False, False, True]
    assert found["acc"].tolist() == [1, 1, 1, 1]
    assert found["acc_norm"].isna().tolist() == [False, False, False, True]
    assert found["choices"].tolist() == [2, 2, 2, pd.NA]


def checkpoint_results(folder: Path, arm: str, samples: dict[str, Any], **changed: Any) -> None:
    """What the stage would leave for an arm whose harness answered `samples`."""
    made = folder / "tiny" / arm
    made.mkdir(parents=True)
    item_table(samples).assign(model="tiny", arm=arm).to_parquet(made / ITEMS)
    tasks = {name: {"version": 1, "num_fewshot": 0, "items": len(found)} for name, found in samples.items()}
    (made / RESULTS).write_text(json.dumps({"harness": "1", "precision": "fp32", "tasks": tasks} | changed), "utf-8")


LADDER = [Checkpoint("tiny", BASE, BASE, 0), Checkpoint("tiny", "values", "values", 1)]
SOURCES = {"tiny": Source("tiny", "tiny", "none", 1000)}


def test_a_set_is_judged_as_a_whole_too(tmp_path: Path) -> None:
    samples = {"a": [sample(n, doc={"id": f"i{n}"}) for n in range(3)], "b": [sample(0, acc_norm=0.0)]}
    for checkpoint in LADDER:
        checkpoint_results(tmp_path, checkpoint.arm, samples)
    items = read_items(tmp_path, LADDER, SOURCES)
    run_plan = CapabilityRun(("both",), {"both": ("a", "b"), "other": ("a",)}, None, 1)
    judge = {name: Margin("acc", 0.5, 0.1) for name in ("a", "b", "both", "other")}
    found = items_with_metric(items, judge | {"b": Margin("acc_norm", 0.5, 0.1)}, run_plan)
    assert found.groupby("task", sort=False)["correct"].agg(["size", "sum"]).to_dict("index") == {
        "a": {"size": 6, "sum": 6},
        "b": {"size": 2, "sum": 0},
        "both": {"size": 8, "sum": 6},
    }
    with pytest.raises(InputError, match="no entry for task 'b'"):
        items_with_metric(items, {"a": judge["a"]}, run_plan)
    with pytest.raises(InputError, match="reports no acc_norm"):
        items_with_metric(items, judge | {"a": Margin("acc_norm", 0.5, 0.1)}, run_plan)


def test_arms_that_were_not_asked_the_same_are_not_compared(tmp_path: Path) -> None:
    checkpoint_results(tmp_path, BASE, {"a": [sample(0)]})
    checkpoint_results(tmp_path, "values", {"a": [sample(0)]}, harness="2")
    with pytest.raises(InputError, match="harness is not that of arm 'base'"):
        read_items(tmp_path, LADDER, SOURCES)


def test_documents_are_compared_per_byte(tmp_path: Path) -> None:
    for arm, loglik in ((BASE, -50.0), ("values", -60.0)):
        document = sample(0, doc={"id": "d"}, filtered_resps=[loglik], bits_per_byte=(loglik, 100))
        del document["acc"]
        checkpoint_results(tmp_path, arm, {"text": [document]})
    (row,) = document_table(read_items(tmp_path, LADDER, SOURCES)).to_dict("records")
    assert (row["arm"], row["nats_per_byte"], row["nats_per_byte_base"]) == ("values", -0.6, -0.5)
    assert row["diff"] == pytest.approx(-0.1)
