"""Every way in which a sweep can die, one after the other in the same tree.

Each finds the tree as the last one left it: that it gets to its held stages is the proof that the next sweep
goes on, and the log shows that the finished stage ran once.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from flows.processes import STAGE_MARK, marked
from flows.stopping import CANCELLED, TERMINATED, Stop
from tests.support.flow_trees import PALMS, STEP, Api, Tree, wait_for

LIMIT = 10.0  # seconds until no process of the run may be left

GRAPH = """
stages:
  quick: {cmd: python step.py quick 0 quick.txt, outs: [quick.txt]}
  held:
    meta: {slot: none}
    matrix: {who: [a, b]}
    cmd: python held.py ${item.who}
    deps: [quick.txt]
    outs: ["held-${item.who}.txt"]
  last: {cmd: python step.py last 0 last.txt, deps: [held-a.txt, held-b.txt], outs: [last.txt]}
"""
# Its own child has left the process group and does not heed SIGTERM.
HELD = """
import os, subprocess, sys, time
who = sys.argv[1]
stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(300)"
if os.path.exists("hold"):
    child = subprocess.Popen([sys.executable, "-c", stubborn], start_new_session=True)
    time.sleep(0.3)
    with open("log", "a") as file:
        print("held", who, os.getpid(), child.pid, file=file)
    while os.path.exists("hold"):
        time.sleep(0.05)
    child.kill()
open(f"held-{who}.txt", "w").write(who)
"""
FILES = {"dvc.yaml": GRAPH, "step.py": STEP, "held.py": HELD}
ONLY_HELD = "\n".join(line for line in GRAPH.splitlines() if "step.py" not in line)
SERVE = """
from flows.sweep import sweep
if __name__ == "__main__":
    sweep.serve(name="test", print_starting_message=False)
