"""Sweeps whose stages are jobs of a real Slurm: two nodes on this machine. What kills a job, a node, the controller or
the sweep itself ends in the right words, leaves nothing, and a further sweep completes."""

import os
import re
import signal
import time
from collections.abc import Callable, Iterator

import psutil
import pytest
import yaml

from tests.support import job_trees, slurm_cluster
from tests.support.flow_trees import PALMS, Api, Tree, wait_for
from tests.support.slurm_cluster import Cluster

pytestmark = pytest.mark.skipif(bool(slurm_cluster.missing()), reason=slurm_cluster.missing())
TRAIN = [f"train@{model}-{arm}" for model in "abc" for arm in "xy"]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    made = Cluster()
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture
def tree(new_tree: Callable[..., Tree], prefect_url: str, cluster: Cluster) -> Tree:
    made = new_tree({}, PREFECT_API_URL=prefect_url, **cluster.env)
    job_trees.fill(made, job_trees.slurm(at_once=6))
    return made


def hold(tree: Tree, *stages: str) -> None:
    """Has these stages wait, and no other."""
    tree.write({"hold.tmp": "\n".join(stages)})
    (tree.root / "hold.tmp").replace(tree.root / "hold")


def expected(model: str, arm: str) -> str:
    return f"train@{model}-{arm}(fetch@{model}())"


def all_done(tree: Tree) -> bool:
    """Whether all that the stages made is what it is without Slurm, and DVC agrees."""
    made = {path.name: path.read_text() for path in (tree.root / "made").iterdir()}
    results = {f"{model}-{arm}.txt": expected(model, arm) for model in "abc" for arm in "xy"}
    results |= {f"{model}.txt": f"fetch@{model}()" for model in "abc"}
    return made == results and "up to date" in tree.dvc("status")


def started(tree: Tree, stage: str) -> list[list[str]]:
    """The words that the stage logged at each of its starts."""
    return [line.split() for line in tree.log() if line.startswith(f"start {stage} ")]


def in_allocation(process: psutil.Process) -> bool:
    try:
        return "SLURM_JOB_ID" in process.environ()
    except psutil.Error:
        return False


def start(tree: Tree, cluster: Cluster, *held: str) -> "tuple[object, dict[str, str]]":
    """A sweep whose `held` stages are at work in jobs; the process, and the jobs' numbers."""
    hold(tree, *held)
    process = tree.start([*PALMS, "sweep", "-v"])
    jobs = {stage: cluster.job(stage) for stage in held}
    wait_for(lambda: all(started(tree, stage) for stage in held))
    return process, jobs


def test_each_stage_is_a_job_two_at_a_time_and_ends_in_the_same_hashes(tree: Tree, cluster: Cluster) -> None:
    job_trees.set_resources(tree, job_trees.slurm(at_once=2, options={"comment": "of palms"}, setup="export SET=1"))
    hold(tree, *TRAIN)
    process = tree.start([*PALMS, "sweep", "-v"], OMP_NUM_THREADS="")
    for count in (2, 2, 2):  # as many as may run at once, while others could
        here = wait_for(lambda: len(held := [n for n in cluster.jobs() if "RUNNING" in n]) == 2 and held, 60)
        time.sleep(0.5)
        assert len(cluster.jobs()) == count
        assert cluster.ask("squeue", "-h", "-o", "%k %c %m %l") == "of palms 1 1G 5:00 of palms 1 1G 5:00"
        names = [line.split(".")[0] for line in here]
        wait_for(lambda names=names: all(started(tree, name) for name in names), 30)
        hold(tree, *(stage for stage in TRAIN if not started(tree, stage)))
        wait_for(lambda names=names: not [line for line in cluster.jobs() if line.split(".")[0] in names], 30)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert all_done(tree)
    for stage in TRAIN:  # in the job, with its threads, and nothing of this machine
        (words,) = started(tree, stage)
        settings = dict(word.split("=") for word in words[3:])
        assert settings.pop("SLURM_JOB_ID").isdigit()
        assert settings.pop("OMP_NUM_THREADS") == "1"
        assert set(settings.values()) == {"-"}
        assert f"{stage}: job " in output  # its lines come back
        assert f"{stage}: hello from {stage}" in output
    assert "SLURM_JOB_ID=-" in tree.log()[0]  # fetch stays here
    assert not list((tree.root / ".dvc/tmp/jobs").iterdir())


