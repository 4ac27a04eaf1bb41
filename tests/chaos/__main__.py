"""Chaos in full: `python -m tests.chaos [ROUNDS] [--seed SEED] [--models N]`, a line a round; takes an hour or more.

Two rounds of three are sweeps of the tiny models. Each third is one of stages that do next to nothing, as jobs on a
real Slurm where that is installed. The last case is a remote that goes away in the middle of a push.
"""

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from flows.processes import PARENT
from flows.server import answers
from tests.chaos import rounds
from tests.fixtures import tiny
from tests.support import job_trees, slurm_cluster
from tests.support.flow_trees import Tree, environment, wait_for
from tests.support.slurm_cluster import Cluster


def main() -> int:
    """Runs the rounds; 0 if all held."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description="Kill what sweeps are made of.")
    parser.add_argument("rounds", nargs="?", type=int, default=20)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--models", type=int, default=1, choices=(1, 2, 3), help="of the tiny ladder")
    parser.add_argument("--stages", nargs="*", default=[], help="targets of the tiny sweeps (default: all stages)")
    options = parser.parse_args()
    print(f"{options.rounds} rounds, --seed {options.seed}", flush=True)
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory(prefix="palms-chaos-") as name, slurm() as cluster:
        folder = Path(name)
        ladder = folder / "ladder"
        for model, layers in list(tiny.MODELS.items())[: options.models]:
            tiny.make_model(ladder / model, layers)
        real = blank(folder / "real")
        tiny.make_tree(real.root, ladder, list(tiny.MODELS)[: options.models])
        light = blank(folder / "light", **(cluster.env if cluster else {}))
        job_trees.fill(light, job_trees.slurm(at_once=4) if cluster else {})
        kinds = {0: {**rounds.KINDS, **rounds.STEP} if cluster else rounds.KINDS, 1: rounds.KINDS}
        failed = 0
        swept = []
        for number, (template, targets) in enumerate(((light, []), (real, options.stages))):
            reference, longest = rounds.undisturbed(rounds.copy(template, folder / f"swept{number}"), targets)
            swept.append((template, targets, reference, longest))
            print(f"undisturbed: {len(reference)} stages in {longest:.0f} s", flush=True)
        for number in range(1, options.rounds + 1):
            which = int(number % 3 != 0)
            template, targets, reference, longest = swept[which]
            tree = rounds.copy(template, folder / f"round{number}")
            jobs = cluster.jobs if cluster and not which else list
            kind = rng.choice(list(kinds[which]))
            result = rounds.disturb(tree, targets, kind, rng, longest, reference, jobs)
            print(f"{number:3} {'tiny models' if which else 'light'}: {result}", flush=True)
            if result.problems:
                failed += 1
                print(result.output, flush=True)
            shutil.rmtree(tree.root, ignore_errors=True)
        problems = push_to_a_remote_that_goes_away(Tree(folder / "swept0", dict(light.env)), folder)
        print(f"a remote that goes away: {'; '.join(problems) or 'all well'}", flush=True)
    print(f"{options.rounds - failed} of {options.rounds} rounds without a deviation")
    return int(bool(failed or problems))


MANY = 2000  # files


@contextmanager
def slurm() -> Iterator[Cluster | None]:
    """A cluster, where Slurm is installed."""
    if missing := slurm_cluster.missing():
        print(f"without Slurm: {missing}", flush=True)
        yield None
        return
    cluster = Cluster()
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


def blank(root: Path, **env: str) -> Tree:
    """A DVC tree with the database that a sweep's own server makes at its first start."""
    root.mkdir()
    for command in (["git", "init", "-q"], [sys.executable, "-m", "dvc", "init", "-q"]):
        subprocess.run(command, cwd=root, env=environment(), check=True)
    home = root / ".dvc" / "tmp" / "prefect"
    home.mkdir(parents=True)
    settings = environment(PREFECT_HOME=str(home), **{PARENT: str(os.getpid())})
    command = [sys.executable, "-m", "flows.server"]
    with subprocess.Popen(command, env=settings, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        url = f"http://127.0.0.1:{server.stdout.readline().strip()}/api"
        wait_for(lambda: answers(url), 90)
        server.terminate()
    return Tree(root, environment(OMP_NUM_THREADS="1", **env))


def push_to_a_remote_that_goes_away(tree: Tree, folder: Path) -> list[str]:
    """What is wrong after it: nothing may be lost here, the next push completes, and another clone gets all of it."""
    remote, aside = folder / "remote", folder / "aside"
    remote.mkdir()
    many = tree.root / "many"  # so that a push has a middle, however fast the machine is
    many.mkdir()
    for number in range(MANY):
        (many / str(number)).write_text(f"file {number}\n")
    tree.dvc("add", "--quiet", str(many))
    tree.dvc("remote", "add", "--default", "store", str(remote))
    process = tree.start([sys.executable, "-m", "dvc", "push", "--jobs", "1"])
    wait_for(lambda: any(remote.rglob("*")) or process.poll() is not None)
    push = psutil.Process(process.pid)
    push.suspend()  # it makes folders of the remote anew, and would between these two lines
    wait_for(lambda: push.status() == psutil.STATUS_STOPPED)
    remote.rename(aside)
    remote.write_text("no folder any more")
    push.resume()
    output, _ = process.communicate(timeout=120)
    problems = [] if process.returncode else [f"the push went on without its remote:\n{output}"]
    remote.unlink()
    aside.rename(remote)
    if "up to date" not in tree.dvc("status"):
        problems.append("something was lost here")
    code, output = tree.run(sys.executable, "-m", "dvc", "push", timeout=300)
    problems += [f"the next push failed:\n{output}"] if code else []
    other = Tree(folder / "clone", dict(tree.env))
    ignore = shutil.ignore_patterns("cache", "tmp", "made", "many", ".cache")
    shutil.copytree(tree.root, other.root, symlinks=True, ignore=ignore)
    code, output = other.run(sys.executable, "-m", "dvc", "pull", timeout=300)
    if code or "up to date" not in other.dvc("status"):
        problems.append(f"another clone does not get it all:\n{output}")
    return problems


if __name__ == "__main__":
    sys.exit(main())
