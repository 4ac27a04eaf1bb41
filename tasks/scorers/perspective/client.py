"""A client of the Comment Analyzer protocol: Perspective, or any compatible service.

The key exists in one place, the header as it is written to the connection: not in a URL, a request object, a
log line or an error; and what the service says is searched for it before anyone sees it (`Client.redact`).
"""

import json
import re
from collections.abc import Sequence
from typing import NoReturn

from googleapiclient.discovery import build_from_document
from googleapiclient.errors import HttpError

from tasks.runtime.errors import InputError
from tasks.runtime.remote.address import redact
from tasks.runtime.remote.connections import Connections
from tasks.runtime.remote.errors import LIMITED, PermanentError, TransientError
from tasks.runtime.remote.rate_limit import RateLimiter, retry_after

HEADER = "X-Goog-Api-Key"
_LIMITS = ("RATE_LIMIT_EXCEEDED", "RESOURCE_EXHAUSTED", "rateLimitExceeded", "userRateLimitExceeded")
_WORD = re.compile(r"[A-Z][A-Z0-9_]{2,79}")
_DOCUMENT = {
    "name": "commentanalyzer",
    "version": "v1alpha1",
    "rootUrl": "https://commentanalyzer.googleapis.com/",
    "servicePath": "",
    "parameters": {"alt": {"type": "string", "location": "query", "default": "json"}},
    "schemas": {name: {"id": name, "type": "object"} for name in ("Request", "Response")},
    "resources": {
        "comments": {
            "methods": {
                "analyze": {
                    "id": "commentanalyzer.comments.analyze",
                    "path": "v1alpha1/comments:analyze",
                    "httpMethod": "POST",
                    "request": {"$ref": "Request"},
                    "response": {"$ref": "Response"},
                }
            }
        }
    },
}


class Client:
    """Sends queries in the turns that `limiter` gives, from any thread; each answer within `timeout` seconds."""

    def __init__(self, root: str, key: str | None, limiter: RateLimiter, timeout: float) -> None:
        self._key = key
        self._connections = Connections("PERSPECTIVE_ENDPOINT", limiter, {HEADER: key} if key else {}, timeout)
        unused = self._connections.new()  # each thread brings its own; without any, it would look for credentials
        self._service = build_from_document(_DOCUMENT, http=unused, client_options={"api_endpoint": root})

    def analyze(self, text: str, attributes: Sequence[str], language: str) -> str:
        """The service's answer in its own words, which are JSON.

        Raises TransientError or PermanentError with a reason, InputError where every query would fail (key, address).
        """
        body = {
            "comment": {"text": text, "type": "PLAIN_TEXT"},
            "requestedAttributes": {attribute: {} for attribute in attributes},
            "languages": [language],
            "doNotStore": True,
        }
        request = self._service.comments().analyze(body=body)
        request.postproc = lambda _, content: content
        try:
            content: bytes = self._connections.exchange(
                lambda sender: request.execute(http=sender, num_retries=0), answered=HttpError
            )
            raw = self.redact(content.decode("utf-8"))
            json.loads(raw)
            return raw
        except HttpError as response:
            self._refuse(response)
        except (ValueError, RecursionError):
            raise TransientError("NOT_JSON") from None

    def redact(self, text: str) -> str:
        """`text` without the key, should anyone have put it there."""
        return redact(text, self._key)

    def _refuse(self, response: HttpError) -> NoReturn:
        status, error = int(response.resp.status), _Error(response.content)
        wait = retry_after(response.resp.get("retry-after"))
        if status == 429 or (status == 403 and error.kinds & set(_LIMITS)):
            raise TransientError(LIMITED, wait)
        if status == 408 or status >= 500:
            raise TransientError(f"HTTP_{status}", wait)
        detail = self.redact(f"{status} {error.status} {error.message}".strip())[:300]
        if status in (401, 403) or "API_KEY_INVALID" in error.kinds:
            raise InputError(f"PERSPECTIVE_API_KEY: the service refused the key: {detail}")
        if status < 400 or status in (404, 405, 410):
            raise InputError(
                f"PERSPECTIVE_ENDPOINT: no Comment Analyzer there: {detail} (Perspective ends on 31 December 2026)"
            )
        reason = next(filter(_WORD.fullmatch, map(self.redact, (error.type, error.status))), f"HTTP_{status}")
        raise PermanentError(reason, detail, of_text=reason.startswith("COMMENT_") or status == 413)


class _Error:
    """The body of a refusal, whatever its shape."""

    def __init__(self, content: bytes) -> None:
        try:
            error = dict(json.loads(content)["error"])
            details = [dict(d) for key in ("details", "errors") for d in error.get(key, [])]
        except (ValueError, LookupError, TypeError, RecursionError):
            error, details = {}, []
        self.status = str(error.get("status", ""))
        self.message = " ".join(str(error.get("message", "")).split())
        self.type = next((str(d["errorType"]) for d in details if d.get("errorType")), "")
        self.kinds = {self.status, *(str(d["reason"]) for d in details if d.get("reason"))}
