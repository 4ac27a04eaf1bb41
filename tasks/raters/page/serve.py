"""`palms rate`: opens the ratings and serves the page until it is stopped. One server at a time has a database."""

import contextlib
import errno
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import uvicorn
from filelock import FileLock, Timeout

from tasks.inputs.ratings import FILE, read_instructions
from tasks.raters.closing import FOLDER, closed_at, export
from tasks.raters.page.app import create_app
from tasks.raters.page.words import page_words
from tasks.raters.panel import Panel, fingerprint
from tasks.raters.store import Store
from tasks.raters.texts import read_plan, read_positions
from tasks.runtime.errors import InputError

LOOPBACK = ("127.0.0.1", "::1", "localhost")


@contextlib.contextmanager
def only_server(path: Path) -> Iterator[None]:
    """Holds the database for this process, whose death frees it. Raises InputError where another one serves it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(f"{path.resolve()}.lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise InputError(f"{path}: another `palms rate` serves these ratings; stop it first") from None
    try:
        yield
    finally:
        lock.release()


def serve(path: Path, host: str, port: int, url: str | None, say: Callable[[str], object] = print) -> None:
    """Serves the page until SIGINT or SIGTERM; then the ratings are written to data/ratings.

    `url` is what the page is called from outside, if that is not its own address. Raises InputError where the port
    is taken, the ratings are closed, another server has them, or a file is wrong.
    """
    plan = read_plan()
    positions = read_positions(plan.dataset)
    instructions = read_instructions(FILE, positions)
    page_words(instructions)  # what is wrong with them is told before anybody comes
    if lacking := sorted({text.category for text in plan.texts} - set(positions)):
        raise InputError(f"{plan.dataset}: no position for {', '.join(lacking)}, whose completions are to be rated")
    with only_server(path), Store(path) as store, contextlib.closing(_listener(host, port)) as listener:
        if when := closed_at(store):
            raise InputError(f"the ratings were closed at {when}; no more are taken")
        address = (url or _address(listener, host)).rstrip("/")
        with store.transaction():
            store.set_meta("address", address)
            raters = store.row("SELECT count(*) AS n FROM raters UNION ALL SELECT count(*) FROM crowds ORDER BY 1 DESC")
            for line in _changes(store, fingerprint(instructions)):
                say(line)
        say(f"{len(plan.texts)} texts, each for {plan.config.raters_per_sample} raters, at {address}")
        if not (raters and raters["n"]):
            say("nobody can rate yet: `palms rate add NAME` prints a link for each rater")
        if host not in LOOPBACK and not (url or "").startswith("https://"):
            say("whoever can read the network can read the links: put a proxy with TLS before it, and name it by --url")
        say("Ctrl-C stops it; everything is kept")
        panel = Panel(store, plan.config, instructions, positions, plan.texts)
        app = create_app(panel, at_end=lambda: _at_end(store, say))
        settings = uvicorn.Config(
            app, log_level="warning", access_log=False, server_header=False, lifespan="on", timeout_graceful_shutdown=3,
            proxy_headers=False,
        )  # fmt: skip  # no log of addresses: they hold the tokens
        with contextlib.suppress(KeyboardInterrupt):  # which uvicorn raises again once it has stopped
            uvicorn.Server(settings).run(sockets=[listener])


def _changes(store: Store, instructions: str) -> Iterator[str]:
    """A warning where raters would read other instructions than those before them."""
    before = store.meta("instructions")
    rated = store.row("SELECT count(*) AS n FROM turns WHERE kind = 'rating' AND rated_at IS NOT NULL")
    if before not in (None, instructions) and rated and rated["n"]:
        yield f"{FILE} has changed since {rated['n']} ratings were given: those raters had other words before them"
    store.set_meta("instructions", instructions)


def _at_end(store: Store, say: Callable[[str], object]) -> None:
    files = export(store)
    if files:
        say(f"written to {FOLDER}: {', '.join(path.name for path in files)}")


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)  # who comes before the server is ready waits
    except OSError as error:
        listener.close()
        hint = "name another by --port" if error.errno == errno.EADDRINUSE else "name another by --host"
        raise InputError(f"{host}:{port}: {error.strerror}; {hint}") from None
    return listener


def _address(listener: socket.socket, host: str) -> str:
    port = listener.getsockname()[1]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
