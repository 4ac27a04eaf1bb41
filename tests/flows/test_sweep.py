"""A fan-out of two models by two arms and its fan-in, run through a real Prefect server."""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.flow_trees import STEP, Api, Tree, wait_for

PARAMS = "sweep: {models: [a, b], arms: [x, y]}\nmodels: {a: 1, b: 2}\n"
GRAPH = """
stages:
  fetch:
    desc: Get a model
    meta: {slot: none, tags: [network]}
    matrix: {model: "${sweep.models}"}
    cmd: python step.py fetch@${item.model} 0 made/${item.model}
    params: ["models.${item.model}"]
    outs: ["made/${item.model}"]
  train:
    meta: {slot: gpu}
    matrix: {model: "${sweep.models}", arm: "${sweep.arms}"}
    cmd: python step.py train@${item.model}-${item.arm} 3 tuned/${item.model}-${item.arm} made/${item.model}
    deps: ["made/${item.model}"]
    outs: ["tuned/${item.model}-${item.arm}"]
  report:
    meta: {table: tests.csv, link: report.html, summary: [summary.txt]}
    cmd: >-
      python step.py report 0 report.html tuned/a-x tuned/a-y tuned/b-x tuned/b-y &&
      printf 'model,p\\na,0.01\\nb,0.02\\n' > tests.csv && printf 'both models improve\\n' > summary.txt
    deps: [tuned]
    outs: [report.html, tests.csv, summary.txt]
"""
# Without the root's .gitignore DVC writes one into the folder `tuned`, in the order in which stages end.
FILES = {"dvc.yaml": GRAPH, "params.yaml": PARAMS, "step.py": STEP, ".gitignore": "/made/\n/tuned/\n"}
TRAINED = ["train@a-x", "train@a-y", "train@b-x", "train@b-y"]
STAGES = {"fetch@a", "fetch@b", *TRAINED, "report"}


class Swept:
    """A tree after a sweep: what was printed, and what the server knows."""

    def __init__(self, tree: Tree, api: Api, *arguments: str, **env: str) -> None:
        self.tree = tree
        self.code, self.output = tree.palms("sweep", *arguments, **env)
        self.run = api.run_of(self.output)
        self.tasks = api.tasks(self.run)
        self.logs = api.logs(self.run)
        self.artifacts = api.artifacts(self.run)

    def names(self) -> dict[str, str]:
        return {stage: task["state_name"] for stage, task in self.tasks.items()}


@pytest.fixture(scope="module")
def first(new_tree: Callable[..., Tree], api: Api) -> Swept:
    tree = new_tree(FILES, PREFECT_API_URL=api.url)
    return Swept(tree, api, PALMS_SLOTS="gpu=2", CUDA_VISIBLE_DEVICES="4,7")


NEW = "  new: {cmd: python step.py new 0 new.txt report.html, deps: [report.html], outs: [new.txt]}\n"


@pytest.fixture(scope="module")
def second(first: Swept, api: Api) -> Swept:
    """After an output was lost and somebody added a stage."""
    (first.tree.root / "tuned" / "a-x").unlink()
    first.tree.write({"dvc.yaml": GRAPH + NEW})
    return Swept(first.tree, api, "--verbose", "new")


def times(tree: Tree) -> dict[str, dict[str, float]]:
    by_word: dict[str, dict[str, float]] = {"start": {}, "end": {}}
    for line in tree.log():
        word, name, when, *_ = line.split()
        by_word[word][name] = float(when)
    return by_word


def test_ends_completed_with_a_task_per_stage(first: Swept) -> None:
    assert first.code == 0, first.output
    assert first.run["state_type"] == "COMPLETED"
    assert first.names() == dict.fromkeys(STAGES, "Completed")
    assert set(first.tasks["fetch@a"]["tags"]) == {"fetch", "a", "network"}
    assert set(first.tasks["train@b-y"]["tags"]) == {"train", "b", "y"}  # stage, model and arm


def test_a_run_is_named_by_models_and_commit_and_its_link_opens_the_ui_that_is_served(first: Swept, api: Api) -> None:
    assert re.fullmatch(r"2-models-no-commit-[0-9a-f]{4}", first.run["name"])
    assert set(first.run["tags"]) == {"a", "b"}
    assert f"7 stages, {api.url.removesuffix('/api')}/v2/runs/flow-run/{first.run['id']}\n" in first.output


def test_no_deployment_is_left_that_is_not_ready(first: Swept, api: Api) -> None:
    assert first.run["deployment_id"]
    names = {each["name"] for each in api.post("/deployments/filter")}
    assert first.run["name"] not in names


