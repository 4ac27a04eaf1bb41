"""A DVC tree whose stages are the project's own `python -m tasks`, with stages that do next to nothing."""

import shutil
from collections.abc import Mapping
from typing import Any

import yaml

from tests.support.flow_trees import REPO, Tree

# Three models of two arms, and what they end in. `fetch` and `report` have no job: they stay on this machine.
GRAPH = """
stages:
  fetch:
    matrix: {model: [a, b, c]}
    cmd: python -m tasks fetch --model ${item.model} --out made/${item.model}.txt
    outs: ["made/${item.model}.txt"]
    meta: {slot: none}
  train:
    matrix: {model: [a, b, c], arm: [x, y]}
    cmd: >-
      python -m tasks train --model ${item.model} --arm ${item.arm} --base made/${item.model}.txt
      --out made/${item.model}-${item.arm}.txt
    deps: ["made/${item.model}.txt"]
    outs: ["made/${item.model}-${item.arm}.txt"]
    meta: {slot: gpu}
  report:
    cmd: python -m tasks report --made made --out report.txt
    deps: [made]
    outs: [report.txt]
"""
# Where it runs and who may say so is written beside the outs, into `log`; it waits while a file `hold` is there, whose
# lines name the stages that wait and what they do then.
STAGE = '''
"""A stage for tests."""
import os, signal, subprocess, sys, time
from pathlib import Path
from tasks.runtime.command import Command, Job
from tasks.runtime import durations, launch
NAMES = {names}
COMMAND = Command(help="", inputs={inputs}, outputs={{"out": ""}}, names=dict.fromkeys(NAMES, ""), params=())
KEPT = ("SLURM_JOB_ID", "OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "PALMS_STAGE_RUN", "PALMS_TREE", "RANK")


def main(job: Job) -> None:
    name = durations.stage_name("{stage}", job.names.values())
    def log(word: str) -> None:
        with Path("log").open("a") as file:
            print(word, name, os.getpid(), *(f"{{key}}={{os.environ.get(key, '-')}}" for key in KEPT), file=file)
    log("start")
    print("hello from", name, flush=True)
    try:
        while (todo := holding().get(name)) is not None:
            if todo == "deaf":
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
            if todo == "big":
                wasted = bytearray(200_000_000)
            if todo == "broken":
                raise SystemExit(3)
            time.sleep(0.05)
    finally:
        log("end")
    if launch.rank() == 0:
        texts = [path.read_text() for flag in COMMAND.inputs for path in files(job.path(flag))]
        job.path("out").parent.mkdir(exist_ok=True)
        job.path("out").write_text(f"{{name}}({{' '.join(texts)}})")


def holding() -> dict[str, str]:
    try:
        lines = [line.split() for line in Path("hold").read_text().splitlines()]
    except FileNotFoundError:
        return {{}}
    return {{line[0]: line[-1] for line in lines}}


def files(path: Path) -> list[Path]:
    return sorted(path.glob("*")) if path.is_dir() else [path]
'''
# In the place of what looks at sections that these stages do not have.
REFERENCES = '''
from tasks.runtime import config


def check_tree(*_: object) -> None:
    config.check(config.read_params())
'''
REFUSED = "def check(*_: object) -> None: ..."  # which reads texts and models
STAGES: Mapping[str, tuple[list[str], list[str]]] = {
    "fetch": (["model"], []),
    "train": (["model", "arm"], ["base"]),
    "report": ([], ["made"]),
}


def fill(tree: Tree, resources: Mapping[str, Any]) -> None:
    """Makes `tree` such a tree, with these `resources`."""
    ignore = shutil.ignore_patterns("__pycache__")
    for room in ("runtime", "flows"):
        source = REPO / ("tasks/runtime" if room == "runtime" else room)
        shutil.copytree(source, tree.root / source.relative_to(REPO), ignore=ignore)
    modules = {
        f"tasks/{stage}.py": STAGE.format(stage=stage, names=names, inputs=dict.fromkeys(inputs, ""))
        for stage, (names, inputs) in STAGES.items()
    }
    for name in ("__init__", "__main__", "settings/__init__", "settings/resources"):
        modules[f"tasks/{name}.py"] = (REPO / f"tasks/{name}.py").read_text("utf-8")
    tree.write({"dvc.yaml": GRAPH, ".gitignore": "/made/\n", "flows/references.py": REFERENCES,
                "flows/refused.py": REFUSED, **modules})  # fmt: skip
    set_resources(tree, resources)


def set_resources(tree: Tree, resources: Mapping[str, Any]) -> None:
    """Writes params.yaml."""
    content = {"resources": {"finetune": {"default": {"micro_batch_size": 1}}, **resources}}
    tree.write({"params.yaml": yaml.safe_dump(content)})


def slurm(**profile: Any) -> dict[str, Any]:
    """Resources by which `train` runs as jobs of Slurm."""
    job = {"cpus": 1, "memory_gb": 1, "minutes": 5}
    small = {"kind": "slurm", "at_once": 2, **profile}
    return {"launcher": "cluster", "launchers": {"cluster": small}, "jobs": {"train": {"default": job}}}
