"""The ways in which our Comment Analyzer service can misbehave, each a method of the name that tests use.

A fault is written `name` or `name=argument`: `hang`, `status=429,2`, `value=NaN`.
"""

import contextlib
import hashlib
import json
import socket
import struct
from http.server import BaseHTTPRequestHandler
from typing import Any


def true_score(text: str, attribute: str) -> float:
    """What this service says about a text: any number, but always the same."""
    return int.from_bytes(hashlib.sha256(f"{attribute} {text}".encode()).digest()[:4], "big") / 2**32


def response(scores: dict[str, Any]) -> dict[str, Any]:
    summary = {a: {"summaryScore": {"value": v, "type": "PROBABILITY"}, "spanScores": []} for a, v in scores.items()}
    return {"attributeScores": summary, "languages": ["en"], "detectedLanguages": ["en"]}


class Faults(BaseHTTPRequestHandler):
    """What the service's handler does wrong: `query` met the fault, `argument` is what was said of it."""

    server: Any
    query: Any
    argument: str
    send: Any
    error: Any

    def status(self) -> None:
        """`status=503`, or `status=429,2` with Retry-After."""
        code, _, wait = self.argument.partition(",")
        self.error(int(code), "no", {}, **({"Retry_After": wait} if wait else {}))

    def reset(self) -> None:
        """RST: the connection is torn down in the middle of a query."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def close(self) -> None:
        """FIN without an answer."""
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def hang(self) -> None:
        self.server.closing.wait(60)
        self.close_connection = True

    def drip(self) -> None:
        """A byte now and then: no single wait is long, all together are."""
        with contextlib.suppress(OSError):
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            while not self.server.closing.wait(0.05):
                self.wfile.write(b" ")

    def short(self) -> None:
        """Fewer bytes than announced."""
        self.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"attributeScores": {')
        self.close_connection = True

    def truncated(self) -> None:
        self.send(200, b'{"attributeScores": {"TOXICITY": {"summaryScore": {"val')

    def html(self) -> None:
        self.send(int(self.argument or 200), b"<html><h1>Bad gateway</h1></html>", "text/html")

    def raw(self) -> None:
        """A body of one's choice."""
        self.send(200, self.argument.encode("utf-8", "surrogateescape"))

    def value(self) -> None:
        """TOXICITY has this JSON value; the others are as they should be."""
        scores = {a: true_score(self.query.text, a) for a in self.query.body["requestedAttributes"]}
        text = json.dumps(response(scores | {"TOXICITY": "@"})).replace('"@"', self.argument)
        self.send(200, text.encode())

    def missing(self) -> None:
        """All but TOXICITY."""
        wanted = [a for a in self.query.body["requestedAttributes"] if a != "TOXICITY"]
        self.send(200, response({a: true_score(self.query.text, a) for a in wanted}))

    def echo(self) -> None:
        """A good answer that repeats the key it was asked with."""
        scores = {a: true_score(self.query.text, a) for a in self.query.body["requestedAttributes"]}
        self.send(200, response(scores) | {"debug": {"headers": self.query.headers}})

    def refuse(self) -> None:
        """403 that repeats the key."""
        key = self.query.headers.get("x-goog-api-key")
        self.error(403, f"Project of {key} has no access, see https://x/?key={key}&a=b", {"reason": self.argument})

    def refuse_text(self) -> None:
        """400 of the kind that is given."""
        self.error(400, "no", {"errorType": self.argument})

    def redirect(self) -> None:
        self.send(308, b"", Location=self.argument)
