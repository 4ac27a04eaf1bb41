"""Jobs without a cluster: what is asked of Slurm, how ends are told, and whole jobs over a stand-in for ssh.

tests/flows/test_slurm.py has a real Slurm.
"""

import os
import pwd
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from tasks.runtime import config
from tasks.runtime.errors import InputError
from tasks.runtime.launchers import Job, State
from tasks.runtime.launchers.files import FOLDER, Holder, Lease, Task
from tasks.runtime.launchers.leftovers import end_leftovers
from tasks.runtime.launchers.slurm import Slurm
from tasks.settings.resources import Resources, devices_of, launcher_of
from tests.support import job_trees
from tests.support.flow_trees import Tree, environment, wait_for

JOB = Job("train@a-x", ("train",), cpus=2, memory_gb=3, minutes=90, gpus=1, where="resources.jobs.train.default")
RESOURCES: dict[str, Any] = {
    "finetune": {
        "default": {"micro_batch_size": 1},
        "big": {"micro_batch_size": 1, "processes": 4, "nodes": 2, "zero": 3},
        "wide": {"micro_batch_size": 1, "processes": 4, "zero": 3},
    },
    "generate": {"default": {"tensor_parallel": 2}},
    "launcher": "here",
    "launchers": {"here": {"kind": "slurm"}},
    "jobs": {
        "finetune": {"default": {"cpus": 2, "memory_gb": 3, "minutes": 9, "gpus": 1}},
        "generate": {"default": {"cpus": 1, "memory_gb": 1, "minutes": 9}},
    },
}


def options(slurm: Slurm, job: Job) -> list[str]:
    return slurm.command("n.1", job, ["inner"], {}).words


def test_what_is_asked_of_srun() -> None:
    assert options(Slurm(), JOB) == [
        "srun", "--nodes=1", "--cpus-per-task=2", "--mem=3G", "--time=90", "--gpus-per-node=1",
        "--job-name=n.1", "--ntasks=1", "--ntasks-per-node=1", "--kill-on-bad-exit=1", "inner",
    ]  # fmt: skip
    mine = Slurm(options={"mem": None, "time": "1-0", "--exclusive": True, "partition": "gpu", "hold": False})
    words = options(mine, JOB)
    assert {"--time=1-0", "--exclusive", "--partition=gpu"} <= set(words)
    assert not [word for word in words if word.startswith(("--mem", "--hold"))]


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("wide", ["--nodes=1", "--cpus-per-task=8", "--mem=12G", "--gpus-per-node=4", "--ntasks=1"]),
        ("big", ["--nodes=2", "--cpus-per-task=2", "--mem=12G", "--gpus-per-node=4", "--ntasks=8"]),
    ],
)
def test_a_job_has_its_share_for_each_process(model: str, expected: list[str]) -> None:
    """On one node the stage starts its processes itself; on several Slurm does."""
    launched = launcher_of(["finetune", "--model", model, "--arm", "values", "--base", "x"], {"resources": RESOURCES})
    assert launched is not None
    slurm, job = launched
    assert job.stage == f"finetune@{model}-values"
    assert isinstance(slurm, Slurm)
    assert set(expected) <= set(options(slurm, job))


def test_stages_without_an_entry_and_without_a_launcher_stay_here() -> None:
    words = ["fetch", "--model", "big"]
    assert launcher_of(words, {"resources": RESOURCES}) is None
    here = {**RESOURCES, "launcher": "none"}
    assert launcher_of(["finetune", "--model", "big"], {"resources": here}) is None


