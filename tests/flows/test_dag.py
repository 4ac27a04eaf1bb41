import shutil
from collections.abc import Callable, Mapping

import pytest

from flows import dag
from tasks.runtime.errors import InputError
from tests.support.flow_trees import Tree

PARAMS = """
sweep: {models: [small, large], arms: [base, values]}
models: {small: {source: hub/small}, large: {source: hub/large}}
"""
GRAPH = """
stages:
  report:
    cmd: cat made/small made/large > report.txt
    deps: [made]
    outs: [report.txt]
  finetune:
    desc: Fine-tune a model on an arm
    meta: {slot: gpu, tags: [model]}
    matrix: {model: "${sweep.models}", arm: "${sweep.arms}"}
    cmd: mkdir -p tuned && cp made/${item.model} tuned/${item.model}-${item.arm}
    deps: ["made/${item.model}"]
    outs: ["tuned/${item.model}-${item.arm}"]
  fetch:
    matrix: {model: "${sweep.models}"}
    cmd: mkdir -p made && echo ${item.model} > made/${item.model}
    params: ["models.${item.model}"]
    outs: ["made/${item.model}"]
"""


@pytest.fixture(scope="module")
def tree(new_tree: Callable[..., Tree]) -> Tree:
    return new_tree({"dvc.yaml": GRAPH, "params.yaml": PARAMS})


def test_reads_matrix_fan_out_and_fan_in(tree: Tree) -> None:
    stages = {stage.name: stage for stage in dag.read(tree.root)}
    assert list(stages) == [  # upstreams first, otherwise as they are written
        "fetch@small", "fetch@large", "report",
        "finetune@small-base", "finetune@small-values", "finetune@large-base", "finetune@large-values",
    ]  # fmt: skip
    tuned = stages["finetune@large-values"]
    assert tuned.upstreams == ("fetch@large",)
    assert (tuned.group, tuned.desc) == ("finetune", "Fine-tune a model on an arm")
    assert tuned.meta == {"slot": "gpu", "tags": ["model"]}
    assert tuned.cmd == "mkdir -p tuned && cp made/large tuned/large-values"
    assert stages["report"].upstreams == ("fetch@large", "fetch@small")  # it depends on the folder


def test_selects_a_target_with_its_upstreams(tree: Tree) -> None:
    stages = dag.read(tree.root)
    assert [s.name for s in dag.select(stages, ["finetune@small-base"])] == ["fetch@small", "finetune@small-base"]
    assert {s.name for s in dag.select(stages, ["finetune"])} == {s.name for s in stages} - {"report"}
    assert dag.select(stages, []) == stages


def test_unknown_target_names_its_neighbours(tree: Tree) -> None:
    with pytest.raises(InputError, match=r"no stage is called 'finetun'.*finetune"):
        dag.select(dag.read(tree.root), ["finetun"])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[small, large]", "[small, huge]", r"no 'models.huge', which stage fetch@huge reads; known are small, large"),
        ("sweep:", "swoop:", r"Could not find 'sweep.models'"),
        ("${item.model}-${item.arm}\n", "${sweep.nothing}\n", r"Could not find 'sweep.nothing'"),
        ("models: {small", "models: {{small", r"params.yaml.*corrupted"),
        ("stages:\n", "stages: [\n", r"dvc.yaml.*corrupted"),
        ("cmd: cat", "command: cat", r"dvc.yaml.*validation failed.*command"),
        ("outs: [report.txt]", "outs: [made/small]", r"made/small"),
        ("deps: [made]", "deps: [report.txt]", r"both a dependency and an output"),
    ],
)
def test_a_mistake_is_one_clear_line(new_tree: Callable[..., Tree], old: str, new: str, message: str) -> None:
    assert old in GRAPH + PARAMS
    files = {"dvc.yaml": GRAPH.replace(old, new), "params.yaml": PARAMS.replace(old, new)}
    with pytest.raises(InputError, match=message) as caught:
        dag.read(new_tree(files).root)
    assert "\n" not in str(caught.value)


def changes_of(tree: Tree) -> Mapping[str, list[str]]:
    changes = dag.survey(tree.root).changes
    assert changes is not None
    return changes


