"""Throw-away DVC trees and a real Prefect server; nothing is mocked."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

BIN = Path(sys.executable).parent
PALMS = [sys.executable, "-m", "flows.cli"]
MARK = "PALMS_TEST"  # carried by every process that a test starts, and by all that those start
REPO = Path(__file__).parents[2]
QUIET = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "DVC_NO_ANALYTICS": "1",
    "PYTHONPATH": str(REPO),
    "GIT_CONFIG_GLOBAL": os.devnull,
}
SETTINGS = ("PALMS_", "PREFECT_", "OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "PYTHONDONTWRITEBYTECODE")


@dataclass
class Tree:
    """A DVC working tree, and ways to run things in it as a user would."""

    root: Path
    env: dict[str, str]
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)

    def write(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def start(self, command: list[str], **env: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            command,
            cwd=self.root,
            env={**self.env, MARK: self.mark, **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *command: str, timeout: float = 90, **env: str) -> tuple[int, str]:
        process = self.start(list(command), **env)
        try:
            output, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
            pytest.fail(f"{command} took more than {timeout} s:\n{output}")
        return process.returncode, output

    def palms(self, *arguments: str, **env: str) -> tuple[int, str]:
        return self.run(*PALMS, *arguments, **env)

    def dvc(self, *arguments: str) -> str:
        return self.run(sys.executable, "-m", "dvc", *arguments)[1]

    def log(self) -> list[str]:
        """What the stages wrote to `log` in the order in which it happened (it is in nobody's outs)."""
        path = self.root / "log"
        return path.read_text().splitlines() if path.exists() else []

    def processes(self) -> list[psutil.Process]:
        marked = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.environ().get(MARK) == self.mark:
                    marked.append(process)
        return marked

    def kill(self) -> None:
        for process in self.processes():
            process.kill()

    def left_after(self, seconds: float) -> list[str]:
        """The processes that are still there after `seconds`, or none as soon as there is none."""
        deadline = time.monotonic() + seconds
        while (left := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.1)
        return [" ".join(process.cmdline()) for process in left if process.is_running()]


def environment(**more: str) -> dict[str, str]:
    """The tests' own environment without anybody's settings, so that all run alike."""
    neutral = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)}
    return {**neutral, **QUIET, **more}


def wait_for(what: Callable[[], Any], seconds: float = 30.0) -> Any:
    """The first true value of `what()`; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (value := what()):
        assert time.monotonic() < deadline, f"waited {seconds} s in vain"
        time.sleep(0.05)
    return value


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


STEP = """
import os, sys, time
name, seconds, out, *ins = sys.argv[1:]
def log(word):
    with open("log", "a") as file:
        env = [os.environ.get(key, "-") for key in ("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS")]
        print(word, name, time.time(), *env, sys.executable, file=file)
log("start")
time.sleep(float(seconds))
texts = [open(each).read() for each in ins]
print("copy [####................] 1/5 texts, 2 s left", file=sys.stderr)
os.makedirs(os.path.dirname(out) or ".", exist_ok=True)
open(out, "w").write(name + "(" + "".join(texts) + ")")
log("end")
"""


class Api:
    """What the tests ask of the server, over HTTP as the UI does."""

    def __init__(self, url: str) -> None:
        import httpx

        self.url = url
        self._client = httpx.Client(base_url=url, timeout=30, trust_env=False)

    def post(self, path: str, body: Any = None) -> Any:
        for _ in range(20):
            reply = self._client.post(path, json=body or {})
            if reply.status_code != 503:  # what a server answers whose database is locked for long
                break
            time.sleep(0.5)
        assert reply.status_code < 300, reply.text
        return reply.json()

    def run_of(self, output: str) -> dict[str, Any]:
        """The flow run whose name a sweep printed first."""
        name = next(line.split("'")[1] for line in output.splitlines() if line.startswith("flow run '"))
        (run,) = self.post("/flow_runs/filter", {"flow_runs": {"name": {"any_": [name]}}})
        return run

    def tasks(self, run: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """Stage -> task run. The server takes states in from a queue, so wait until all are final."""
        body = {"flow_runs": {"id": {"any_": [run["id"]]}}, "limit": 200}

        def settled() -> dict[str, dict[str, Any]]:
            runs = {task["name"]: task for task in self.post("/task_runs/filter", body)}
            waiting = [task for task in runs.values() if task["state_type"] in ("RUNNING", "PENDING", None)]
            return {} if waiting else runs

        return wait_for(settled, 10)

    def logs(self, run: Mapping[str, Any]) -> list[dict[str, Any]]:
        body = {"logs": {"flow_run_id": {"any_": [run["id"]]}}, "limit": 200, "sort": "TIMESTAMP_ASC"}
        return self.post("/logs/filter", body)

    def artifacts(self, run: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        body = {"artifacts": {"flow_run_id": {"any_": [run["id"]]}}, "limit": 200}
        return {artifact["key"]: artifact for artifact in self.post("/artifacts/filter", body)}

    def cancel(self, run_id: str) -> None:
        """What the Cancel button does, which is grey for a run that belongs to no deployment."""
        assert self.flow_run(run_id)["deployment_id"]
        self.post(f"/flow_runs/{run_id}/set_state", {"state": {"type": "CANCELLING", "name": "Cancelling"}})

    def suspend(self, run_id: str) -> None:
        """What the Suspend button does."""
        details = {"pause_timeout": "2100-01-01T00:00:00Z", "pause_reschedule": True}
        state = {"type": "PAUSED", "name": "Suspended", "state_details": details}
        self.post(f"/flow_runs/{run_id}/set_state", {"state": state})

    def state(self, run_id: str) -> dict[str, Any]:
        return self.flow_run(run_id)["state"]

    def flow_run(self, run_id: str) -> dict[str, Any]:
        return self._client.get(f"/flow_runs/{run_id}").json()
