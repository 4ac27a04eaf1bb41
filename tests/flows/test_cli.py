import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.flow_trees import PALMS, Tree

GRAPH = """
stages:
  fetch:
    matrix: {model: "${sweep.models}"}
    cmd: echo ${item.model} > ${item.model}.txt
    params: ["models.${item.model}"]
    outs: ["${item.model}.txt"]
"""
PARAMS = "sweep: {models: [small]}\nmodels: {small: {source: {id: hub/small, revision: main}}, large: hub/large}\n"


@pytest.fixture
def tree(new_tree: Callable[..., Tree]) -> Tree:
    return new_tree({"dvc.yaml": GRAPH, "params.yaml": PARAMS, "data/README": ""})


def test_help_names_every_command_and_imports_little(tree: Tree) -> None:
    code, output = tree.palms("--help")
    assert code == 0
    assert all(re.search(rf"^ +{name} ", output, re.M) for name in ("sweep", "check", "models", "status"))
    lean = "import sys, flows.cli; assert not {'prefect', 'dvc', 'torch', 'yaml'} & set(sys.modules)"
    assert tree.run(sys.executable, "-c", lean) == (0, "")


def test_version(tree: Tree) -> None:
    code, output = tree.palms("--version")
    assert (code, bool(re.fullmatch(r"palms \d+\.\d+\.\d+\n", output))) == (0, True)


@pytest.mark.parametrize("arguments", [[], ["fly"], ["sweep", "--fast"]])
def test_bad_arguments_exit_with_2(tree: Tree, arguments: list[str]) -> None:
    code, output = tree.palms(*arguments)
    assert code == 2
    assert "usage: palms" in output


def test_models_marks_the_chosen_also_from_a_subfolder(tree: Tree) -> None:
    assert Tree(tree.root / "data", tree.env).palms("models") == (0, "* small  hub/small  main\n  large  hub/large\n")


def test_status_says_what_changed_and_why(tree: Tree) -> None:
    code, output = tree.palms("status")
    assert code == 0
    assert "never ran: fetch@small" in output
    assert "1 of 1 stages are out of date" in output
    tree.dvc("repro")
    code, output = tree.palms("status")
    assert (code, output.splitlines()[-1]) == (0, "all stages are up to date")
    assert re.search(r"^fetch +1 +- +- +-$", output, re.M)  # one done
    tree.write({"params.yaml": PARAMS.replace("main", "other")})
    assert re.search(r"^fetch +- +- +1 +-", tree.palms("status")[1], re.M)  # out of date, and not missing


@pytest.mark.parametrize(
    ("command", "files", "env", "message"),
    [
        (["sweep", "train"], {}, {}, "error: no stage is called 'train'"),
        (["sweep"], {"params.yaml": PARAMS.replace("[small]", "[tiny]")}, {}, "error: params.yaml: no 'models.tiny'"),
        (["models"], {"params.yaml": PARAMS.replace("[small]", "[tiny]")}, {}, "sweep.models: no 'tiny' in `models`"),
        (["models"], {"params.yaml": "sweep: ["}, {}, "error: params.yaml: "),
        (["status"], {"dvc.yaml": "stages: ["}, {}, "error: unable to read: 'dvc.yaml'"),
        (["sweep"], {}, {"PALMS_SLOTS": "gpu=x"}, "error: PALMS_SLOTS=gpu=x"),
        (["sweep"], {}, {"PREFECT_API_URL": "http://127.0.0.1:9/api"}, "error: no Prefect server answers at"),
    ],
)
def test_a_users_mistake_is_one_line_and_2(
    tree: Tree, command: list[str], files: dict[str, str], env: dict[str, str], message: str
) -> None:
    tree.write(files)
    code, output = tree.palms(*command, **env)
    assert code == 2, output
    assert message in output
    assert "Traceback" not in output
    assert len([line for line in output.splitlines() if line != "starting …"]) <= 3


def test_outside_a_tree(tree: Tree, tmp_path: Path) -> None:
    code, output = Tree(tmp_path, tree.env).run(*PALMS, "status")
    assert code == 2
    assert output.startswith("error: not in a PALMS working tree")