def test_a_stage_knows_what_of_its_matrix_it_is(new_tree: Callable[..., Tree]) -> None:
    """Its name alone does not tell: `a-b-c` may be of the model `a-b` or of the arm `b-c`."""
    graph = """
stages:
  one: {foreach: {k-1: 0}, do: {cmd: echo}}
  two: {matrix: {model: [a, a-b], arm: [c, d]}, cmd: "echo ${item.model} ${item.arm}"}
"""
    items = {stage.name: stage.item for stage in dag.read(new_tree({"dvc.yaml": graph}).root)}
    assert items["two@a-b-c"] == {"model": "a-b", "arm": "c"}
    assert items["one@k-1"] == {"key": "k-1"}


def test_a_survey_holds_until_the_graph_changes(new_tree: Callable[..., Tree]) -> None:
    tree = new_tree({"dvc.yaml": GRAPH, "params.yaml": PARAMS})
    tree.dvc("repro", "fetch@small")
    survey = dag.survey(tree.root)
    assert survey.unchanged() == {"fetch@small"}
    assert survey.holds(tree.root)
    tree.write({"params.yaml": f"{PARAMS}\n"})
    assert not survey.holds(tree.root)


def test_parameters_are_read_once_for_all(new_tree: Callable[..., Tree], monkeypatch: pytest.MonkeyPatch) -> None:
    from dvc.dependency import param

    tree, read = new_tree({"dvc.yaml": GRAPH, "params.yaml": PARAMS}), []
    load = param.load_path
    monkeypatch.setattr(param, "load_path", lambda path, *more: read.append(path) or load(path, *more))
    tree.dvc("repro")
    assert dag.survey(tree.root).changes == {}
    assert len(read) == 1


def test_changes_are_told_in_words(new_tree: Callable[..., Tree]) -> None:
    tree = new_tree({"dvc.yaml": GRAPH, "params.yaml": PARAMS})
    tree.dvc("repro", "fetch@small")
    before = dag.survey(tree.root).changes or {}
    assert "fetch@small" not in before
    assert "output made/large is missing" in before["fetch@large"]
    tree.write({"params.yaml": PARAMS.replace("hub/small", "hub/other")})
    assert changes_of(tree)["fetch@small"] == ["params.yaml: models.small was modified"]


def test_a_tracked_file_is_no_stage(new_tree: Callable[..., Tree]) -> None:
    tree = new_tree({"dvc.yaml": "stages:\n  use: {cmd: cat raw, deps: [raw]}\n", "raw": "data"})
    tree.dvc("add", "raw")
    tree.write({"raw": "other"})
    assert [(stage.name, stage.upstreams) for stage in dag.read(tree.root)] == [("use", ())]
    assert changes_of(tree)["raw.dvc"] == ["output raw was modified"]


def test_a_path_that_dvc_cannot_use_is_refused_before_the_work(new_tree: Callable[..., Tree]) -> None:
    tree = new_tree({"dvc.yaml": GRAPH, "params.yaml": PARAMS})
    odd = tree.root.rename(tree.root.with_name("a-{x}"))
    with pytest.raises(InputError, match=r"cache/files/md5: DVC cannot keep results in a path with braces"):
        dag.read(odd)
    tree.write({".dvc/config.local": f"[cache]\n    dir = {odd.parent}/cache\n"})
    shutil.move(tree.root / ".dvc" / "config.local", odd / ".dvc" / "config.local")
    assert len(dag.read(odd)) == 7
    latin = odd.rename(odd.with_name("lat\udce9in"))
    with pytest.raises(InputError, match="cannot work in a path that is not UTF-8"):
        dag.read(latin)


def test_without_git_it_says_what_to_do(new_tree: Callable[..., Tree]) -> None:
    """As a downloaded archive is."""
    tree = new_tree({"dvc.yaml": GRAPH, "params.yaml": PARAMS})
    shutil.rmtree(tree.root / ".git")
    with pytest.raises(InputError, match=r"is not a git repository, .* run `git init` there, or clone"):
        dag.read(tree.root)


@pytest.mark.parametrize("written", ["2026-01-01", "2026-01-01T12:00:00"])
def test_a_date_is_to_be_quoted(new_tree: Callable[..., Tree], written: str) -> None:
    """DVC ends in a traceback there."""
    tree = new_tree({"dvc.yaml": GRAPH, "params.yaml": f"{PARAMS}prompting:\n  date: {written}\n"})
    for read in (dag.read, dag.survey):
        message = r"params\.yaml: prompting\.date: DVC takes no date\w* here; write it in quotes$"
        with pytest.raises(InputError, match=message):
            read(tree.root)