@pytest.mark.parametrize(("engine", "devices"), [("vllm", 2), ("transformers", 1)])
def test_an_engine_over_several_gpus_takes_them(engine: str, devices: int) -> None:
    params = {"resources": RESOURCES, "generate": {"engine": engine}}
    assert devices_of(["generate", "--model", "big", "--arm", "base"], params) == devices


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"launcher": "there"}, "resources.launcher: 'there' is not among none, here"),
        ({"launchers": {"here": {"kind": "sge"}}}, "launchers.here.kind: expected 'slurm' or 'ssh', found 'sge'"),
        ({"launchers": {"here": {"kind": "ssh"}}}, "launchers.here: missing key 'host'"),
        ({"launchers": {"here": {"kind": "slurm", "options": {"ntasks": 2}}}}, "'ntasks' is not yours to set"),
        ({"jobs": {"finetun": RESOURCES["jobs"]["finetune"]}}, "resources.jobs: 'finetun' is no stage"),
        ({"jobs": {"finetune": {}}}, "resources.jobs.finetune: expected an entry `default`"),
        (
            {"jobs": {"finetune": {"default": {"cpus": 1, "memory_gb": 1, "minutes": "4:00"}}}},
            "jobs.finetune.default.minutes: expected a whole number, found '4:00'",
        ),
    ],
)
def test_resources_that_cannot_be_are_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        config.section({"resources": {**RESOURCES, **change}}, "resources", Resources)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("state", "text", "again"),
    [
        (State("TIMEOUT", "TimeLimit", "n1", "4"), "job 4 on n1: its time limit of 90 minutes was over", False),
        (State("OUT_OF_MEMORY", "OutOfMemory", "n1", "4"), "resources.jobs.train.default.memory_gb", False),
        (State("FAILED", "JobLaunchFailure", "n1", "4"), "was there memory enough?", False),
        (State("NODE_FAIL", "NodeDown", "n1", "4"), "its node was lost (NODE_FAIL)", True),
        (State("PREEMPTED", "None", "n1", "4"), "it was preempted (PREEMPTED)", True),
        (State("CANCELLED", "None", "", "4"), "job 4: it was cancelled by", False),
        (State(), "Slurm took no job (srun ended with 1", False),
    ],
)
def test_why_a_job_ended(
    state: State, text: str, again: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sacct = tmp_path / "sacct"
    sacct.write_text(f"#!/bin/sh\necho 'CANCELLED by {os.getuid()}'\n")
    sacct.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    ending = Slurm().ending(state, 1, JOB, existed=False)
    assert text in ending.text
    assert ending.again is again
    assert Slurm().ending(State(), 1, JOB, existed=True).again
    if state.word == "CANCELLED":
        assert f"by {pwd.getpwuid(os.getuid()).pw_name} (" in ending.text


def test_a_sweep_inside_an_allocation_makes_no_steps_of_it() -> None:
    inside = {"SLURM_JOB_ID": "1", "SLURM_NTASKS": "3", "SLURM_CONF": "/x", "HOME": "/h"}
    assert Slurm().command("n", JOB, [], inside).env == {"SLURM_CONF": "/x", "HOME": "/h"}
    mine = {"SLURM_ACCOUNT": "lab"}  # a user's own default
    assert Slurm().command("n", JOB, [], mine).env == mine


def test_a_squeue_that_fails_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    squeue = tmp_path / "squeue"
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    for script, expected in (
        ("exit 1", None),
        ("", State()),
        ("echo 'COMPLETING|None|n1|4'", State("COMPLETING", "None", "n1", "4", False, False, True)),
        ("echo 'NODE_FAIL|NodeDown|n1|4'", State("NODE_FAIL", "NodeDown", "n1", "4", True, False, True)),
        ("echo 'COMPLETED|None|n1|4'", State("COMPLETED", "None", "n1", "4", True, True, False)),
    ):
        squeue.write_text(f"#!/bin/sh\n{script}\n")
        squeue.chmod(0o755)
        assert Slurm().state("n") == expected


# As ssh does: a shell elsewhere, which has nothing of this environment and lives on when this process is killed.
SSH = """#!/bin/sh
for last; do :; done
echo "$@" >> ssh.log
test -e down && exit 255
test -e liar && exit 0
exec env -i PATH="$PATH" PALMS_TEST="$PALMS_TEST" "$last"
"""


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Its stage `train` runs on another host."""
    made = Tree(tmp_path / "tree", environment(PATH=f"{tmp_path}:{os.environ['PATH']}", MINE="passed on"))
    made.root.mkdir()
    resources = job_trees.slurm()
    box = {"kind": "ssh", "host": "box", "lease_seconds": 3, "environment": ["MINE"], "retries": 1}
    job_trees.fill(made, {**resources, "launchers": {"cluster": box}})
    (tmp_path / "ssh").write_text(SSH)
    (tmp_path / "ssh").chmod(0o755)
    made.write({"made/a.txt": "a"})
    return made


@pytest.fixture
def train(tree: Tree) -> "Callable[..., subprocess.Popen[str]]":
    words = "-m tasks train --model a --arm x --base made/a.txt --out made/a-x.txt"

    def start(**env: str) -> "subprocess.Popen[str]":
        return tree.start([sys.executable, *words.split()], **env)

    return start


def test_a_stage_runs_elsewhere_and_its_result_comes_back(
    tree: Tree, train: "Callable[..., subprocess.Popen[str]]"
) -> None:
    text = (tree.root / "tasks/train.py").read_text().replace('KEPT = (', 'KEPT = ("MINE", "HOSTNAME_OF_MINE", ')
    tree.write({"tasks/train.py": text, "hold": "train@a-x broken"})
    process = train(HOSTNAME_OF_MINE="not passed on", CUDA_VISIBLE_DEVICES="3")
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 3, output
    (tree.root / "hold").unlink()
    process = train(CUDA_VISIBLE_DEVICES="3", OMP_NUM_THREADS="7")
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 0, output
    assert "hello from train@a-x" in output
    assert (tree.root / "made/a-x.txt").read_text() == "train@a-x(a)"
    first, second = (line for line in tree.log() if line.startswith("start"))
    for expected in ("MINE=passed on", "HOSTNAME_OF_MINE=-", "OMP_NUM_THREADS=1", "CUDA_VISIBLE_DEVICES=-"):
        assert expected in first
    assert "OMP_NUM_THREADS=7" in second
    assert not list((tree.root / FOLDER).iterdir())
    assert "passed on" not in (tree.root / "ssh.log").read_text()  # nor on a command line


def test_an_exit_code_of_0_is_no_proof(tree: Tree, train: "Callable[..., subprocess.Popen[str]]") -> None:
    """srun has it, too, when its node is lost."""
    tree.write({"liar": ""})
    process = train()
    output, _ = process.communicate(timeout=30)
    assert (process.returncode, output) == (1, "error: it ended without a result on box (exit code 0)\n")


def test_a_lost_connection_is_tried_again(tree: Tree, train: "Callable[..., subprocess.Popen[str]]") -> None:
    tree.write({"down": ""})
    process = train()
    output, _ = process.communicate(timeout=30)
    text = "ssh box failed or was cut off; its own lines are above"
    assert output.splitlines() == [f"{text}; starting it again, 1 try left", f"error: {text}"]
    assert process.returncode == 1


@pytest.mark.parametrize("todo", ["wait", "deaf"])
def test_a_stopped_stage_ends_elsewhere_too(
    tree: Tree, train: "Callable[..., subprocess.Popen[str]]", todo: str
) -> None:
    tree.write({"hold": f"train@a-x {todo}"})
    process = train()
    wait_for(tree.log)
    time.sleep(0.2)
    process.terminate()
    process.communicate(timeout=30)
    assert process.returncode == 143
    assert tree.left_after(1) == []
    assert not list((tree.root / FOLDER).iterdir())


def test_a_job_whose_holder_was_killed_ends_itself_and_is_tidied(
    tree: Tree, train: "Callable[..., subprocess.Popen[str]]"
) -> None:
    tree.write({"hold": "train@a-x"})
    process = train()
    wait_for(tree.log)
    (run,) = (tree.root / FOLDER).iterdir()
    assert end_leftovers(tree.root) == []  # its holder lives: it may be somebody's `dvc repro`
    assert Lease(run).read() != "stop"
    assert process.poll() is None
    process.kill()
    process.communicate(timeout=10)
    assert tree.left_after(12) == []
    assert end_leftovers(tree.root) == []
    assert not list((tree.root / FOLDER).iterdir())


def test_nothing_starts_for_a_holder_that_is_gone(tree: Tree) -> None:
    """A job that waited in the queue while its sweep was killed."""
    run = tree.root / FOLDER / "0123"
    command = (sys.executable, "-m", "tasks.runtime.launchers.job", str(run), "train")
    assert tree.run(*command) == (143, "error: nobody waits for this job\n")
    Holder.here("train.0123", Slurm()).announce(run, 1)
    Lease(run).stop()
    assert tree.run(*command)[0] == 143
    assert tree.log() == []


def test_what_the_files_of_a_run_say(tmp_path: Path) -> None:
    holder, run = Holder.here("n", Slurm(lease_seconds=5)), tmp_path / "run"
    holder.announce(run, 2)
    lease, task = Lease(run), Task(run, 1)
    read = Holder.read(run)
    assert read is not None
    assert (read.name, read.pid, read.began, read.launcher["lease_seconds"]) == ("n", holder.pid, holder.began, 5)
    assert holder.alive(run)
    assert not Holder("n", {}, holder.pid, holder.began - 9, holder.host).alive(run)  # another process by now
    with subprocess.Popen(["sleep", "60"]) as killed:
        began = psutil.Process(killed.pid).create_time()
        assert Holder("n", {}, killed.pid, began, holder.host).alive(run)
        killed.kill()
        wait_for(lambda: psutil.Process(killed.pid).status() == psutil.STATUS_ZOMBIE)  # nobody has asked how it ended
        assert not Holder("n", {}, killed.pid, began, holder.host).alive(run)
    assert lease.read() == "0"
    lease.renew(17)
    assert lease.read() == "17"
    lease.stop()
    lease.renew(18)  # comes too late
    assert lease.read() == "stop"
    assert (task.read(), task.runs()) == ({}, False)
    task.write(host="n1")
    assert task.runs()
    task.write(host="n1", code=0, paths=[])
    assert (task.read()["code"], task.runs()) == (0, False)
    lease._path.unlink()
    assert lease.read() == "stop"


def test_the_holder_on_another_machine_lives_while_it_renews(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: beats and Lease(run).renew(beats.pop()))
    run = tmp_path / "run"
    elsewhere = Holder("n", {}, 1, 0.0, "another")
    elsewhere.announce(run, 1)
    beats = [1]
    assert elsewhere.alive(run)
    assert not elsewhere.alive(run)
