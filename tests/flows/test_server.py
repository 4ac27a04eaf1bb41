"""Whether what answers at PREFECT_API_URL is Prefect's API, and whose it is."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from flows import server
from flows.server import answers


@contextmanager
def serving(status: int, body: bytes) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Stays silent."""

    listener = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listener.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.server_port}"
    finally:
        listener.shutdown()
        thread.join()
        listener.server_close()


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [(200, b"true", True), (401, b"who are you?", True), (200, b"<!doctype html><title>Prefect</title>", False)],
)
def test_a_page_is_no_api(status: int, body: bytes, expected: bool) -> None:
    with serving(status, body) as url:
        assert answers(url) is expected


def test_prefects_own_api_answers(prefect_url: str) -> None:
    assert answers(prefect_url)


def test_the_server_of_a_sweep_before_is_not_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    """`palms tune` sweeps twice in one process."""
    from prefect.settings import PREFECT_API_URL, temporary_settings

    url = "http://127.0.0.1:9/api"
    with temporary_settings({PREFECT_API_URL: url}):
        assert (server.configured(), server.maybe_configured()) == (url, True)
        monkeypatch.setattr(server, "ours", url)
        assert (server.configured(), server.maybe_configured()) == (None, False)
