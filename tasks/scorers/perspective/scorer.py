"""Scorer `perspective`: the Perspective API, or any service that speaks its Comment Analyzer protocol.

The service's address comes from PERSPECTIVE_ENDPOINT, the key from PERSPECTIVE_API_KEY. Perspective ends on
31 December 2026; `palms archive` keeps what it answered, for the scorer `recorded`.
"""

import json
import math
import os
import re
import urllib.parse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tasks.runtime.errors import InputError
from tasks.scorers import Answer, Question, Score
from tasks.settings.toxicity import Perspective, Toxicity
from tasks.text.chunks import cut

MAX_BYTES = 20_480  # of UTF-8 in one comment
PROTOCOL = "v1alpha1"
ENDPOINT = "PERSPECTIVE_ENDPOINT"
KEY = "PERSPECTIVE_API_KEY"
GOOGLE = "https://commentanalyzer.googleapis.com/"
_GOOGLE_HOST = urllib.parse.urlsplit(GOOGLE).netloc
_HERE = ("localhost", "127.0.0.1", "::1")


def open_scorer(config: Toxicity) -> "PerspectiveScorer":
    """The backend with its settings; the key is read only when something must be asked."""
    return PerspectiveScorer(config.perspective)


def describe(version: str) -> str:
    """The scorer in a sentence."""
    service = "Google's Perspective API" if _GOOGLE_HOST in version else "a service that speaks Perspective's protocol"
    return (
        f"Scored by {service} ({version}), a neural model that runs elsewhere; it has no published version and may "
        "have changed between answers."
    )


@dataclass(frozen=True)
class PerspectiveScorer:
    """The service, asked no faster than its quota allows."""

    config: Perspective
    name: str = "perspective"
    languages: tuple[str, ...] | None = None
    stored: bool = True

    @property
    def attributes(self) -> tuple[str, ...]:
        """What the user listed."""
        return self.config.attributes

    def version(self) -> str:
        """Protocol and address: the same protocol at another address is another scorer."""
        parts = urllib.parse.urlsplit(endpoint())
        return f"{PROTOCOL} {parts.netloc}{parts.path}".rstrip("/")

    def cut(self, text: str) -> list[str]:
        """Pieces of at most 20,480 bytes, cut at sentence borders."""
        return cut(text, lambda chunk: len(chunk.encode("utf-8")) <= MAX_BYTES)

    def cost(self, questions: int) -> str:
        """Queries of the quota, and the time they take at its rate."""
        queries = "1 query" if questions == 1 else f"{questions} queries"
        seconds = spell(questions / self.config.qps)
        return f"asking {self.version()}: {queries}, {seconds} at {self.config.qps:g} a second"

    def ask(self, questions: Sequence[Question], language: str) -> Iterator[Sequence[Answer]]:
        """Answers as they come.

        Raises InputError for a key or an address that is refused, before a second query is sent; WorkError
        when the service answers nobody any more, or asks for a longer pause than is allowed.
        """
        from tasks.scorers.perspective import session as asking

        root = endpoint()
        return asking.ask(root, key(root), self.config, questions, language)


def endpoint() -> str:
    """The service's root URL, with a slash at the end. Raises InputError if it is no plain http(s) URL."""
    given = os.environ.get(ENDPOINT) or GOOGLE
    parts = urllib.parse.urlsplit(given)
    if parts.scheme not in ("http", "https") or not parts.hostname or set("?#@") & set(given):
        raise InputError(f"{ENDPOINT}: expected a URL such as {GOOGLE}, with no user, query or fragment in it")
    return given.rstrip("/") + "/"


def key(root: str) -> str | None:
    """The key, or None for a service of one's own that wants none. Raises InputError, never showing it."""
    found = os.environ.get(KEY, "").strip()
    parts = urllib.parse.urlsplit(root)
    if not found and root == GOOGLE:
        raise InputError(
            f"{KEY} is not set, and the Perspective API wants one (it takes no new users and ends on "
            "31 December 2026: toxicity.scorer may be classifier, offline or recorded)"
        )
    if not re.fullmatch(r"[!-~]*", found):
        raise InputError(f"{KEY}: a key is one word of plain ASCII characters, and this one is not")
    if found and parts.scheme == "http" and parts.hostname not in _HERE:
        raise InputError(f"{ENDPOINT}: a key is not sent over plain http; use https, or unset {KEY}")
    return found or None


def read(raw: str, attributes: Sequence[str]) -> tuple[Score, ...]:
    """The summary scores of an answer; null with a reason for what is not a number in [0, 1].

    A malformed score is not permanent: the service may have mended it by the next run.
    """
    response = json.loads(raw)
    return tuple(_read(response, attribute) for attribute in attributes)


def _read(response: object, attribute: str) -> Score:
    value = response
    for name in ("attributeScores", attribute, "summaryScore", "value"):
        if not isinstance(value, dict):
            return Score(attribute, None, "WRONG_TYPE", permanent=False)
        if name not in value:
            return Score(attribute, None, "MISSING_ATTRIBUTE", permanent=False)
        value = value[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return Score(attribute, None, "WRONG_TYPE", permanent=False)
    if isinstance(value, float) and not math.isfinite(value):
        return Score(attribute, None, "NOT_A_NUMBER", permanent=False)
    if not 0 <= value <= 1:
        return Score(attribute, None, "OUT_OF_RANGE", permanent=False)
    return Score(attribute, float(value))


def spell(seconds: float) -> str:
    """A time for people to read."""
    minutes, rest = divmod(math.ceil(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
