"""A Comment Analyzer service of our own, on loopback, that can misbehave in every way we know of.

In a test: `with AnalyzerServer() as server`. In a process of its own, for benchmarks:
`python -m tests.support.analyzer_server --latency 0.3` prints its port, and `GET /log` gives its arrivals.
"""

import argparse
import contextlib
import json
import ssl
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.support.analyzer_faults import Faults, response, true_score

ATTRIBUTES = (
    "TOXICITY", "SEVERE_TOXICITY", "IDENTITY_ATTACK", "INSULT", "PROFANITY", "THREAT", "SEXUALLY_EXPLICIT",
)  # fmt: skip
LANGUAGES = ("en", "ar", "zh")
MAX_BYTES = 20_480


@dataclass(frozen=True)
class Query:
    """One query as it arrived."""

    at: float  # seconds on the monotonic clock
    line: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def text(self) -> str:
        return str(self.body["comment"]["text"])


@dataclass
class Behaviour:
    """What the service does beyond answering."""

    latency: float = 0.0  # seconds
    key: str | None = None  # what it wants as a key
    faults: dict[str, list[str]] = field(default_factory=dict)  # text → a fault for each query, then none
    always: str | None = None  # a fault of every other query


class AnalyzerServer(ThreadingHTTPServer):
    """The service; `queries` are those that arrived, `answered` the texts whose scores left completely."""

    daemon_threads = True
    request_queue_size = 128
    query: type[Query] = Query
    handler: type[BaseHTTPRequestHandler] | None = None

    def __init__(self, behaviour: Behaviour | None = None, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), self.handler or Handler)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.scheme = "https" if tls else "http"
        self.behaviour = behaviour or Behaviour()
        self.queries: list[Query] = []
        self.answered: list[str] = []
        self.closing = threading.Event()
        self._seen: dict[str, int] = defaultdict(int)
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_port}/"

    def asked(self, text: str) -> int:
        """How often a text was asked for."""
        return sum(query.text == text for query in self.queries)

    def fault(self, text: str) -> str | None:
        with self._lock:
            number = self._seen[text]
            self._seen[text] += 1
        listed = self.behaviour.faults.get(text)
        if listed is None:
            return self.behaviour.always
        return listed[number] if number < len(listed) else None

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news here."""

    def __enter__(self) -> "AnalyzerServer":
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self.shutdown()
        self.server_close()


class Handler(Faults, BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: AnalyzerServer

    def log_message(self, *_: object) -> None:
        """Tests read `queries` instead."""

    def do_GET(self) -> None:
        self.send(200, [query.at for query in self.server.queries])

    def do_POST(self) -> None:
        at = time.monotonic()
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        query = self.server.query(at, self.requestline, {k.lower(): v for k, v in self.headers.items()}, body)
        self.server.queries.append(query)
        self.server.closing.wait(self.server.behaviour.latency)
        fault = self.server.fault(query.text)
        if fault:
            name, _, argument = fault.partition("=")
            self.query, self.argument = query, argument
            getattr(self, name)()
        else:
            self.answer(query)

    def answer(self, query: Query) -> None:
        if refusal := self._refusal(query):
            return self.error(*refusal)
        scores = {a: true_score(query.text, a) for a in query.body["requestedAttributes"]}
        self.send(200, response(scores))
        self.server.answered.append(query.text)

    def _refusal(self, query: Query) -> tuple[int, str, dict[str, Any]] | None:
        text, wanted = query.text, self.server.behaviour.key
        if wanted is not None and query.headers.get("x-goog-api-key") != wanted:
            found = query.headers.get("x-goog-api-key")
            said = {"reason": "API_KEY_INVALID", "metadata": {"key": found}}
            return 400, f"API key not valid: key={found}. Please pass a valid API key.", said
        if self.path.partition("?")[0] != "/v1alpha1/comments:analyze":
            return 404, "Not found", {}
        if not text.strip(" \t\r\n\u200b"):
            return 400, "Comment must be non-empty.", {"errorType": "COMMENT_EMPTY"}
        if len(text.encode("utf-8")) > MAX_BYTES:
            return 400, "Comment text was too many bytes.", {"errorType": "COMMENT_TOO_LONG"}
        if set(query.body["languages"]) - set(LANGUAGES):
            return 400, "Attribute TOXICITY does not support", {"errorType": "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE"}
        if unknown := set(query.body["requestedAttributes"]) - set(ATTRIBUTES):
            return 400, f"Unknown requested attribute: {unknown}", {}
        return None

    def error(self, status: int, message: str, detail: dict[str, Any], **headers: str) -> None:
        names = {400: "INVALID_ARGUMENT", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED"}
        error = {"code": status, "message": message, "status": names.get(status, "INTERNAL"), "details": [detail]}
        self.send(status, {"error": error}, **headers)

    def send(self, status: int, value: Any, kind: str = "application/json", **headers: str) -> None:
        content = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        for name, text in headers.items():
            self.send_header(name.replace("_", "-"), text)
        self.end_headers()
        self.wfile.write(content)


def main() -> None:
    """Serves until the standard input closes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--latency", type=float, default=0.0)
    with AnalyzerServer(Behaviour(latency=parser.parse_args().latency)) as server:
        print(server.server_port, flush=True)
        with contextlib.suppress(EOFError, KeyboardInterrupt):
            while True:
                input()


if __name__ == "__main__":
    main()
