"""Whether what answers at PREFECT_API_URL is Prefect's API."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

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
