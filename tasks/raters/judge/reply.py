"""What a reply says, and what is missing in it: never a number that the judge did not give."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.raters.judge import POINTS

CANNOT_JUDGE = "CANNOT_JUDGE"
REFUSED = "REFUSED"
JUDGED = (CANNOT_JUDGE, REFUSED)  # an outcome, as a rating is; other reasons say that the judge does not work
_FENCED = re.compile(r"```(?:json)?\s*(.*?)\s*```", re.DOTALL)


@dataclass(frozen=True)
class Reply:
    """The rating by the scale as it was offered, or None and the reason; and what the service says of itself."""

    rating: int | None
    reason: str | None = None
    said: str = ""  # the judge's own words: why this rating
    answered_by: str = ""  # the model, as the service names it
    fingerprint: str = ""
    tokens_in: int | None = None
    tokens_out: int | None = None


def read(raw: str) -> Reply | str:
    """The reply in a service's answer, which is JSON; or why the answer holds none, which may pass.

    A reply of the wrong form is a reply: at temperature 0 the judge would say the same again.
    """
    answer = json.loads(raw)
    if not isinstance(answer, dict):
        return "WRONG_TYPE"
    if answer.get("error"):
        return "ERROR_IN_ANSWER"
    choices = answer.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        return "NO_CHOICE"
    message = choices[0].get("message")
    if not isinstance(message, dict):
        return "NO_CHOICE"
    rating, reason, said = _rating(message, choices[0].get("finish_reason"))
    return Reply(rating, reason, said, _text(answer.get("model")), _text(answer.get("system_fingerprint")),
                 *(_count(answer.get("usage"), key) for key in ("prompt_tokens", "completion_tokens")))  # fmt: skip


def _rating(message: Mapping[str, Any], finish: Any) -> tuple[int | None, str | None, str]:
    """The rating or None, the reason for None, the judge's words."""
    content = message.get("content")
    if message.get("refusal") or finish == "content_filter":
        return None, REFUSED, _text(message.get("refusal"))
    if not isinstance(content, str) or not content.strip():
        return None, "CUT_OFF" if finish == "length" else "NO_TEXT", ""
    try:
        value = json.loads(_unfenced(content), object_pairs_hook=_once)
    except (ValueError, RecursionError):
        return None, "CUT_OFF" if finish == "length" else "NOT_JSON", content[:300]
    if not isinstance(value, dict) or "rating" not in value:
        return None, "NO_RATING", content[:300]
    rating, said = value["rating"], _text(value.get("reason"))
    if rating is None:
        return None, CANNOT_JUDGE, said
    if isinstance(rating, bool) or not isinstance(rating, int):
        return None, "WRONG_TYPE", said
    return (rating, None, said) if 1 <= rating <= POINTS else (None, "OUT_OF_SCALE", said)


def _unfenced(content: str) -> str:
    """The content, without the fence of a code block that some models put around all of it."""
    fenced = _FENCED.fullmatch(content.strip())
    return fenced[1] if fenced else content


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """An object, each of whose keys stands there once: of two ratings neither is the judge's."""
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a key stands there twice")
    return dict(pairs)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _count(usage: Any, key: str) -> int | None:
    value = usage.get(key) if isinstance(usage, dict) else None
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
