"""How a service with a quota is asked: a rate limit, several queries in flight, pauses that grow."""

import contextlib
import email.utils
import queue
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

# The quota counts queries as they arrive, with some jitter, so its window is taken a little wider here: this
# leaves 20 ms of jitter in a second before a second could hold one query too many, and uses 98% of the quota.
HEADROOM = 0.02
SMOOTH = 0.8  # of the mean distance between queries is the least one: no bursts, but what was late is made up
FIRST_PAUSE = 1.0  # seconds, doubled at each further attempt
LONGEST_PAUSE = 60.0
FOREVER = 1e9  # seconds; a service may ask for any number


class StoppedError(Exception):
    """The run ends; nobody waits for a turn any more."""


class RateLimiter:
    """Gives one turn at a time, `qps` of them a second at most, to many threads."""

    def __init__(self, qps: float, stop: threading.Event) -> None:
        amount = max(1, int(qps))
        self._window, self._spacing = (1 + HEADROOM) * amount / qps, SMOOTH / qps  # seconds
        self._sent: deque[float] = deque(maxlen=amount)  # when the last queries left, on the monotonic clock
        self._not_before = 0.0  # on the same clock
        self._stop, self._lock = stop, threading.Lock()

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Waits for a turn and holds it while the query is sent, which counts from the moment that its bytes
        have left, not from when they should have. Raises StoppedError when the run ends."""
        with self._lock:
            while (wait := self._next() - time.monotonic()) > 0:
                if self._stop.wait(wait):
                    raise StoppedError
            try:
                yield
            finally:
                self._sent.append(time.monotonic())

    def pause(self, seconds: float) -> None:
        """Lets nobody send for so long: a quota is everybody's."""
        self._not_before = max(self._not_before, time.monotonic() + seconds)

    def _next(self) -> float:
        spaced = self._sent[-1] + self._spacing if self._sent else 0.0
        in_quota = self._sent[0] + self._window if len(self._sent) == self._sent.maxlen else 0.0
        return max(self._not_before, spaced, in_quota)


def back_off(attempt: int) -> float:
    """Seconds to wait after the failed `attempt` (1, 2, …): exponential with full jitter, so that many
    clients do not come back at once, but never less than a tenth of the longest wait."""
    longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** (attempt - 1))
    return random.uniform(longest / 10, longest)


def retry_after(value: str | None) -> float | None:
    """Seconds that a Retry-After header asks for, as a number or as a date; None if it says nothing."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return min(float(value), FOREVER)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None


def in_flight(work: Callable[[T], R], items: Sequence[T], workers: int, stop: threading.Event) -> Iterator[list[R]]:
    """`work` of every item by so many threads; the results as they come, in batches of those that are ready.

    A result holds its place in flight until the caller, who keeps it, asks for more: whoever is killed loses no
    more than `workers` results. The first item is done alone: if it fails for good, nothing else has been spent.
    At the first exception `stop` is set and no further item is begun; it is raised when what is under way has
    ended, and been yielded.
    """
    waiting, results = queue.SimpleQueue[T | None](), queue.SimpleQueue[R | BaseException]()

    def serve() -> None:
        for item in iter(waiting.get, None):
            try:
                if stop.is_set():
                    raise StoppedError
                results.put(work(item))
            except BaseException as error:
                results.put(error)  # before the stop, which makes the others fail
                stop.set()

    # daemons: whoever interrupts the run does not wait for queries under way
    threads = [threading.Thread(target=serve, daemon=True) for _ in range(min(workers, len(items) - 1))]
    upcoming, under_way = iter(items[1:]), 0
    errors: list[BaseException] = []
    try:
        if items:
            yield [work(items[0])]
        for thread in threads:
            thread.start()
        while True:
            for item in islice(upcoming, 0 if errors else workers - under_way):
                waiting.put(item)
                under_way += 1
            if not under_way:
                break
            batch = [results.get(), *(results.get() for _ in range(results.qsize()))]
            under_way -= len(batch)
            errors += [result for result in batch if isinstance(result, BaseException)]
            yield [result for result in batch if not isinstance(result, BaseException)]
        if errors:
            raise errors[0]
    finally:
        stop.set()
        for _ in threads:
            waiting.put(None)
