"""docs/adding.md, word for word: a stage is one stanza, one module and one section, and nothing else."""

import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from tests.fixtures import tiny
from tests.support.flow_trees import PALMS, REPO, Api, Tree

GUIDE = (REPO / "docs/adding.md").read_text("utf-8")


def block(place: str) -> str:
    """The first code block that a line of the guide with this path in it introduces."""
    found = re.search(rf"^[^\n]*`{re.escape(place)}`[^\n]*\n\n```\w+\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
    assert found, place
    return found[1]


@pytest.fixture(scope="module")
def tree(new_tree: Callable[..., Tree], prefect_url: str, ladder: Path, warm: dict[str, str]) -> Tree:
    """The project on one tiny model, with the guide's stage in it, and the contract test beside."""
    made = new_tree({}, PREFECT_API_URL=prefect_url, **warm)
    tiny.make_tree(made.root, ladder, ["tiny-1"])
    (made.root / "tests/support").mkdir(parents=True)
    for path in ("__init__.py", "test_contract.py", "support/__init__.py", "support/closure.py"):
        shutil.copy(REPO / "tests" / path, made.root / "tests" / path)
    graph = made.root / "dvc.yaml"
    text = graph.read_text("utf-8")
    assert text.count("\nplots:") == 1
    graph.write_text(text.replace("\nplots:", f"\n{block('dvc.yaml')}\nplots:"), "utf-8")
    (made.root / "tasks/questions.py").write_text(block("tasks/questions.py"), "utf-8")
    with (made.root / "params.yaml").open("a", encoding="utf-8") as params:
        params.write(block("params.yaml"))
    return made


@pytest.fixture(scope="module")
def printed(tree: Tree) -> str:
    code, output = tree.run(*PALMS, "sweep", timeout=900)
    assert code == 0, output
    return output


def test_it_is_seen_in_prefect(printed: str, prefect_url: str) -> None:
    api = Api(prefect_url)
    assert api.tasks(api.run_of(printed))["questions"]["state_name"] == "Completed"


@pytest.mark.usefixtures("printed")
def test_its_scores_are_tested(tree: Tree) -> None:
    contrasts = pd.read_csv(tree.root / "data/made/significance/contrasts.csv")
    rows = contrasts[(contrasts["metric"] == "questions") & (contrasts["role"] == "exploratory")]
    assert set(rows["contrast"]) == {"values - control", "values - base"}
    scores = pd.read_parquet(tree.root / "data/made/scores/questions.parquet")
    assert len(scores) == len(pd.read_json(tree.root / "data/made/samples/tiny-1/base.jsonl", lines=True)) * 3


@pytest.mark.usefixtures("printed")
def test_its_tests_stand_in_the_report(tree: Tree) -> None:
    page = (tree.root / "data/made/report/index.html").read_text("utf-8")
    assert re.search(r'<th scope="row">questions</th>', page)


@pytest.mark.usefixtures("printed")
def test_dvc_agrees(tree: Tree) -> None:
    assert "up to date" in tree.dvc("status")
    assert "Running stage" not in tree.dvc("repro")


def test_the_contract_holds_with_it(tree: Tree) -> None:
    code, output = tree.run(sys.executable, "-m", "pytest", "-q", "-k", "questions or stanza", "tests", timeout=300)
    assert code == 0, output
    assert "6 passed" in output