def test_prefect_has_the_edges(first: Swept) -> None:
    ids = {task["id"]: name for name, task in first.tasks.items()}
    for name, upstreams in (("train@b-x", {"fetch@b"}), ("report", set(TRAINED))):
        assert {ids[up["id"]] for up in first.tasks[name]["task_inputs"]["wait_for"]} == upstreams


def test_a_stage_starts_after_its_upstreams_and_beside_its_like(first: Swept) -> None:
    at = times(first.tree)
    assert all(at["start"][name] > at["end"][f"fetch@{name[6]}"] for name in TRAINED)
    assert at["start"]["report"] > max(at["end"][name] for name in TRAINED)
    at_once = [sum(at["start"][other] <= at["start"][name] < at["end"][other] for other in TRAINED) for name in TRAINED]
    assert max(at_once) == 2  # two gpu slots


def test_each_gpu_stage_has_a_gpu_and_its_share_of_the_cores(first: Swept) -> None:
    by_stage = {line.split()[1]: line.split()[3:] for line in first.tree.log() if line.startswith("start")}
    assert {by_stage[name][0] for name in TRAINED} == {"4", "7"}
    assert by_stage["report"][0] == "4,7"  # as the user had it
    assert all(int(by_stage[name][1]) >= 1 for name in STAGES)
    assert {Path(words[2]).parent for words in by_stage.values()} == {Path(sys.executable).parent}


def test_progress_is_printed_line_by_line(first: Swept) -> None:
    assert re.search(r"^\[0/7\] fetch@a started$", first.output, re.MULTILINE)
    assert re.search(r"^\[\d/7\] train@a-x done in \d+ s, \d left$", first.output, re.MULTILINE)
    assert re.search(r"^\[7/7\] report done in \d+ s$", first.output, re.MULTILINE)
    assert first.output.rstrip().endswith("both models improve\nreport.html")
    # of parallel stages, which one; dvc's own lines only with --verbose
    assert "\ntrain@a-x [####................] 1/5 texts, 2 s left\n" in first.output
    assert "Running stage" not in first.output


def test_results_become_artifacts(first: Swept) -> None:
    assert first.artifacts["sweep"]["data"] == 100
    table = first.artifacts["report-tests-csv"]
    assert json.loads(table["data"]) == [{"model": "a", "p": "0.01"}, {"model": "b", "p": "0.02"}]
    assert table["task_run_id"] == first.tasks["report"]["id"]
    assert "both models improve" in first.artifacts["report-summary-txt"]["data"]
    page = first.artifacts["report-report-html"]["data"]
    assert "- both models improve\n" in page  # no browser follows a link to a file
    assert f"`report.html` in `{first.tree.root}`" in page
    assert "file://" not in page


def test_stages_without_work_have_edges_and_artifacts_too(second: Swept) -> None:
    ids = {task["id"]: name for name, task in second.tasks.items()}
    inputs = {name: {ids[up["id"]] for up in task["task_inputs"]["wait_for"]} for name, task in second.tasks.items()}
    assert (inputs["train@b-x"], inputs["new"]) == ({"fetch@b"}, {"report"})
    assert set(second.tasks["train@b-x"]["tags"]) == {"train", "b", "x"}
    assert second.artifacts["report-tests-csv"]["task_run_id"] == second.tasks["report"]["id"]


def test_what_is_done_is_not_run_again_and_a_new_stage_needs_no_code(second: Swept) -> None:
    assert second.code == 0
    assert second.names() == {**dict.fromkeys(STAGES, "Cached"), "new": "Completed"}
    assert sorted(line.split()[1] for line in second.tree.log() if line.startswith("start")) == sorted([*STAGES, "new"])
    assert (second.tree.root / "tuned" / "a-x").exists()
    assert "\nnew: Running stage 'new':\n" in second.output  # --verbose
    # a process is started only where something changed: DVC says so of each
    assert set(re.findall(r"stage '([^']+)'", second.output, re.IGNORECASE)) == {"train@a-x", "report", "new"}


