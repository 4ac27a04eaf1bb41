"""The process that forks a process for each stage: real DVC in real processes, some of them killed."""

import os
import signal
import sys
from collections.abc import Callable, Iterator

import psutil
import pytest

from flows.fork_server import ForkServer, StageProcess
from flows.processes import STAGE_MARK
from flows.run_stage import lines
from tests.support.flow_trees import MARK, Tree, wait_for

GRAPH = """
stages:
  tells: {cmd: "env > told.txt", outs: [told.txt], always_changed: true}
  wrong: {cmd: exit 2, outs: [wrong.txt]}
  slow: {cmd: "touch begun; sleep 300", outs: [slow.txt]}
  two: {cmd: "sleep 1; touch two.txt", outs: [two.txt]}
"""
FLOW = """
import os, sys, time
from pathlib import Path
from flows.fork_server import ForkServer
server = ForkServer(Path.cwd(), os.environ)
process = server.start("slow", os.environ)
print(process.pid, flush=True)
time.sleep(300)
"""


@pytest.fixture(scope="module")
def tree(new_tree: Callable[..., Tree]) -> Tree:
    return new_tree({"dvc.yaml": GRAPH})


@pytest.fixture
def server(tree: Tree) -> Iterator[ForkServer]:
    started = ForkServer(tree.root, env(tree))
    yield started
    started.close()
    assert tree.left_after(10) == []


def env(tree: Tree, **more: str) -> dict[str, str]:
    return {**tree.env, MARK: tree.mark, **more}


def ended(process: StageProcess) -> tuple[int | None, list[str]]:
    told = list(lines(process))
    return process.wait(10), told


def of_server(tree: Tree) -> psutil.Process:
    def found() -> list[psutil.Process]:
        named = [process for process in tree.processes() if process.name() == "palms-fork"]
        return named if len(named) == 1 else []  # what was just forked has its name for a moment

    return wait_for(found)[0]


def test_a_stage_has_its_own_environment_and_nothing_of_the_servers(tree: Tree, server: ForkServer) -> None:
    large = "x" * 100_000
    code, told = ended(server.start("tells", env(tree, KEY="value", LARGE=large, **{STAGE_MARK: "one"})))
    assert (code, told[0]) == (0, "Running stage 'tells':")
    seen = dict(line.split("=", 1) for line in (tree.root / "told.txt").read_text().splitlines() if "=" in line)
    assert (seen["KEY"], seen["LARGE"], seen[STAGE_MARK]) == ("value", large, "one")
    assert ended(server.start("tells", env(tree)))[0] == 0
    assert "KEY=" not in (tree.root / "told.txt").read_text()


def test_exit_codes_and_signals_come_back_of_several_at_once(tree: Tree, server: ForkServer) -> None:
    slow, wrong, two = (server.start(stage, env(tree)) for stage in ("slow", "wrong", "two"))
    assert of_server(tree).num_threads() == 1  # a fork of several threads may hold a lock that nobody frees
    assert (ended(wrong)[0], ended(two)[0], slow.poll()) == (2, 0, None)
    wait_for((tree.root / "begun").exists)
    slow.terminate()
    assert ended(slow)[0] == 128 + signal.SIGTERM
    assert (slow.wait(), slow.poll()) == (128 + signal.SIGTERM,) * 2
    slow.terminate()  # nobody: it has ended


def test_a_killed_server_takes_its_stages_along_and_another_takes_its_place(tree: Tree, server: ForkServer) -> None:
    (tree.root / "begun").unlink(missing_ok=True)
    slow = server.start("slow", env(tree))
    wait_for((tree.root / "begun").exists)
    of_server(tree).kill()
    assert ended(slow)[0] == -signal.SIGKILL
    assert tree.left_after(10) == []
    assert ended(server.start("tells", env(tree)))[0] == 0


def test_of_a_killed_supervisor_nothing_is_left_that_dvc_takes_for_alive(tree: Tree, server: ForkServer) -> None:
    (tree.root / "begun").unlink(missing_ok=True)
    slow = server.start("slow", env(tree))
    wait_for((tree.root / "begun").exists)
    supervisor = psutil.Process(slow.pid)
    (dvc,) = (child.pid for child in supervisor.children())
    supervisor.kill()
    assert ended(slow)[0] == -signal.SIGKILL
    wait_for(lambda: not psutil.pid_exists(dvc), 10)
    os.killpg(slow.pid, signal.SIGKILL)  # the flow does this to what a killed supervisor could not end


def test_nothing_outlives_a_killed_flow(tree: Tree) -> None:
    flow = tree.start([sys.executable, "-c", FLOW])
    assert flow.stdout is not None
    stage = psutil.Process(int(flow.stdout.readline()))
    wait_for(lambda: stage.name() == "palms-stage")
    assert wait_for(lambda: os.getsid(stage.pid) == stage.pid)
    flow.kill()
    flow.wait()
    assert tree.left_after(10) == []
