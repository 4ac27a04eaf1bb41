"""A Prefect server and a process worker of a test's own, which it may kill and start again."""

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from flows.server import answers
from tests.support.flow_trees import environment, free_port, wait_for

PREFECT = [sys.executable, "-m", "prefect"]


@dataclass
class Services:
    """Both keep what they write in `folder`; the worker runs what it starts in `env`."""

    folder: Path
    env: dict[str, str]
    port: int = field(default_factory=free_port)
    _running: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api"

    def start_server(self, database: Path | None = None) -> None:
        """Starts the server, with a copy of the database in the folder `database`, and waits until it answers."""
        home = self.folder / "server:memory:"  # see the fixture `prefect_url`
        if database is not None:
            shutil.copytree(database, home, dirs_exist_ok=True)
        server = ["server", "start", "--host", "127.0.0.1", "--port", str(self.port)]
        process = self._start("server", server, PREFECT_HOME=str(home), PREFECT_SERVER_ANALYTICS_ENABLED="false")
        wait_for(lambda: process.poll() is not None or answers(self.url), 90)
        assert process.poll() is None, self.log("server")

    def start_worker(self, pool: str) -> None:
        """Starts a worker that looks for work every second."""
        worker = ["worker", "start", "--pool", pool, "--type", "process", "--name", f"worker-{len(self._running)}"]
        self._start("worker", worker, PREFECT_WORKER_QUERY_SECONDS="1", PREFECT_HOME=str(self.folder / "worker"))

    def kill(self, name: str) -> None:
        """SIGKILL, to it and to nothing that it started."""
        process = self._running.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        for process in self._running.values():
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def _start(self, name: str, words: list[str], **env: str) -> "subprocess.Popen[bytes]":
        with (self.folder / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                [*PREFECT, *words],
                env=environment(**{**self.env, "PREFECT_API_URL": self.url, **env}),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self._running[name]
