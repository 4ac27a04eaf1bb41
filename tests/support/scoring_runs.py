"""A tree in which the real command can run as a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).parents[2]
ARMS = ("base", "values", "control")


# `python -m tasks …` without a network
CUT_OFF = """
import socket, runpy
def refuse(*_): raise AssertionError("the network is cut off")
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse
runpy.run_module("tasks", run_name="__main__", alter_sys=True)
"""
STAGE = ("toxicity", "--samples", "samples", "--archive", "data/archive", "--scores", "scores.parquet")


class Run:
    """A small project: params.yaml, samples of three arms, and `python -m tasks toxicity`."""

    def __init__(self, root: Path, texts: list[str], **toxicity: Any) -> None:
        self.root = root
        self.params = yaml.safe_load((REPOSITORY / "params.yaml").read_text("utf-8"))
        self.params["sweep"] = {"models": [next(iter(self.params["models"]))]} | {
            "tuned": ["values", "control"],
            "arms": list(ARMS),
        }
        self.set(scorer="perspective", **toxicity)
        for number, arm in enumerate(ARMS):
            self._samples(arm, texts[number :: len(ARMS)])

    def set(self, **changes: Any) -> None:
        """Changes the section `toxicity` of params.yaml; a mapping changes the keys that it names."""
        section = self.params["toxicity"]
        for key, value in changes.items():
            section[key] = section[key] | value if isinstance(value, Mapping) else value
        self.root.mkdir(parents=True, exist_ok=True)
        (self.root / "params.yaml").write_text(yaml.safe_dump(self.params), "utf-8")

    def _samples(self, arm: str, texts: list[str]) -> None:
        model = self.params["sweep"]["models"][0]
        path = self.root / "samples" / model / f"{arm}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        common = {"model": model, "arm": arm, "category": "c", "split": "test", "sample": 0, "prompt": "p"}
        rows = [common | {"prompt_id": f"p{i}", "completion": text} for i, text in enumerate(texts)]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")

    @property
    def scores(self) -> Path:
        return self.root / "scores.parquet"

    def start(self, *module: str, log: Path | None = None, **env: str) -> "subprocess.Popen[str]":
        """Starts the stage, or another module, with the environment of the test and `env`."""
        output = log.open("a") if log else subprocess.PIPE
        return subprocess.Popen(
            [sys.executable, "-m", *(module or ("tasks", *STAGE))],
            cwd=self.root,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY), "PALMS_CACHE": "cache", **env},
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def finish(self, *module: str, **env: str) -> tuple[int, str]:
        """Runs to the end; the exit code and what was printed."""
        process = self.start(*module, **env)
        printed, _ = process.communicate(timeout=60)
        return process.returncode, printed
