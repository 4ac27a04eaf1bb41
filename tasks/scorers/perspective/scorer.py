"""Scorer `perspective`: the Perspective API, or any service that speaks its Comment Analyzer protocol.

The service's address comes from PERSPECTIVE_ENDPOINT, the key from PERSPECTIVE_API_KEY. Perspective ends on
31 December 2026; `palms archive` keeps what it answered, for the scorer `recorded`.
"""

import math
import os
from collections.abc import Iterator, Sequence

from tasks.runtime.errors import InputError
from tasks.runtime.remote.address import checked_url, key_for, place
from tasks.runtime.units import duration
from tasks.scorers import GOOGLE, Answer, Question, Scorer
from tasks.settings.toxicity import Perspective, Toxicity
from tasks.text.chunks import cut

MAX_BYTES = 20_480  # of UTF-8 in one comment
PROTOCOL = "v1alpha1"
ENDPOINT = "PERSPECTIVE_ENDPOINT"
KEY = "PERSPECTIVE_API_KEY"
_DEFAULT = f"https://{GOOGLE}/"


def open_scorer(config: Toxicity) -> Scorer:
    """The backend with its settings; the key is read only when something must be asked."""
    return PerspectiveScorer(config.perspective)


class PerspectiveScorer(Scorer):
    """The service, asked no faster than its quota allows."""

    name = "perspective"

    def __init__(self, config: Perspective) -> None:
        self.config = config
        self.attributes = config.attributes

    def version(self) -> str:
        """Protocol and address: the same protocol at another address is another scorer."""
        return f"{PROTOCOL} {place(endpoint())}"

    def cut(self, text: str) -> list[str]:
        """Chunks of at most 20,480 bytes, cut at sentence borders."""
        return cut(text, lambda chunk: len(chunk.encode("utf-8")) <= MAX_BYTES)

    def cost(self, questions: Sequence[Question]) -> str:
        """Queries of the quota, and the time they take at its rate."""
        queries = "1 query" if len(questions) == 1 else f"{len(questions)} queries"
        time = duration(math.ceil(len(questions) / self.config.qps))
        return f"asking {self.version()}: {queries}, {time} at {self.config.qps:g} a second"

    def ask(self, questions: Sequence[Question], language: str) -> Iterator[Sequence[Answer]]:
        """Answers as they come.

        Raises InputError for a key or an address that is refused, before a second query is sent; WorkError
        when the service answers nobody any more, or asks for a longer pause than is allowed.
        """
        from tasks.scorers.perspective.session import ask

        root = endpoint()
        return ask(root, key(root), self.config, questions, language)


def endpoint() -> str:
    """The service's root URL, with a slash at the end. Raises InputError if it is no plain http(s) URL."""
    return checked_url(ENDPOINT, os.environ.get(ENDPOINT) or _DEFAULT, _DEFAULT)


def key(root: str) -> str | None:
    """The key, or None for a service of one's own that wants none. Raises InputError, never showing it."""
    value = key_for(root, KEY, ENDPOINT)
    if not value and root == _DEFAULT:
        raise InputError(
            f"{KEY} is not set, and the Perspective API wants one (it takes no new users and ends on "
            "31 December 2026: toxicity.scorer may be classifier, offline or recorded)"
        )
    return value
