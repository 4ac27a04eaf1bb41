import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from flows.processes import PARENT, STAGE_MARK, marked
from flows.run_stage import Verdict
from tests.support.flow_trees import Tree, wait_for

GRAPH = """
stages:
  good: {cmd: echo made > good.txt, outs: [good.txt]}
  wrong: {cmd: "echo 'error: no values' >&2; exit 2", outs: [wrong.txt]}
  broken: {cmd: exit 3, outs: [broken.txt]}
  daemon: {cmd: "setsid sleep 300 & echo made > daemon.txt", outs: [daemon.txt]}
  noisy: {cmd: "(while :; do echo noise; sleep 0.1; done) & echo made > noisy.txt", outs: [noisy.txt]}
  slow: {cmd: "trap '' TERM; setsid sleep 300 & touch begun; sleep 300; sleep 300", outs: [slow.txt]}
"""
STAGE = [sys.executable, "-m", "flows.run_stage"]


@pytest.fixture(scope="module")
def tree(new_tree: Callable[..., Tree]) -> Tree:
    return new_tree({"dvc.yaml": GRAPH})


@pytest.mark.parametrize(("stage", "code"), [("wrong", 2), ("broken", 1), ("nothing", 1)])
def test_exit_codes(tree: Tree, stage: str, code: int) -> None:
    assert tree.run(*STAGE, stage)[0] == code


def test_output_without_dvcs_advice(tree: Tree) -> None:
    assert tree.run(*STAGE, "good") == (0, "Running stage 'good':\n> echo made > good.txt\n")
    code, output = tree.run(*STAGE, "good")
    assert (code, "didn't change" in output) == (0, True)


@pytest.mark.parametrize(
    ("lines", "outcome"),
    [
        (["Running stage 'a':", "Stage 'a' is cached"], "ran"),
        (["Stage 'a' didn't change, skipping"], "cached"),
        (["Stage 'a' is cached - skipping run, checking out outputs"], "cached"),
        (["Stage 'ab' didn't change, skipping"], None),
    ],
)
def test_verdict_is_the_first_line_that_tells(lines: list[str], outcome: str | None) -> None:
    verdict = Verdict("a")
    for line in lines:
        verdict.hear(line)
    assert verdict.outcome == outcome


def test_verdict_takes_the_code_from_dvcs_own_line() -> None:
    verdict = Verdict("a")
    verdict.hear("torchrun: worker exited with 2")
    assert (verdict.exit_code(255), verdict.exit_code(0)) == (1, 0)
    verdict.hear("ERROR: failed to reproduce 'a': failed to run: python x.py, exited with 2")
    assert verdict.exit_code(255) == 2


@pytest.mark.parametrize("stage", ["daemon", "noisy"])
def test_what_a_stage_left_in_the_background_is_ended(tree: Tree, stage: str) -> None:
    began = time.monotonic()
    assert tree.run(*STAGE, stage)[0] == 0  # though it holds the pipe open, and may go on writing
    assert time.monotonic() - began < 10
    assert tree.left_after(1) == []


def test_sigterm_ends_the_stubborn(tree: Tree) -> None:
    (tree.root / "begun").unlink(missing_ok=True)
    process = tree.start([*STAGE, "slow"])
    wait_for((tree.root / "begun").exists)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=10)
    assert process.returncode == 128 + signal.SIGTERM
    assert tree.left_after(1) == []


def test_it_does_not_start_when_its_parent_is_gone(tree: Tree) -> None:
    (tree.root / "begun").unlink(missing_ok=True)
    gone = subprocess.Popen(["true"])
    gone.wait()
    assert tree.run(*STAGE, "slow", **{PARENT: str(gone.pid)})[0] == 128 + signal.SIGTERM
    assert not (tree.root / "begun").exists()


def test_marks_are_found_only_by_value(tree: Tree) -> None:
    process = subprocess.Popen(["sleep", "30"], env={**os.environ, STAGE_MARK: tree.mark})
    try:
        assert [found.pid for found in marked(STAGE_MARK, tree.mark)] == [process.pid]
        assert marked(STAGE_MARK, "another") == []
    finally:
        process.kill()
        process.wait()
