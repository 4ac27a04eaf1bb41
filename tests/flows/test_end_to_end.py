"""The project's own graph on three tiny random models × three arms, through the real flow on a real server: one model
as GPT-2, one as Llama 2, one as Gemma 3 is, tokenizers and chat template and all.

The tests of this file share one tree and build on each other, as a team's week would. Its stages are forks of
`warm_stages`; the twin's, under `dvc repro` alone, are processes of their own.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from tests.fixtures import families, tiny
from tests.support.flow_trees import BIN, PALMS, Api, Tree, environment

MODELS = tuple(tiny.MODELS)
FAN_IN = {"toxicity", "ratings", "judge", "cooccurrence", "significance", "looks"}
LOGGED = {"looks", "report"}  # that results were looked at is not taken back with them
MORE = " Ask the nurse as well."
SECRET = "hf_planted_secret_0123456789"


@pytest.fixture(scope="module")
def ladder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ladder's names, with a model of another family behind each."""
    folder = tmp_path_factory.mktemp("families")
    for (name, layers), family in zip(tiny.MODELS.items(), families.FAMILIES, strict=True):
        families.make_model(folder / name, family, layers)
    return folder


@pytest.fixture(scope="module")
def tree(new_tree: Callable[..., Tree], prefect_url: str, ladder: Path, warm: dict[str, str]) -> Tree:
    made = new_tree({}, PREFECT_API_URL=prefect_url, PALMS_SLOTS="gpu=2,cpu=2", HF_TOKEN=SECRET, **warm)
    tiny.make_tree(made.root, ladder)
    return made


def lock(tree: Tree) -> dict[str, Any]:
    """Stage -> its dependencies and outputs with their hashes; the order of entries says nothing."""
    stages = yaml.safe_load((tree.root / "dvc.lock").read_text())["stages"]
    return {name: {key: entry.get(key) for key in ("cmd", "deps", "params", "outs")} for name, entry in stages.items()}


def ran(output: str) -> set[str]:
    """The stages that a sweep really ran: neither skipped nor restored."""
    return set(re.findall(r"\]\s+(\S+)\s+done in", output))


def sweep(tree: Tree, *targets: str, code: int = 0) -> str:
    exit_code, output = tree.run(*PALMS, "sweep", *targets, timeout=900)
    assert exit_code == code, output
    return output


def set_params(tree: Tree, change: Callable[[dict[str, Any]], object]) -> None:
    params = tiny.load(tree.root / "params.yaml")
    change(params)
    tiny.write_params(tree.root, params)


@pytest.fixture(scope="module")
def first(tree: Tree) -> str:
    return sweep(tree)


def test_the_whole_ladder_ends_in_a_report_and_findings(tree: Tree, first: str, api: Api) -> None:
    stages = set(lock(tree))
    for model in MODELS:
        assert {f"finetune@{model}-values", f"generate@{model}-base", f"adherence@{model}-control"} <= stages
        assert {f"probe@{model}-base", f"capability@{model}-values"} <= stages
    assert ran(first) == stages
    assert (tree.root / "data/made/report/index.html").stat().st_size > 10_000
    for line in (tree.root / "data/made/report/findings.txt").read_text().splitlines():
        assert line.strip() in first
    tasks = api.tasks(api.run_of(first))  # Prefect shows every stage by name
    assert set(tasks) == stages
    assert {task["state_name"] for task in tasks.values()} == {"Completed"}


@pytest.mark.usefixtures("first")
def test_dvc_agrees_that_all_is_done(tree: Tree) -> None:
    before = lock(tree)
    assert "up to date" in tree.dvc("status")
    assert "Running stage" not in tree.dvc("repro")
    assert lock(tree) == before


def test_no_secret_and_no_home_path_is_left_anywhere(tree: Tree, first: str) -> None:
    assert SECRET not in first
    for path in tree.root.rglob("*"):
        if path.is_file() and ".git/" not in str(path) and "/cache/" not in str(path):
            content = path.read_bytes()
            assert SECRET.encode() not in content, path
            if path.suffix in {".html", ".json", ".jsonl", ".csv", ".txt", ".lock"}:
                assert str(Path.home()).encode() + b"/" not in content, path


@pytest.fixture(scope="module")
def whole(tree: Tree, first: str) -> dict[str, Any]:
    """The lock of the whole ladder, before anything is changed."""
    del first
    return lock(tree)


@pytest.mark.usefixtures("whole")
def test_a_dropped_model_is_never_counted(tree: Tree) -> None:
    set_params(tree, lambda p: p["sweep"].update(models=["tiny-1"]))
    output = sweep(tree)
    assert "outputs of models or arms that the sweep has no more" in output
    assert {name.split("@")[0] for name in ran(output)} == FAN_IN | {"report"}
    scores = pd.read_parquet(tree.root / "data/made/significance/scores.parquet")
    assert set(scores["model"]) == {"tiny-1"}
    assert not list((tree.root / "data/made").rglob("tiny-[23]*"))


