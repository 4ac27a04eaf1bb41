"""Sweeps with other parameters: each in a tree of its own, from which an experiment comes back."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from flows import tree_lock, workspace
from tests.support.flow_trees import Tree, environment

GRAPH = """
stages:
  curate:
    foreach: ${arms}
    do:
      cmd: echo curate >> ${slow}/log; echo ${item.dataset} ${item.seed} > ${key}.txt
      outs: ["${key}.txt"]
  fine:
    matrix: {model: "${sweep.models}", arm: "${sweep.tuned}"}
    cmd: cat ${item.arm}.txt text > ${item.model}-${item.arm}.fine
    deps: ["${item.arm}.txt", text]
    outs: ["${item.model}-${item.arm}.fine"]
  last:
    cmd: cat *.fine > figures.json
    deps: ["${sweep.models[0]}-${sweep.tuned[0]}.fine"]
    metrics: [{figures.json: {cache: false}}]
"""
PARAMS = """\
slow: .
sweep:   # what a run covers
  models: [small]
  tuned: [values]
  arms: [base, values]
arms:
  values: {dataset: values, limit: null, seed: 1}
studies:
  seeds:
    models: null
    arms: {values-2: {dataset: values, limit: null, seed: 2}}
  sizes: {models: [small, large], arms: {}}
  twice: {models: null, arms: {values: {dataset: values, limit: null, seed: 2}}}
"""


@pytest.fixture
def tree(new_tree: Callable[..., Tree], prefect_url: str) -> Tree:
    made = new_tree(
        {"dvc.yaml": GRAPH, "params.yaml": PARAMS, "text": "one\n", ".gitignore": "/.cache/\n*.fine\n*.txt\nlog\n"},
        PREFECT_API_URL=prefect_url,
    )
    for command in (["git", "add", "-A"], ["git", "-c", "user.name=a", "-c", "user.email=b", "commit", "-qm", "one"]):
        subprocess.run(command, cwd=made.root, env=environment(), check=True)
    return made


def files(root: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in root.iterdir() if path.is_file()}


def test_a_study_leaves_the_tree_alone_and_comes_back_as_an_experiment(tree: Tree) -> None:
    (tree.root / "text").write_text("changed, not committed\n")
    before = files(tree.root)
    code, output = tree.palms("sweep", "--study", "seeds")
    assert code == 0, output
    assert files(tree.root) == before
    study = tree.root / ".cache/sweeps/seeds"
    assert (study / "small-values-2.fine").read_text() == "values 2\nchanged, not committed\n"
    assert "sweep:   # what a run covers" in (study / "params.yaml").read_text()
    assert "seeds" in tree.dvc("exp", "list", "--name-only").split()
    # nothing is made twice, in the study's tree or from it in another
    code, output = tree.palms("sweep", "--study", "seeds")
    assert (code, "4 cached" in output or "5 cached" in output) == (0, True), output


def test_a_study_takes_from_the_cache_what_was_made_before(tree: Tree) -> None:
    assert tree.palms("sweep")[0] == 0
    code, output = tree.palms("sweep", "--set", "slow=.", "--name", "same")
    assert (code, "fine@small-values cached" in output) == (0, True), output


def test_a_study_takes_over_what_has_changed(tree: Tree) -> None:
    assert tree.palms("sweep", "--study", "sizes")[0] == 0
    (tree.root / "text").write_text("two\n")
    (tree.root / "more").write_text("new\n")
    assert tree.palms("sweep", "--study", "sizes")[0] == 0
    study = tree.root / ".cache/sweeps/sizes"
    assert (study / "large-values.fine").read_text() == "values 1\ntwo\n"
    (tree.root / "more").unlink()
    assert tree.palms("sweep", "--study", "sizes", "curate")[0] == 0
    assert not (study / "more").exists()


def test_settings_by_hand(tree: Tree) -> None:
    code, output = tree.palms("sweep", "--set", "sweep.models=[large]", "--name", "big", "fine")
    assert code == 0, output
    assert (tree.root / ".cache/sweeps/big/large-values.fine").exists()
    assert "big" not in tree.dvc("exp", "list", "--name-only").split()  # a part of the graph is no result


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--study", "nine"], "no study 'nine' in `studies`; known are seeds, sizes, twice"),
        (["--study", "twice"], "'values' is an arm of `arms` already"),
        (["--set", "sweep.model=1"], "params.yaml has no 'sweep.model'"),
        (["--set", "sweep.models"], "expected KEY=VALUE"),
        (["--set", "sweep.models=[a"], "is not YAML"),
        (["--set", "slow=.", "--name", "a/b"], "a name is made of"),
    ],
)
def test_what_cannot_be_is_one_line(tree: Tree, arguments: list[str], message: str) -> None:
    code, output = tree.palms("sweep", *arguments)
    assert (code, output.count("\n")) == (2, 1), output
    assert message in output
    assert not (tree.root / ".cache/sweeps").exists()


def test_trees_of_deployed_runs_stay_but_for_the_newest_few(tmp_path: Path) -> None:
    def made(name: str, age: int, saved: bool | None) -> Path:
        tree = tmp_path / workspace.FOLDER / name
        (tree / ".dvc/tmp").mkdir(parents=True)
        if saved is not None:
            mark = tree / ".dvc/tmp/deployed"
            mark.write_text("saved" if saved else "")
            os.utime(mark, (age, age))
        return tree

    kept = [made("by-hand", 0, None), *(made(f"good-{age}", age, True) for age in (7, 8, 9))]
    kept += [made(f"bad-{age}", age, False) for age in range(10, 20)]
    gone = [made(f"good-{age}", age, True) for age in (5, 6)] + [made("bad-1", 1, False)]
    works = made("good-1", 1, True)
    with tree_lock.locked(works):
        workspace.remove_old(tmp_path)
    assert all(tree.exists() for tree in (*kept, works))
    assert not any(tree.exists() for tree in gone)
    workspace.remove_old(tmp_path)
    assert not works.exists()
