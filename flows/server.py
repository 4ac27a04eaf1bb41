"""A Prefect server for one sweep, for whoever has none: `python -m flows.server` is its process.

Prefect's own ephemeral server survives a flow that is killed, and all of them share one database in the home
folder, which two sweeps at once find locked. This one dies with its flow and keeps its database in the tree;
`PREFECT_HOME=.dvc/tmp/prefect prefect server start` shows the runs afterwards.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError, URLError

from flows.processes import PARENT
from tasks.runtime.errors import InputError, WorkError, one_line
from tasks.runtime.imports import importing
from tasks.runtime.parent import die_with_parent
from tasks.runtime.proxies import VARIABLES, on_loopback

EPHEMERAL = "ephemeral"
ours: str | None = None  # the API URL of the server that this process started
_before: dict[str, str | None] = {}  # the variables that `api` changed, as they were

_START = 90.0  # seconds; the first start in a tree makes the database
_LONGEST = 480  # bytes of a folder's path; SQLite's own limit is 512, with the names of its files
_SEND = 60.0  # seconds for the last logs


@contextmanager
def api(root: Path, meanwhile: Callable[[], object]) -> Iterator[str]:
    """A Prefect API for the block, made Prefect's setting; yields its name: its URL, or `EPHEMERAL`.

    While our own server starts, which takes seconds, `meanwhile` is called: to import what takes as long.
    Raises InputError where the configured one does not answer or Prefect's settings are wrong, WorkError where ours
    does not start.
    """
    configured = _configured()
    from prefect.context import refresh_global_settings_context

    if configured:
        _choose_proxies(configured)
        if not answers(configured):
            raise InputError(
                f"no Prefect server answers at PREFECT_API_URL={configured} (it ends in /api); start it or unset this "
                "(`prefect config view` says where it is set)"
            )
        yield configured
        return
    global ours
    with _ephemeral(root, meanwhile) as ours:
        _choose_proxies(ours)
        os.environ["PREFECT_API_URL"] = ours
        refresh_global_settings_context()
        try:
            yield EPHEMERAL
        finally:
            _send_the_rest()


def _configured() -> str | None:
    """The API that Prefect's settings name: the environment, a profile, prefect.toml."""
    warnings.filterwarnings("ignore", "Failed to create the Prefect home directory")  # which our server does without
    try:
        with importing():
            import prefect.main  # noqa: F401  # sets its logging up
            from prefect.settings import get_current_settings
        url = get_current_settings().api.url
        return None if url == ours else url  # ours was that of a sweep before this one, and is gone
    except ImportError:
        raise
    except Exception as exc:
        raise InputError(
            f"Prefect cannot use its settings: {one_line(exc)}; correct the variables PREFECT_…, the profile, or what "
            "else `prefect config view --show-sources` names"
        ) from None


def _choose_proxies(url: str) -> None:
    """Go past every proxy to an API on this machine. Raises InputError where the way to another cannot be gone."""
    import httpx

    if on_loopback(url):  # all this process speaks to; the names alone would not keep httpx from opening the proxies
        _before.update({name: os.environ.get(name) for name in VARIABLES if name not in _before})
        os.environ.update(dict.fromkeys(VARIABLES, "*"))
    try:
        httpx.Client().close()
    except (ImportError, ValueError, httpx.InvalidURL) as exc:  # socks without its package, or no URL at all
        raise InputError(f"the proxies of the environment (http_proxy, all_proxy, …) cannot be used: {exc}") from None


def users_environment() -> dict[str, str]:
    """The environment with the proxies as they were before `api`: stages may need them."""
    kept = {name: value for name, value in os.environ.items() if name not in _before}
    return kept | {name: value for name, value in _before.items() if value is not None}


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
    home = Path(os.environ.get("PREFECT_HOME") or root / ".dvc" / "tmp" / "prefect").expanduser()
    if (length := len(os.fsencode(home.absolute()))) > _LONGEST:
        raise InputError(
            f"{home}: this path is {length} bytes long, and SQLite, where Prefect keeps its runs, takes {_LONGEST}; "
            "move the tree, or set PREFECT_HOME to a shorter one"
        )
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise InputError(f"{home}: {exc.strerror}; set PREFECT_HOME to a folder that can be written") from None
    # A server that the user runs elsewhere has its settings (a password, a port); this one shares only a database.
    theirs = re.compile(r"PREFECT_(SERVER|API|UI)_(?!DATABASE_)")
    env = {
        **{name: value for name, value in os.environ.items() if not theirs.match(name)},
        **dict.fromkeys(VARIABLES, "*"),
        "PREFECT_HOME": str(home),
        "PREFECT__SERVER_EPHEMERAL": "1",
        "PREFECT__SERVER_FINAL": "1",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
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
    proxies = urllib.request.ProxyHandler({} if on_loopback(url) else None)
    try:
        with urllib.request.build_opener(proxies).open(f"{url.rstrip('/')}/health", timeout=timeout) as answer:
            return bool(answer.read(16).strip() == b"true")
    except HTTPError:
        return True
    except (URLError, OSError, ValueError):
        return False


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + _START
    while not answers(url):
        if process.poll() is not None or time.monotonic() > deadline:
            raise WorkError(f"Prefect's temporary server did not start: {_why(log)} (all of it: {log})")
        time.sleep(0.1)


def _why(log: Path) -> str:
    """The last error of a traceback, or the last line."""
    lines = log.read_text(errors="replace").strip().splitlines() or ["it said nothing"]
    return next((line for line in reversed(lines) if re.match(r"[\w.]+(Error|Exception): ", line)), lines[-1])


def main() -> None:
    """Serve Prefect's API on a free local port, printed first, until the flow ends."""
    die_with_parent(int(os.environ[PARENT]), signal.SIGKILL)
    # Prefect makes a URL of its database's path, and does not quote it: `%41`, `#` or `?` in it mean something else.
    os.chdir(os.environ["PREFECT_HOME"])
    os.environ["PREFECT_HOME"] = "."
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