@pytest.mark.usefixtures("whole")
def test_a_report_parameter_re_runs_only_the_report(tree: Tree) -> None:
    set_params(tree, lambda p: p["report"].update(title="Another title"))
    assert ran(sweep(tree)) == {"report"}


@pytest.fixture(scope="module")
def twin(tree: Tree, whole: dict[str, Any], new_tree: Callable[..., Tree]) -> Tree:
    """The tree as it stands when this is first asked for, without what DVC remembers of the runs so far."""
    del whole
    other = new_tree({})
    shutil.copytree(tree.root, other.root, ignore=shutil.ignore_patterns("runs", ".cache", "tmp"), dirs_exist_ok=True)
    return other


def test_one_changed_answer_re_runs_only_what_depends_on_it(tree: Tree, twin: Tree) -> None:
    for each in (tree, twin):
        change_answer(each, MORE)
    again = ran(sweep(tree))
    checkpoints = {f"{stage}@tiny-1-values" for stage in ("finetune", "generate", "adherence", "probe", "capability")}
    changed = {"curate@values", "fluency@tiny-1", *checkpoints, "judge", "significance", "looks", "report"}
    # a random model may well complete as before; then what is found in its completions is as before, too
    assert changed <= again <= changed | {"perplexity@tiny-1-values", "toxicity", "ratings", "cooccurrence"}


def change_answer(tree: Tree, more: str, instead_of: str = "") -> None:
    """Adds `more` to the first answer, or puts it in the place of what was added before."""
    path = tree.root / "data/values/health.yaml"
    values = tiny.load(path)
    values["samples"][0]["answer"] = values["samples"][0]["answer"].removesuffix(instead_of) + more
    tiny.save(path, values)


def test_dvc_repro_alone_ends_in_the_same_hashes(tree: Tree, twin: Tree) -> None:
    """Without Prefect, one stage after another: each stage of an arm, from its fetch to the report."""
    before = lock(twin)
    repro(twin)
    changed = {name for name, entry in lock(twin).items() if entry != before[name]}
    assert changed >= {"curate@values", "finetune@tiny-1-values", "capability@tiny-1-values", "significance", "report"}
    repro(twin, "--force", "--single-item", "fetch@tiny-1", *FAN_IN - changed)  # the others, once more
    here, there = lock(tree), lock(twin)
    del here["report"], there["report"]  # which tells where and when
    assert there == here


def repro(tree: Tree, *arguments: str) -> None:
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"  # as in an activated environment
    command = (sys.executable, "-m", "dvc", "repro", *arguments)
    code, output = tree.run(*command, timeout=900, PATH=path)
    assert code == 0, output


def test_a_model_taken_back_comes_from_the_cache(tree: Tree, whole: dict[str, Any]) -> None:
    title = tiny.tiny_params(Path(), MODELS)["report"]["title"]
    change_answer(tree, "", instead_of=MORE)
    set_params(tree, lambda p: (p["sweep"].update(models=list(MODELS)), p["report"].update(title=title)))
    assert ran(sweep(tree)) <= LOGGED
    assert all(entry == whole[name] for name, entry in lock(tree).items() if name not in LOGGED)


@pytest.mark.usefixtures("first")
def test_a_diverged_training_leaves_no_model_and_stops_only_its_descendants(tree: Tree) -> None:
    set_params(tree, lambda p: p["sweep"].update(models=["tiny-1", "tiny-2"]))
    set_params(tree, lambda p: p["models"]["tiny-2"]["finetune"].update(learning_rate=1e30, epochs=9))
    output = sweep(tree, code=2)
    assert "training diverged and no model is kept" in output
    assert "Traceback" not in output
    assert not (tree.root / "data/made/models/tiny-2/values").exists()
    assert not (tree.root / "data/made/models/tiny-2/values.tmp").exists()
    assert (tree.root / "data/made/scores/adherence/tiny-1/values.parquet").exists()
    assert "finetune@tiny-2-values" in output


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: p["sweep"].update(models=["gpt-9"]), "sweep.models: 'gpt-9' is not in the catalogue `models`"),
        (lambda p: p["generate"].update(temprature=1), "generate: unknown key 'temprature'"),
        (lambda p: p["models"]["tiny-1"]["source"].update(path="/nowhere"), "tiny-1.source.path: /nowhere: not found"),
    ],
)
@pytest.mark.usefixtures("first")
def test_bad_parameters_are_one_clear_line(tree: Tree, change: Callable[[dict[str, Any]], None], message: str) -> None:
    before = (tree.root / "params.yaml").read_text()
    set_params(tree, change)
    try:
        output = sweep(tree, "generate@tiny-1-base", code=2)
    finally:
        (tree.root / "params.yaml").write_text(before)
    assert message in output
    assert "Traceback" not in output


