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
import threading
import time
import urllib.request
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError, URLError

from flows.console import console
from flows.processes import PARENT
from tasks.runtime.errors import InputError, WorkError, one_line
from tasks.runtime.imports import importing
from tasks.runtime.parent import die_with_parent
from tasks.runtime.proxies import VARIABLES, on_loopback

EPHEMERAL = "ephemeral"
ours: str | None = None  # the API URL of the server that this process started
when_lost: Callable[[], object] | None = None  # called where it was killed and does not start again
_before: dict[str, str | None] = {}  # the variables that `api` changed, as they were

_START = 90.0  # seconds; the first start in a tree makes the database
_LONGEST = 480  # bytes of a folder's path; SQLite's own limit is 512, with the names of its files
_SEND = 60.0  # seconds for the last logs
_RESTARTS = 3


@contextmanager
def api(root: Path, meanwhile: Callable[[], object]) -> Iterator[str]:
    """A Prefect API for the block, made Prefect's setting; yields its name: its URL, or `EPHEMERAL`.

    While our own server starts, which takes seconds, `meanwhile` is called: to import what takes as long.
    Raises InputError where the configured one does not answer or Prefect's settings are wrong, WorkError where ours
    does not start.
    """
    url = configured()
    from prefect.context import refresh_global_settings_context

    if url:
        choose_proxies(url)
        if not answers(url):
            raise InputError(
                f"no Prefect server answers at PREFECT_API_URL={url} (it ends in /api); start it or unset this "
                "(`prefect config view` says where it is set)"
            )
        yield url
        return
    global ours
    with _ephemeral(root, meanwhile) as ours:
        choose_proxies(ours)
        os.environ["PREFECT_API_URL"] = ours
        refresh_global_settings_context()
        try:
            yield EPHEMERAL
        finally:
            _send_the_rest()


def configured() -> str | None:
    """The API that Prefect's settings name: the environment, a profile, prefect.toml."""
    warnings.filterwarnings("ignore", "Failed to create the Prefect home directory")  # which our server does without
    try:
        with importing():
            import prefect.main  # noqa: F401  # sets its logging up
            from prefect.settings import get_current_settings
        url = get_current_settings().api.url
        return url if url and url != ours else None  # ours was that of a sweep before this one, and is gone
    except ImportError:
        raise
    except Exception as exc:
        raise InputError(
            f"Prefect cannot use its settings: {one_line(exc)}; correct the variables PREFECT_…, the profile, or what "
            "else `prefect config view --show-sources` names"
        ) from None


def be_patient() -> None:
    """Has Prefect's client ask again where a server that cannot keep up answers 500: no stage fails for that."""
    os.environ.setdefault("PREFECT_CLIENT_RETRY_EXTRA_CODES", "500")


def maybe_configured() -> bool:
    """Whether Prefect's settings name an API, or cannot be read, which `api` tells; in a tenth of its time."""
    try:
        from prefect.settings import get_current_settings

        return get_current_settings().api.url not in (None, "", ours)
    except Exception:
        return True


def choose_proxies(url: str) -> None:
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
    server = _Server(root, root / ".dvc" / "tmp" / "prefect-server.log")
    try:
        meanwhile()
        yield server.url()
    finally:
        server.stop()


class _Server:
    """The process of our server. A sweep whose server was killed stands still: so another takes its place and port, and
    Prefect's clients, which ask again for a minute, notice nothing."""

    def __init__(self, root: Path, log: Path) -> None:
        self._root, self._log = root, log
        self._process = _start(root, log)
        self._port = 0
        self._guard = threading.Lock()
        self._stopped = False

    def url(self) -> str:
        """The API's URL, once it answers."""
        assert self._process.stdout is not None
        self._port = int(self._process.stdout.readline().decode().strip() or 0)
        url = f"http://127.0.0.1:{self._port}/api"
        _wait(self._process, url, self._log)
        threading.Thread(target=self._keep, daemon=True, name="server").start()
        return url

    def _keep(self) -> None:  # a server dies with the thread that started it, which is this one from now on
        for left in range(_RESTARTS, -1, -1):
            self._process.wait()
            with self._guard:
                if self._stopped:
                    return
                if left:
                    console.say("Prefect's temporary server has died; starting it again")
                    self._process = _start(self._root, self._log, self._port)
        if when_lost is not None:
            when_lost()

    def stop(self) -> None:
        with self._guard:
            self._stopped = True
        self._process.terminate()
        try:
            self._process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _start(root: Path, log: Path, port: int = 0) -> subprocess.Popen[bytes]:
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
    with log.open("ab" if port else "wb") as errors:
        return subprocess.Popen(
            [sys.executable, "-m", "flows.server", str(port)],
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


def _connect_once() -> None:
    """Have Prefect use one connection to its SQLite database, as it does where ":memory:" stands in the path.

    With several, its requests find the database locked by each other, and answer two seconds later or not at all.
    """
    if not any(name.endswith("_DATABASE_CONNECTION_URL") for name in os.environ):
        Path(":memory:").mkdir(exist_ok=True)
        os.environ["PREFECT_SERVER_DATABASE_CONNECTION_URL"] = "sqlite+aiosqlite:///:memory:/../prefect.db"


def main() -> None:
    """Serve Prefect's API on the local port that is given, else on a free one, printed first, until the flow ends."""
    die_with_parent(int(os.environ[PARENT]), signal.SIGKILL)
    # Prefect makes a URL of its database's path, and does not quote it: `%41`, `#` or `?` in it mean something else.
    os.chdir(os.environ["PREFECT_HOME"])
    os.environ["PREFECT_HOME"] = "."
    _connect_once()
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # the one before may just have been killed
    listener.bind(("127.0.0.1", int(next(iter(sys.argv[1:]), "0"))))
    print(listener.getsockname()[1], flush=True)
    with importing():
        import uvicorn
        from prefect.server.api.server import create_app

    config = uvicorn.Config(create_app, factory=True, log_level="error", lifespan="on", timeout_graceful_shutdown=1)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
