"""A client of the Comment Analyzer protocol: Perspective, or any compatible service.

The key exists in one place, the header as it is written to the connection: not in a URL, a request object, a
log line or an error; and what the service says is searched for it before anyone sees it (`Client.redact`).
"""

import functools
import http.client
import json
import re
import ssl
import threading
import urllib.parse
from collections.abc import Sequence
from typing import Any, NoReturn

import httplib2  # type: ignore[import-untyped]
from googleapiclient.discovery import build_from_document
from googleapiclient.errors import HttpError

from tasks.runtime.errors import InputError
from tasks.scorers.perspective.rate_limit import RateLimiter, retry_after
from tasks.scorers.perspective.transport import Sender

LIMITED = "RATE_LIMITED"
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


class TransientError(Exception):
    """A failure that may pass: worth another attempt. `wait` is how long the service asks to wait, in seconds."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.reason, self.wait = reason, wait


class PermanentError(Exception):
    """The service refuses this query for good; `detail` is why, in its words.

    `of_text`: it refuses the text itself, for instance as too long, and not one of the attributes in this language.
    """

    def __init__(self, reason: str, detail: str, of_text: bool) -> None:
        super().__init__(reason)
        self.reason, self.detail, self.of_text = reason, detail, of_text


class Client:
    """Sends queries in the turns that `limiter` gives, from any thread; each answer within `timeout` seconds."""

    def __init__(self, root: str, key: str | None, limiter: RateLimiter, timeout: float) -> None:
        self._key = key
        self._new_sender = functools.partial(Sender, limiter, key, timeout)
        self._threads = threading.local()
        unused = self._new_sender()  # each thread brings its own; without any, the client would look for credentials
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
            raw = self.redact(self._send(request).decode("utf-8"))
            json.loads(raw)
            return raw
        except HttpError as response:
            self._refuse(response)
        except (ValueError, RecursionError):
            raise TransientError("NOT_JSON") from None

    def redact(self, text: str) -> str:
        """`text` without the key, should anyone have put it there."""
        text = re.sub(r"(?i)\bkey=[^&\s\"'<>]+", "key=***", text)
        if self._key:
            for form in (self._key, urllib.parse.quote(self._key, safe=""), self._key.replace("/", "\\/")):
                text = text.replace(form, "***")
        return text

    def _send(self, request: Any) -> bytes:
        sender: Sender = getattr(self._threads, "sender", None) or self._new_sender()
        self._threads.sender = None  # an exchange that broke off leaves a connection that nobody may use again
        try:
            content: bytes = request.execute(http=sender, num_retries=0)
        except HttpError:
            self._threads.sender = sender
            raise
        except ssl.SSLCertVerificationError as error:
            raise InputError(f"PERSPECTIVE_ENDPOINT: its certificate is not trusted: {error.verify_message}") from None
        except (OSError, http.client.HTTPException, httplib2.HttpLib2Error) as error:
            raise TransientError(sender.reason(error)) from None
        self._threads.sender = sender
        return content

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
