"""Three rounds of chaos; `make chaos` has twenty of them, on models, and with Slurm."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.chaos import rounds
from tests.support import job_trees
from tests.support.flow_trees import Tree

TARGETS = ("train@a-x", "train@a-y")


@pytest.fixture(scope="module")
def template(new_tree: Callable[..., Tree], prefect_home: Path) -> Tree:
    made = new_tree({}, OMP_NUM_THREADS="1")
    job_trees.fill(made, {})
    shutil.copytree(prefect_home, made.root / ".dvc" / "tmp" / "prefect")
    return made


@pytest.fixture(scope="module")
def reference(template: Tree, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], float]:
    return rounds.undisturbed(rounds.copy(template, tmp_path_factory.mktemp("reference") / "tree"), TARGETS)


@pytest.mark.parametrize(("kind", "says"), [("server", ""), ("dvc", "DVC was killed by SIGKILL"), ("stage", "")])
def test_after_any_kill_one_sweep_completes(
    template: Tree, reference: tuple[dict[str, Any], float], tmp_path: Path, kind: str, says: str
) -> None:
    for attempt in range(5):  # a moment may come when no such process runs
        tree = rounds.copy(template, tmp_path / f"tree-{attempt}")
        try:
            result = rounds.disturb(tree, TARGETS, kind, random.Random(f"{kind} {attempt}"), reference[1], reference[0])
        finally:
            tree.kill()
        print(result)
        assert result.problems == [], result.output
        if result.killed == kind and says in result.output:
            break
    else:
        pytest.fail(f"in five sweeps no {kind} was killed and told of")
    if kind == "server":  # the sweep goes on
        assert result.code == 0, result.output