"""


@dataclass
class Held:
    """A sweep whose stages `held@a` and `held@b` run until somebody does something."""

    tree: Tree
    process: "subprocess.Popen[str]"
    run_id: str
    pids: dict[str, tuple[int, int]]  # a, b -> the stage's process and its own child

    def stop(self, how: Callable[["Held"], None]) -> str:
        """Stop it, and see that it and all it started ends in time; returns what it had printed."""
        began = time.monotonic()
        how(self)
        try:
            output, _ = self.process.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            self.tree.kill()  # or it would hold the tree, and all tests to come would fail with this one
            raise
        assert self.tree.left_after(LIMIT - (time.monotonic() - began)) == []
        print(f"all ended after {time.monotonic() - began:.1f} s")
        return output


def hold(tree: Tree, command: list[str] = PALMS, **env: str) -> Held:
    before = len(tree.log())
    tree.write({"hold": ""})
    process = tree.start([*command, "sweep"], **env)
    return held(tree, process, before)


def held(tree: Tree, process: "subprocess.Popen[str]", before: int) -> Held:
    def pids() -> dict[str, tuple[int, int]]:
        assert process.poll() is None, process.communicate()[0]
        lines = [line.split() for line in tree.log()[before:] if line.startswith("held")]
        by_stage = {who: (int(pid), int(child)) for _, who, pid, child in lines}
        return by_stage if len(by_stage) == 2 else {}

    by_stage = wait_for(pids, 180)
    note = json.loads((tree.root / ".dvc" / "tmp" / "palms.json").read_text())
    return Held(tree, process, note["flow_run_id"], by_stage)


def times_run(tree: Tree, stage: str) -> int:
    return sum(line.startswith(f"start {stage} ") for line in tree.log())


@pytest.fixture(scope="module")
def tree(new_tree: Callable[..., Tree], prefect_url: str) -> Tree:
    return new_tree(FILES, PREFECT_API_URL=prefect_url)


def ctrl_c(run: Held) -> None:
    run.process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    run.process.send_signal(signal.SIGINT)  # people press it twice


def stopped(run: Held, api: Api, how: Callable[[Held], None], code: int, message: str) -> bool:
    """Whether a signal stops the sweep and all that it started, and Prefect hears of it."""
    output = run.stop(how)
    assert run.process.returncode == code, output
    assert "Traceback" not in output
    assert "WARNING" not in run.tree.palms("status")[1]  # DVC has nothing to say of the locks that its stages held
    state = api.state(run.run_id)
    assert (state["type"], state["message"]) == ("CANCELLED", message)
    stages = api.tasks({"id": run.run_id})
    assert {stages["held@a"]["state_type"], stages["held@b"]["state_type"]} == {"CANCELLED"}
    return times_run(run.tree, "quick") == 1


def test_ctrl_c_stops_all(tree: Tree, api: Api) -> None:
    assert stopped(hold(tree), api, ctrl_c, 130, "stopped by SIGINT")


@pytest.mark.parametrize(("how", "state"), [(Api.cancel, "Cancelled"), (Api.suspend, "Suspended")])
def test_cancelling_or_suspending_in_the_ui_stops_all(
    tree: Tree, api: Api, how: Callable[[Api, str], None], state: str
) -> None:
    run = hold(tree)
    output = run.stop(lambda _: how(api, run.run_id))
    assert run.process.returncode == 1, output
    assert "Traceback" not in output
    assert ("`palms sweep` goes on" in output) is (state == "Suspended")  # it is left to Prefect to run it again
    assert api.state(run.run_id)["name"] == state
    assert times_run(tree, "quick") == 1


def test_a_killed_flow_leaves_nothing_and_is_marked_by_the_next_one_which_sigterm_stops(tree: Tree, api: Api) -> None:
    killed = hold(tree)
    killed.stop(lambda _: killed.process.kill())
    assert api.state(killed.run_id)["type"] == "RUNNING"  # nobody could say more
    run = hold(tree)
    assert api.state(killed.run_id)["type"] == "CRASHED"
    names = {each["name"] for each in api.post("/deployments/filter")}
    assert api.flow_run(killed.run_id)["name"] not in names  # nothing of it is left in red
    assert {task["state_type"] for task in api.tasks({"id": killed.run_id}).values()} >= {"CRASHED"}
    for command, code, message in (("sweep", 2, "already works in this tree"), ("status", 0, "a sweep is running")):
        exit_code, output = tree.palms(command)
        assert exit_code == code, output
        assert message in output
        assert f"process {run.process.pid}" in output
    assert stopped(run, api, lambda _: run.process.terminate(), 143, "stopped by SIGTERM")


def test_a_worker_that_ends_a_cancelled_run_is_no_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    stop = Stop(lambda: None)
    stop.request(TERMINATED)
    stop.request(CANCELLED)
    stop.settle()
    assert stop.reason == CANCELLED
    monkeypatch.setattr(Stop, "hard_exit", 1e6)  # of the command line, whose exit code the reason decides
    stop = Stop(lambda: None)
    stop.request(TERMINATED)
    stop.request(CANCELLED)
    assert stop.reason == TERMINATED


def is_of_server(each: psutil.Process, server: "subprocess.Popen[str]") -> bool:
    with contextlib.suppress(psutil.Error):  # it may end while one looks
        return each.pid == server.pid or "resource_tracker" in " ".join(each.cmdline())
    return True


def test_cancelling_a_served_run_stops_all(tree: Tree, api: Api) -> None:
    tree.write({"hold": "", "serve.py": SERVE})
    before = len(tree.log())
    process = tree.start([sys.executable, "serve.py"], PREFECT_RUNNER_POLL_FREQUENCY="1")
    try:
        body = {"deployments": {"name": {"any_": ["test"]}}}
        (deployment,) = wait_for(lambda: api.post("/deployments/filter", body), 30)
        created = api.post(f"/deployments/{deployment['id']}/create_flow_run")
        run = held(tree, process, before)
        assert run.run_id == created["id"]
        began = time.monotonic()
        api.cancel(run.run_id)
        wait_for(lambda: all(is_of_server(each, process) for each in tree.processes()), LIMIT)
        print(f"all ended after {time.monotonic() - began:.1f} s")
        wait_for(lambda: api.state(run.run_id)["type"] == "CANCELLED", 10)
    finally:
        process.terminate()
        print(process.communicate(timeout=15)[0])
    assert times_run(tree, "quick") == 1


def test_a_killed_stage_fails_alone_and_leaves_nothing(tree: Tree, api: Api) -> None:
    """One by its own process, the other by the process that watches over it."""
    run = hold(tree)
    one, other = (psutil.Process(run.pids[who][0]) for who in ("a", "b"))
    marks = [each.environ()[STAGE_MARK] for each in (one, other)]
    supervisor = next(each for each in other.parents() if each.name() == "palms-stage")
    one.kill()
    wait_for(lambda: not marked(STAGE_MARK, marks[0]), LIMIT)
    assert psutil.pid_exists(other.pid)
    supervisor.kill()
    wait_for(lambda: not marked(STAGE_MARK, marks[1]), LIMIT)
    output, _ = run.process.communicate(timeout=30)
    assert run.process.returncode == 1, output
    assert "held@a failed: killed by SIGKILL" in output
    assert "held@b failed: killed by SIGKILL" in output
    assert not list(tree.root.glob("held-*.txt"))
    names = {name: task["state_name"] for name, task in api.tasks({"id": run.run_id}).items()}
    assert names == {"quick": "Cached", "held@a": "Failed", "held@b": "Failed", "last": "NotRun"}
    assert times_run(tree, "quick") == 1


def test_at_last_it_completes(tree: Tree) -> None:
    """After all of the above, with what a crash can leave behind on top of it."""
    (tree.root / "hold").unlink(missing_ok=True)
    stale: Any = {"pid": os.getpid(), "cmd": "dvc repro"}  # alive, but not that process
    rwlock = {"write": {str(tree.root / "last.txt"): stale}, "read": {}}
    tree.write({".dvc/tmp/rwlock": json.dumps(rwlock), ".dvc/tmp/lock": " 999999\n"})
    code, output = tree.palms("sweep")
    assert code == 0, output
    assert times_run(tree, "quick") == 1
    assert times_run(tree, "last") == 1
    assert "up to date" in tree.dvc("status")


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_before_there_is_a_flow_ends_in_one_line_wherever_it_comes(
    new_tree: Callable[..., Tree], signum: signal.Signals, code: int
) -> None:
    """pydantic takes what is raised in a serializer for its error; Prefect runs some while it is imported."""
    script = """
