"""What stages left that the graph has no more, in real DVC trees."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from flows import dag, dropped, lock_file
from tests.support.flow_trees import Tree

GRAPH = """
stages:
  make:
    matrix: {model: "${models}"}
    cmd: mkdir -p made/${item.model} && echo ${item.model} | tee made/${item.model}/a > one-${item.model}
    deps: [names]
    outs: ["made/${item.model}", "one-${item.model}"]
  gather:
    cmd: cat made/*/a > all
    deps: [made]
    outs: [all]
"""


@pytest.fixture
def tree(new_tree: Callable[..., Tree]) -> Tree:
    made = new_tree({"dvc.yaml": GRAPH, "params.yaml": "models: [a, b, c]\n", "names": "a b c"})
    made.dvc("repro")
    made.write({"params.yaml": "models: [a]\n"})
    return made


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in [*root.glob("one-*"), *root.glob("made/[a-z]*")])


def test_they_go_and_come_back_and_a_clone_agrees(tree: Tree) -> None:
    told = dropped.put_away(dag.survey(tree.root))
    assert told.startswith("4 outputs of models or arms that the sweep has no more, such as made/b,")
    assert files(tree.root) == ["made/a", "one-a"]
    tree.dvc("repro")
    assert (tree.root / "all").read_text() == "a\n"
    shutil.rmtree(tree.root / "made/a")  # what a clone lacks
    tree.dvc("checkout")
    assert "up to date" in tree.dvc("status")
    assert dropped.put_away(dag.survey(tree.root)) == ""
    tree.write({"params.yaml": "models: [a, b]\n"})
    assert "Running stage 'make@b'" not in tree.dvc("repro")
    assert (tree.root / "all").read_text() == "a\nb\n"


def test_what_the_cache_has_not_whole_stays(tree: Tree) -> None:
    lost = lock_file.outs(tree.root)["make@b"]
    for md5 in lost.values():
        (tree.root / ".dvc/cache/files/md5" / md5[:2] / md5[2:]).unlink()
    dropped.put_away(dag.survey(tree.root))
    assert files(tree.root) == ["made/a", "made/b", "one-a", "one-b"]


def test_what_another_stage_makes_by_now_stays(tree: Tree) -> None:
    tree.write({"dvc.yaml": GRAPH.replace("  make:", "  build:")})
    tree.dvc("repro")
    assert dropped.put_away(dag.survey(tree.root)).startswith("4 outputs")
    assert files(tree.root) == ["made/a", "one-a"]
