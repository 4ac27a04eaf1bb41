"""A real Prefect server and blank DVC trees, each made once."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from flows.processes import PARENT
from flows.server import answers
from tests.support import warm_stages
from tests.support.flow_trees import Api, Tree, environment, free_port, wait_for

# A background job of a shell ignores SIGINT, and so would all that it starts, whatever the tests send them.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def prefect_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the database that a sweep's own server makes at its first start, to be copied: it takes ten
    seconds of work."""
    home = tmp_path_factory.mktemp("prefect")
    env = environment(PREFECT_HOME=str(home), **{PARENT: str(os.getpid())})
    with subprocess.Popen([sys.executable, "-m", "flows.server"], env=env, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        url = f"http://127.0.0.1:{server.stdout.readline().strip()}/api"
        try:
            wait_for(lambda: server.poll() is not None or answers(url), 90)
        finally:
            server.terminate()
    assert (home / "prefect.db").exists()
    return home


@pytest.fixture(scope="session")
def prefect_url(prefect_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real `prefect server start` with a home of its own."""
    # A SQLite database with ":memory:" in its path gets one connection. With several, Prefect's requests find it
    # locked by each other, and a task that asks for its tags' limits then tries again after two seconds.
    home = tmp_path_factory.mktemp("server:memory:")
    shutil.copytree(prefect_home, home, dirs_exist_ok=True)
    port = free_port()
    url = f"http://127.0.0.1:{port}/api"
    with (home / "server.log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)],
            env=environment(PREFECT_HOME=str(home), PREFECT_API_URL=url),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        wait_for(lambda: server.poll() is not None or answers(url), 90)
        assert server.poll() is None, (home / "server.log").read_text()
        yield url
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


@pytest.fixture(scope="session")
def blank_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("blank") / "tree"
    root.mkdir()
    for command in (["git", "init", "-q"], [sys.executable, "-m", "dvc", "init", "-q"]):
        subprocess.run(command, cwd=root, env=environment(), check=True)
    return root


@pytest.fixture(scope="session")
def new_tree(blank_tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Tree]]:
    """Makes trees: `new_tree({"dvc.yaml": …}, PREFECT_API_URL=…)`. Ends at last whatever they left running."""
    made: list[Tree] = []

    def make(files: Mapping[str, str], **env: str) -> Tree:
        tree = Tree(tmp_path_factory.mktemp("tree") / "tree", environment(**env))
        shutil.copytree(blank_tree, tree.root, symlinks=True)
        tree.write(files)
        made.append(tree)
        return tree

    yield make
    for tree in made:
        tree.kill()


@pytest.fixture(scope="session")
def api(prefect_url: str) -> Api:
    return Api(prefect_url)


@pytest.fixture(scope="session")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment whose stages start in no time."""
    address = tmp_path_factory.mktemp("warm") / "socket"
    command = [sys.executable, warm_stages.__file__, str(address)]
    server = subprocess.Popen(command, env=environment(OMP_NUM_THREADS="1"), stdin=subprocess.DEVNULL)
    try:
        wait_for(lambda: address.exists() or server.poll() is not None, 180)
        assert server.poll() is None
        yield warm_stages.environment(address)
    finally:
        server.kill()
        server.wait()
