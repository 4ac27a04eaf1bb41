"""A real Prefect server and blank DVC trees, each made once."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from flow_trees import Api, Tree, environment, free_port

from flows.server import answers

# A background job of a shell ignores SIGINT, and so would all that it starts, whatever the tests send them.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def prefect_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real `prefect server start` with a home of its own."""
    home = tmp_path_factory.mktemp("prefect")
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
        deadline = time.monotonic() + 90
        while not answers(url):
            assert server.poll() is None, (home / "server.log").read_text()
            assert time.monotonic() < deadline, "the Prefect server did not start in 90 s"
            time.sleep(0.2)
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
        home = tmp_path_factory.mktemp("tree")
        tree = Tree(home / "tree", environment(**env))
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
