"""A client of OpenAI-compatible services: chat completions over the connections that all paid services are asked by."""

import json
import re
from collections.abc import Mapping
from typing import Any, NoReturn

from tasks.runtime.errors import InputError, WorkError
from tasks.runtime.remote.address import redact
from tasks.runtime.remote.connections import Connections
from tasks.runtime.remote.errors import LIMITED, PermanentError, TransientError
from tasks.runtime.remote.rate_limit import RateLimiter, retry_after

_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_]{2,79}")
_OF_TEXT = ("context_length_exceeded", "content_filter", "content_policy_violation", "string_above_max_length")
_SPENT = ("insufficient_quota", "billing_hard_limit_reached")


class Client:
    """Sends queries in the turns that `limiter` gives, from any thread; `setting` and `variable` name address and key
    in messages."""

    def __init__(
        self, root: str, key: str | None, limiter: RateLimiter, timeout: float, *, setting: str, variable: str
    ) -> None:
        self._url, self._key = f"{root}chat/completions", key
        self._setting, self._variable = setting, variable
        credentials = {"Authorization": f"Bearer {key}"} if key else {}
        self._connections = Connections(setting, limiter, credentials, timeout)

    def chat(self, body: Mapping[str, Any]) -> str:
        """The service's answer in its own words, which are JSON.

        Raises TransientError or PermanentError with a reason, InputError where every query would fail (key, address,
        model), WorkError where nothing more is answered before somebody pays.
        """
        content = json.dumps(body, ensure_ascii=False).encode("utf-8")
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        response, answer = self._connections.exchange(
            lambda sender: sender.request(self._url, "POST", body=content, headers=headers)
        )
        if response.status != 200:
            self._refuse(response, answer)
        try:
            raw = redact(answer.decode("utf-8"), self._key)
            json.loads(raw)
            return raw
        except (ValueError, RecursionError):
            raise TransientError("NOT_JSON") from None

    def _refuse(self, response: Any, content: bytes) -> NoReturn:
        status, (code, message) = int(response.status), _error(content)
        wait = retry_after(response.get("retry-after"))
        detail = redact(" ".join(f"{status} {code} {message}".split()), self._key)[:300]
        if code in _SPENT or status == 402:
            raise WorkError(f"{self._setting}: this key is answered no more: {detail}; what was answered is kept")
        if status == 429:
            raise TransientError(LIMITED, wait)
        if status in (408, 409, 425) or status >= 500:
            raise TransientError(f"HTTP_{status}", wait)
        if status in (401, 403):
            raise InputError(f"{self._variable}: the service refused the key: {detail}")
        if status < 400 or status in (404, 405, 410):
            raise InputError(f"{self._setting}: no such model, or no OpenAI-compatible service there: {detail}")
        known = redact(code, self._key)
        reason = known.upper() if _CODE.fullmatch(known) else f"HTTP_{status}"
        raise PermanentError(reason, detail, of_text=code in _OF_TEXT or status == 413)


def _error(content: bytes) -> tuple[str, str]:
    """The code and the message of a refusal, whatever its shape."""
    try:
        error = json.loads(content)
    except (ValueError, RecursionError):
        return "", ""
    error = error.get("error", error) if isinstance(error, dict) else error
    if not isinstance(error, dict):
        return "", str(error)
    code = next((error[key] for key in ("code", "type") if isinstance(error.get(key), str)), "")
    return code, str(error.get("message") or error.get("detail") or "")