import sys, time
from pydantic import BaseModel, field_serializer
from flows import cli, server
class Slow(BaseModel):
    x: int
    @field_serializer("x")
    def _slow(self, x):
        print("in it", flush=True)
        time.sleep(20)
server.api = lambda *_: Slow(x=1).model_dump()
sys.exit(cli.main(["sweep"]))
"""
    tree = new_tree(FILES)
    process = tree.start([sys.executable, "-c", script])
    assert process.stdout is not None
    assert [process.stdout.readline() for _ in range(2)] == ["starting …\n", "in it\n"]
    process.send_signal(signum)
    output, _ = process.communicate(timeout=LIMIT)
    assert (process.returncode, output) == (code, f"stopped by {signum.name}\n")


def test_ephemeral_servers_do_not_meet_and_leave_nothing(new_tree: Callable[..., Tree], prefect_home: Path) -> None:
    one, two = (new_tree({**FILES, "dvc.yaml": ONLY_HELD, "quick.txt": "", "hold": ""}) for _ in range(2))
    for tree in (one, two):
        shutil.copytree(prefect_home, tree.root / ".dvc" / "tmp" / "prefect")
    processes = [tree.start([*PALMS, "sweep"]) for tree in (one, two)]  # both at once
    runs = [held(tree, process, 0) for tree, process in zip((one, two), processes, strict=True)]
    assert all("flows.server" in str([p.cmdline() for p in run.tree.processes()]) for run in runs)
    (two.root / "hold").unlink()
    runs[0].stop(lambda run: run.process.kill())
    output, _ = runs[1].process.communicate(timeout=60)
    assert runs[1].process.returncode == 0, output
    assert "locked" not in output
    assert two.left_after(2) == []
    early = one.start([*PALMS, "sweep"])
    wait_for(lambda: "flows.server" in str([p.cmdline() for p in one.processes()]))
    early.send_signal(signal.SIGINT)  # before there is a flow
    output, _ = early.communicate(timeout=LIMIT)
    assert early.returncode == 130, output
    assert "Traceback" not in output
    assert one.left_after(2) == []
