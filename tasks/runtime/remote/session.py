"""One run's queries to a service: attempts, pauses, and when to give up."""

import threading
from collections.abc import Callable
from typing import Protocol, TypeVar

from tasks.runtime.errors import WorkError
from tasks.runtime.remote.errors import LIMITED, TransientError
from tasks.runtime.remote.rate_limit import RateLimiter, StoppedError, back_off
from tasks.runtime.units import duration

T = TypeVar("T")


class Limits(Protocol):
    """How fast and how long a service is asked; params.yaml says it (`tasks.settings.toxicity.Perspective`)."""

    @property
    def qps(self) -> float:
        """Queries a second."""

    @property
    def attempts(self) -> int:
        """Queries for one text before it counts as missing."""

    @property
    def max_wait(self) -> float:
        """Seconds; a service that asks for a longer pause ends the run."""

    @property
    def give_up_after(self) -> int:
        """Texts in a row without an answer, after which the service is taken to be down."""


class Session:
    """Asks one question at a time in each thread, until `stop` is set.

    `section` is where in params.yaml the limits stand, `lacking` what a text that got nothing is without.
    """

    def __init__(self, section: str, limits: Limits, lacking: str) -> None:
        self.stop = threading.Event()
        self.limiter = RateLimiter(limits.qps, self.stop)
        self._section, self._limits, self._lacking = section, limits, lacking
        self._misses = 0  # texts in a row that got nothing

    def attempt(self, query: Callable[[], T], malformed: Callable[[T], str | None]) -> T:
        """The answer to a query, asked again while it fails or `malformed` says what is wrong with it.

        Raises the last attempt's TransientError; a last answer is given even if it is malformed.
        """
        for attempt in range(1, self._limits.attempts):
            try:
                answer = query()
                if reason := malformed(answer):
                    raise TransientError(reason)
                return answer
            except TransientError as error:
                self._wait(error, attempt)
        return query()

    def count(self, reason: str | None, detail: str = "") -> None:
        """Counts a text that got nothing for `reason`; None is of one that got something.

        Raises WorkError after too many in a row.
        """
        self._misses = self._misses + 1 if reason else 0
        if self._misses >= self._limits.give_up_after:
            raise WorkError(
                f"{self._misses} texts in a row got no {self._lacking}, the last for {reason}{detail}; "
                "what was answered is kept: mend that, or wait until the service is well, and run again"
            )

    def _wait(self, error: TransientError, attempt: int) -> None:
        """Waits before the next attempt: everyone, where the service says so or the quota is spent."""
        if error.wait is not None and error.wait > self._limits.max_wait:
            raise WorkError(
                f"the service asks to wait {duration(error.wait)} ({error.reason}), longer than "
                f"{self._section}.max_wait; what it answered is kept: run again later"
            )
        if error.wait is not None:
            self.limiter.pause(error.wait)
        elif error.reason == LIMITED:
            self.limiter.pause(back_off(attempt))
        elif self.stop.wait(back_off(attempt)):
            raise StoppedError