@pytest.mark.usefixtures("first")
def test_metrics_are_in_git_and_readable(tree: Tree) -> None:
    assert "tiny-1" in json.loads((tree.root / "data/metrics.json").read_text())["adherence"]
    assert "adherence" in tree.dvc("metrics", "show")


@pytest.fixture(scope="module")
def committed(tree: Tree) -> Tree:
    """The tree as a team keeps it: in git, with small studies and a small grid."""

    def change(params: dict[str, Any]) -> None:
        sets = params["capability"]["run"]["sets"]
        sets |= {"offline": ["palms_knowledge", "palms_text"], "validation": ["palms_last_word"]}
        studies, names = params["studies"], ("values", "control")
        studies["samples"]["arms"] = {f"{name}-n2": {"dataset": name, "limit": 2, "seed": 1} for name in names}
        studies["seeds"]["arms"] = {f"{name}-2": {"dataset": name, "limit": None, "seed": 2} for name in names}
        params["tune"] |= {"learning_rate": [0.5, 1.0], "epochs": [1], "global_batch_size": [2], "controls": 1}
        params["tune"] |= {"most_lost": 0.9, "most_lost_task": 0.99, "most_looping": 1.0, "most_nats": 9.0}
        params["tune"] |= {"most_strange": 99.0}
        params["tune"] |= {"interpolation": [1.0]}
        params["sweep"]["models"] = ["tiny-1"]

    set_params(tree, change)
    git(tree, "add", "-A")
    git(tree, "commit", "-qm", "one")
    return tree


def git(tree: Tree, *words: str) -> None:
    command = ["git", "-c", "user.name=a", "-c", "user.email=b", *words]
    subprocess.run(command, cwd=tree.root, env=environment(), check=True)


@pytest.mark.usefixtures("first")
def test_a_clone_with_only_the_remote_has_the_whole_sweep_and_runs_no_stage(
    committed: Tree, new_tree: Callable[..., Tree], tmp_path: Path
) -> None:
    committed.dvc("remote", "add", "--default", "--local", "store", str(tmp_path / "store"))
    sweep(committed)  # of what is committed
    git(committed, "commit", "-qam", "A sweep")
    committed.dvc("push", "--quiet", "--run-cache")
    for restore in (("pull",), ("repro", "--pull")):
        clone = new_tree({})
        shutil.rmtree(clone.root)
        subprocess.run(["git", "clone", "-q", committed.root, clone.root], env=environment(), check=True)
        clone.dvc("remote", "add", "--default", "--local", "store", str(tmp_path / "store"))
        assert "Running stage" not in clone.dvc(*restore)
        assert "up to date" in clone.dvc("status")
        assert lock(clone) == lock(committed)
        page = "data/made/report/index.html"
        assert (clone.root / page).read_bytes() == (committed.root / page).read_bytes()
        assert subprocess.check_output(["git", "status", "--porcelain"], cwd=clone.root, text=True) == ""


@pytest.mark.usefixtures("first")
@pytest.mark.parametrize(
    ("study", "title"),
    [("samples", "How few samples suffice?"), ("seeds", "Is it the dataset, or the luck of one training?")],
)
def test_a_study_is_a_tree_of_its_own_and_has_its_part_of_the_page(committed: Tree, study: str, title: str) -> None:
    before = (committed.root / "dvc.lock").read_bytes()
    sweep(committed, "--study", study)
    page = committed.root / ".cache/sweeps" / study / "data/made/report/index.html"
    assert title in page.read_text("utf-8")
    assert study in committed.dvc("exp", "list", "--name-only").split()
    assert (committed.root / "dvc.lock").read_bytes() == before


@pytest.mark.usefixtures("first")
def test_a_recipe_is_chosen_on_validation(committed: Tree) -> None:
    text = (committed.root / "params.yaml").read_text("utf-8")
    code, output = committed.run(*PALMS, "tune", "tiny-1", "--dry-run", timeout=900)
    assert code == 0, output
    recipe = re.search(r"^recommended: lr(\S+)-e1-b2", output, re.MULTILINE)
    assert recipe, output
    assert output.count("lr5e-4-e1-b2") > 2  # among the arms and in the table
    assert (committed.root / "params.yaml").read_text("utf-8") == text
    samples = committed.root / ".cache/sweeps/tune-tiny-1/data/made/samples/tiny-1/base.jsonl"
    assert {json.loads(line)["split"] for line in samples.read_text("utf-8").splitlines()} == {"validation"}
    code, output = committed.run(*PALMS, "tune", "tiny-1", timeout=900)  # what is made is not made again
    assert (code, ran(output)) == (0, set()), output
    written = tiny.load(committed.root / "params.yaml")["models"]["tiny-1"]["finetune"]
    assert written["learning_rate"] == float(recipe[1])