FAILING = """
stages:
  good: {cmd: python step.py good 0 good.txt, outs: [good.txt]}
  bad:
    meta: {slot: none, tags: [network], retries: 1, retry_delay_seconds: 0.5}
    cmd: echo try >> log && printf '10%%\\r20%%\\rall\\n' && echo key $SOME_API_KEY in $HOME/x && exit 1
    outs: [bad.txt]
  wrong:
    meta: {retries: 3}
    cmd: "echo wrong >> log; echo 'error: data/values is empty' >&2; exit 2"
    outs: [wrong.txt]
  after: {cmd: python step.py after 0 after.txt, deps: [bad.txt], outs: [after.txt]}
  last: {cmd: python step.py last 0 last.txt, deps: [after.txt, good.txt], outs: [last.txt]}
  beside: {cmd: python step.py beside 0 beside.txt, deps: [good.txt], outs: [beside.txt]}
"""


@pytest.fixture(scope="module")
def failed(new_tree: Callable[..., Tree], api: Api) -> Swept:
    tree = new_tree({"dvc.yaml": FAILING, "step.py": STEP}, PREFECT_API_URL=api.url)
    home = tree.root.parent / "somebody"
    home.mkdir()
    return Swept(tree, api, SOME_API_KEY="k-12345", HOME=str(home))


def test_only_descendants_of_a_failed_stage_are_not_run(failed: Swept) -> None:
    names = {"Completed": ("good", "beside"), "Failed": ("bad", "wrong"), "NotRun": ("after", "last")}
    assert failed.names() == {stage: name for name, stages in names.items() for stage in stages}
    assert {failed.tasks[stage]["state"]["message"] for stage in names["NotRun"]} == {"not run: bad failed"}


def test_fails_naming_the_stages_and_the_users_mistake_first(failed: Swept) -> None:
    assert failed.code == 2
    assert failed.run["state_type"] == "FAILED"
    assert all(stage in failed.run["state"]["message"] for stage in ("bad", "wrong"))
    summary = failed.output[failed.output.index("6 stages in") :].splitlines()
    assert {"wrong: error: data/values is empty", "bad: its command exited with 1"} == set(summary[1:3])
    assert "not run, for want of these: after, last" in summary
    assert "Traceback" not in failed.output


def test_a_failed_stage_shows_its_last_lines(failed: Swept) -> None:
    message = failed.tasks["bad"]["state"]["message"]
    assert message.startswith("its command exited with 1\n")
    assert "key <SOME_API_KEY> in ~/x" in message.splitlines()


def test_an_automation_can_ask_for_stage_model_and_arm(failed: Swept, api: Api) -> None:
    related = {"related": {"id": [f"prefect.flow-run.{failed.run['id']}"]}, "event": {"name": ["palms.stage.failed"]}}

    def resources() -> dict[str, Any]:
        found = [event["resource"] for event in api.post("/events/filter", {"filter": related})["events"]]
        return {resource["palms.stage"]: resource for resource in found} if len(found) > 1 else {}

    events = wait_for(resources, 10)
    assert events["bad"]["prefect.resource.id"] == "palms.stage.bad"
    assert events["wrong"]["palms.error"] == "error: data/values is empty"


def test_retries_as_meta_says_but_not_a_users_mistake(failed: Swept) -> None:
    assert failed.tree.log().count("try") == 2
    assert failed.tree.log().count("wrong") == 1
    assert "bad failed; try 2 of 2 follows" in failed.output


def test_logs_are_clean_and_tell_no_secret(failed: Swept) -> None:
    lines = [log["message"] for log in failed.logs if log["task_run_id"] == failed.tasks["bad"]["id"]]
    assert "all" in lines
    assert not any("10%" in line for line in lines if not line.startswith((">", "ERROR")))
    assert "key <SOME_API_KEY> in ~/x" in lines
    everything = failed.output + json.dumps([log["message"] for log in failed.logs])
    assert "k-12345" not in everything
    assert "/somebody" not in everything


# What Prefect does where the server is away at the moment in which a task asks for its tags' limits: it fails the task.
LOST_ONCE = """
import sys, httpx, prefect.task_engine as engine
ask, lost = engine._concurrency, []
def concurrency(*args, **options):
    if len(lost) < 2:
        lost.append(1)
        raise httpx.ConnectError("All connection attempts failed")
    return ask(*args, **options)
engine._concurrency = concurrency
from flows.cli import main
sys.exit(main(["sweep"]))
"""


def test_a_task_that_prefect_ended_before_it_began_is_handed_to_it_once_more(
    new_tree: Callable[..., Tree], prefect_url: str
) -> None:
    tree = new_tree(FILES, PREFECT_API_URL=prefect_url)
    code, output = tree.run(sys.executable, "-c", LOST_ONCE)
    assert code == 0, output
    assert "7 stages in" in output
    assert "7 done" in output