def test_what_ends_a_job_is_told_and_the_next_sweep_completes(tree: Tree, cluster: Cluster) -> None:
    process, jobs = start(tree, cluster, *TRAIN)
    nodes = {stage: cluster.ask("squeue", "-h", "-j", jobs[stage], "-o", "%N") for stage in TRAIN}
    cancelled, late, killed, *others = sorted(TRAIN, key=lambda stage: nodes[stage])
    lost = next(stage for stage in others if nodes[stage] == "n2")
    cluster.end("slurmctld")
    (words,) = started(tree, killed)
    psutil.Process(int(words[2])).kill()
    time.sleep(1.0)
    cluster.start_controller()
    wait_for(lambda: cluster.run("scontrol", "ping").returncode == 0)
    cluster.run("scancel", jobs[cancelled])
    cluster.run("scontrol", "update", f"jobid={jobs[late]}", "EndTime=now")  # a limit is a minute at least
    cluster.run("scontrol", "update", "nodename=n2", "state=down", "reason=test")
    cluster.run("scontrol", "update", "nodename=n1", "state=drain", "reason=test")  # what runs there goes on
    wait_for(lambda: cluster.job(lost, "PENDING"))
    cluster.run("scontrol", "update", "nodename=n2", "state=resume")
    wait_for(lambda: len(started(tree, lost)) == 2)
    hold(tree, late)
    output, _ = process.communicate(timeout=90)
    cluster.run("scontrol", "update", "nodename=n1", "state=resume")
    assert process.returncode == 1, output
    assert f"{cancelled} failed: error: job {jobs[cancelled]} on n" in output
    assert ": it was cancelled (CANCELLED)" in output
    assert f"{late} failed: error: job {jobs[late]} on n" in output
    more = "was over; ask for more in params.yaml: resources.jobs.train.default.minutes (TIMEOUT)"
    assert f"its time limit of 5 minutes {more}" in output
    assert f"{lost}: job {jobs[lost]} on n2: its node was lost (NODE_FAIL); starting it again, 2 tries left" in output
    assert re.search(rf"{lost}: srun: (job \d+ queued and waiting|Required node not available)", output)
    assert f"{killed} failed: error: {killed} was killed by SIGKILL; was there memory enough?" in output
    assert {stage for stage in TRAIN if f"{stage} done" in output} == set(others)
    assert cluster.jobs() == []
    assert tree.left_after(2) == []
    before = len(tree.log())
    hold(tree)
    code, output = tree.palms("sweep")
    assert code == 0, output
    assert all_done(tree)
    again = {line.split()[1] for line in tree.log()[before:]}
    assert again == {cancelled, late, killed, "report"}


def test_what_slurm_refuses_and_what_is_too_large_are_told(tree: Tree, cluster: Cluster) -> None:
    job_trees.set_resources(tree, job_trees.slurm(options={"partition": "nowhere"}))
    code, output = tree.palms("sweep", "train@a-x")
    assert code == 1, output
    assert "Slurm took no job" in output
    assert "invalid partition specified: nowhere" in output
    job_trees.set_resources(tree, job_trees.slurm(options={"mem": "100M"}))
    hold(tree, "train@a-x big")
    code, output = tree.palms("sweep", "train@a-x")
    assert code == 1, output
    assert "was there memory enough? More is asked for in params.yaml: resources.jobs.train.default.memory_gb" in output
    hold(tree, "train@a-x broken")
    code, output = tree.palms("sweep", "train@a-x")
    assert code == 1, output
    assert "train@a-x failed: its command exited with 3" in output
    assert cluster.jobs() == []


