"""A Prefect server for one sweep, for whoever has none: `python -m flows.server` is its process.

Prefect's own ephemeral server survives a flow that is killed, and all of them share one database in the home
folder, which two sweeps at once find locked. This one dies with its flow and keeps its database in the tree;
`PREFECT_HOME=.dvc/tmp/prefect prefect server start` shows the runs afterwards.
"""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError, URLError

from flows.processes import PARENT
from tasks.runtime.errors import InputError, WorkError
from tasks.runtime.imports import importing
from tasks.runtime.parent import die_with_parent

EPHEMERAL = "ephemeral"
ours: str | None = None  # the API URL of the server that this process started

_START = 90.0  # seconds; the first start in a tree makes the database
_SEND = 60.0  # seconds for the last logs


@contextmanager
def api(root: Path, meanwhile: Callable[[], object]) -> Iterator[str]:
    """A Prefect API for the block, made Prefect's setting; yields its name: its URL, or `EPHEMERAL`.

    While our own server starts, which takes seconds, `meanwhile` is called: to import what takes as long.
    Raises InputError where the configured one does not answer, WorkError where ours does not start.
    """
    with importing():
        from prefect.context import refresh_global_settings_context
        from prefect.settings import get_current_settings

    configured = get_current_settings().api.url
    if configured:
        if not answers(configured):
            raise InputError(
                f"no Prefect server answers at PREFECT_API_URL={configured} (it ends in /api); start or unset it"
            )
        yield configured
        return
    global ours
    with _ephemeral(root, meanwhile) as ours:
        os.environ["PREFECT_API_URL"] = ours
        refresh_global_settings_context()
        try:
            yield EPHEMERAL
        finally:
            _send_the_rest()


def _send_the_rest() -> None:
    """Wait for Prefect's own threads; left to the end of the process, they would try a server that is gone."""
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    for worker in (EventsWorker, APILogWorker):
        worker.drain_all(timeout=_SEND)


@contextmanager
def _ephemeral(root: Path, meanwhile: Callable[[], object]) -> Iterator[str]:
    log = root / ".dvc" / "tmp" / "prefect-server.log"
    process = _start(root, log)
    try:
        meanwhile()
        assert process.stdout is not None
        port = process.stdout.readline().decode().strip()
        url = f"http://127.0.0.1:{port}/api"
        _wait(process, url, log)
        yield url
    finally:
        process.terminate()
        try:
            process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _start(root: Path, log: Path) -> subprocess.Popen[bytes]:
    os.environ["NO_PROXY"] = ",".join(filter(None, [os.environ.get("NO_PROXY"), "127.0.0.1"]))
    env = {
        "PREFECT_HOME": str(root / ".dvc" / "tmp" / "prefect"),  # unless the user chose one
        **os.environ,
        "PREFECT__SERVER_EPHEMERAL": "1",
        "PREFECT__SERVER_FINAL": "1",
        "PREFECT_UI_ENABLED": "0",
        PARENT: str(os.getpid()),
    }
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as errors:
        return subprocess.Popen(
            [sys.executable, "-m", "flows.server"],
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,  # Ctrl-C in the terminal is for the flow, which still has to report
        )


def answers(url: str, timeout: float = 5.0) -> bool:
    """Whether an API answers at `url` within `timeout` seconds, with an error at least: Prefect Cloud has no open
    health check. A server's pages answer, too, but with a page."""
    try:
        with urllib.request.urlopen(f"{url.rstrip('/')}/health", timeout=timeout) as answer:
            return bool(answer.read(16).strip() == b"true")
    except HTTPError:
        return True
    except (URLError, OSError, ValueError):
        return False


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + _START
    while not answers(url):
        if process.poll() is not None or time.monotonic() > deadline:
            last_line = (log.read_text(errors="replace").strip().splitlines() or ["it said nothing"])[-1]
            raise WorkError(f"Prefect's temporary server did not start: {last_line} (all of it: {log})")
        time.sleep(0.1)


def main() -> None:
    """Serve Prefect's API on a free local port, printed first, until the flow ends."""
    die_with_parent(int(os.environ[PARENT]), signal.SIGKILL)
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    with importing():
        import uvicorn
        from prefect.server.api.server import create_app

    config = uvicorn.Config(create_app, factory=True, log_level="error", lifespan="on", timeout_graceful_shutdown=1)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
