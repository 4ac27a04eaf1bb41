"""Whether what answers at PREFECT_API_URL is Prefect's API."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from flows.server import answers
from tests.support.flow_trees import environment

TWICE = """
from pathlib import Path
from flows.server import EPHEMERAL, api, maybe_configured
for _ in range(2):
    assert not maybe_configured()
    with api(Path("."), lambda: None) as url:
        assert url == EPHEMERAL
"""


@contextmanager
def serving(status: int, body: bytes) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Stays silent."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [(200, b"true", True), (401, b"who are you?", True), (200, b"<!doctype html><title>Prefect</title>", False)],
)
def test_a_page_is_no_api(status: int, body: bytes, expected: bool) -> None:
    with serving(status, body) as url:
        assert answers(url) is expected


def test_prefects_own_api_answers(prefect_url: str) -> None:
    assert answers(prefect_url)


def test_a_process_runs_one_sweep_after_another(tmp_path: Path) -> None:
    env = environment(PREFECT_HOME=str(tmp_path), PYTHONPATH=str(Path(__file__).parents[2]))
    (tmp_path / ".dvc/tmp").mkdir(parents=True)
    words = [sys.executable, "-c", TWICE]
    done = subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