@pytest.mark.parametrize("deaf", [False, True])
def test_cancelling_in_prefect_leaves_no_job_and_no_process(tree: Tree, cluster: Cluster, api: Api, deaf: bool) -> None:
    held = [f"{stage} deaf" if deaf else stage for stage in ("train@a-x", "train@a-y")]
    hold(tree, *held)
    process = tree.start([*PALMS, "sweep"])
    for stage in ("train@a-x", "train@a-y"):
        cluster.job(stage)
        wait_for(lambda stage=stage: started(tree, stage))
    note = yaml.safe_load((tree.root / ".dvc/tmp/palms.json").read_text())
    began = time.monotonic()
    api.cancel(note["flow_run_id"])
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 1, output
    assert tree.left_after(10 - (time.monotonic() - began)) == []
    assert wait_for(lambda: not cluster.jobs(), 5)
    print(f"all ended after {time.monotonic() - began:.1f} s")
    assert api.state(note["flow_run_id"])["type"] == "CANCELLED"


def test_a_killed_flow_leaves_no_job(tree: Tree, cluster: Cluster) -> None:
    process, _ = start(tree, cluster, "train@a-x", "train@a-y")
    began = time.monotonic()
    process.kill()
    process.communicate(timeout=10)
    assert tree.left_after(10) == []
    assert wait_for(lambda: not cluster.jobs(), 5)
    print(f"all ended after {time.monotonic() - began:.1f} s")


def test_when_all_here_is_killed_the_jobs_end_themselves_and_the_next_sweep_frees_the_nodes(
    tree: Tree, cluster: Cluster
) -> None:
    """As when this machine goes down: srun can tell nobody, and Slurm keeps its allocation."""
    job_trees.set_resources(tree, job_trees.slurm(lease_seconds=8))
    process, _ = start(tree, cluster, "train@a-x", "train@a-y")
    here = [each for each in tree.processes() if not in_allocation(each)]
    assert any(each.name() == "srun" for each in here)
    for each in here:  # all at one moment: none may hear of another's end and cancel its job
        each.suspend()
    for each in here:
        each.kill()
    process.communicate(timeout=10)
    assert tree.left_after(25) == []  # by their lease
    assert len(cluster.jobs()) == 2
    hold(tree)
    code, output = tree.palms("sweep")
    assert code == 0, output
    assert all_done(tree)
    assert cluster.jobs() == []


def test_a_job_that_outlives_its_lost_node_ends_before_it_is_started_again(tree: Tree, cluster: Cluster) -> None:
    """Its node's daemon is gone, so that Slurm cannot end it."""
    stage = "train@a-x"
    job_trees.set_resources(tree, job_trees.slurm(lease_seconds=8))
    process, jobs = start(tree, cluster, stage)
    node = cluster.ask("squeue", "-h", "-j", jobs[stage], "-o", "%N")
    (orphan,) = (int(words[2]) for words in wait_for(lambda: started(tree, stage)))
    cluster.end(f"slurmd {node}", signal.SIGKILL)
    cluster.run("scontrol", "update", f"nodename={node}", "state=down", "reason=test")
    try:
        wait_for(lambda: len(started(tree, stage)) == 2, 40)
        assert not psutil.pid_exists(orphan)
        hold(tree)
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 0, output
        assert all_done(tree)
    finally:
        cluster.start_node(node)
        cluster.run("scontrol", "update", f"nodename={node}", "state=resume")


def test_over_several_nodes_every_task_is_a_rank(tree: Tree, cluster: Cluster) -> None:
    """`dvc repro` alone, too."""
    resources = job_trees.slurm()
    resources["finetune"] = {"default": {"micro_batch_size": 1, "processes": 2, "nodes": 2}}
    resources["jobs"]["finetune"] = resources["jobs"].pop("train")
    text = (tree.root / "dvc.yaml").read_text().replace("tasks train", "tasks finetune")
    tree.write({"dvc.yaml": text, "tasks/finetune.py": (tree.root / "tasks/train.py").read_text()})
    job_trees.set_resources(tree, resources)
    path = f"{os.path.dirname(PALMS[0])}{os.pathsep}{tree.env['PATH']}"  # noqa: PTH120
    code, output = tree.run(PALMS[0], "-m", "dvc", "repro", "train@a-x", PATH=path)
    assert code == 0, output
    ranks = [words[-1] for words in started(tree, "train@a-x")]
    assert sorted(ranks) == [f"RANK={number}" for number in range(4)]
    assert (tree.root / "made/a-x.txt").read_text() == expected("a", "x")
    assert cluster.jobs() == []
