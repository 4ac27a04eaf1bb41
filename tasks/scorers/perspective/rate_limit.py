"""How a service with a quota is asked: a rate limit, several queries in flight, pauses that grow."""

import contextlib
import email.utils
import queue
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from limits import RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

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


class _Limit(RateLimitItemPerSecond):
    """So many queries in so many seconds, also in a part of a second (`limits` counts whole ones)."""

    __slots__ = ("_seconds",)

    def __init__(self, name: str, amount: int, seconds: float) -> None:
        super().__init__(amount, namespace=name)
        self._seconds = seconds

    def get_expiry(self) -> float:  # type: ignore[override]
        return self._seconds


class RateLimiter:
    """Gives one turn at a time, `qps` of them a second at most, to many threads."""

    def __init__(self, qps: float, stop: threading.Event) -> None:
        amount = max(1, int(qps))
        self._limits = (_Limit("quota", amount, (1 + HEADROOM) * amount / qps), _Limit("spacing", 1, SMOOTH / qps))
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._stop = stop
        self._lock = threading.Lock()
        self._not_before = 0.0  # on the monotonic clock

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Waits for a turn and holds it while the query is sent, which counts from the moment that its bytes
        have left, not from when they should have. Raises StoppedError when the run ends."""
        with self._lock:
            while (wait := self._wait()) > 0:
                if self._stop.wait(wait):
                    raise StoppedError
            try:
                yield
            finally:
                for limit in self._limits:
                    self._limiter.hit(limit)

    def pause(self, seconds: float) -> None:
        """Lets nobody send for so long: a quota is everybody's."""
        self._not_before = max(self._not_before, time.monotonic() + seconds)

    def _wait(self) -> float:
        if (pause := self._not_before - time.monotonic()) > 0:
            return pause
        return max(map(self._left, self._limits))

    def _left(self, limit: _Limit) -> float:
        if self._limiter.test(limit):
            return 0.0
        reset = self._limiter.get_window_stats(limit).reset_time
        # the wall clock may be set back meanwhile: look again after one window at the latest
        return min(max(reset - time.time(), 0.0005), limit.get_expiry())


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
    waiting, results = queue.SimpleQueue[T](), queue.SimpleQueue[R | BaseException]()
    places = threading.Semaphore(workers)
    for item in items[1:]:
        waiting.put(item)
    # daemons: whoever interrupts the run does not wait for queries under way
    threads = [
        threading.Thread(target=_work, args=(work, waiting, results, places, stop), daemon=True)
        for _ in range(min(workers, len(items) - 1))
    ]
    try:
        if items:
            yield [work(items[0])]
        for thread in threads:
            thread.start()
        left = len(items) - 1
        while left > 0:
            batch = [results.get(), *_ready(results)]
            left -= len(batch)
            errors = [result for result in batch if isinstance(result, BaseException)]
            if errors:
                places.release(workers)  # nobody is left waiting for a place: `stop` is set
                for thread in threads:
                    thread.join()
                batch += _ready(results)
            yield [result for result in batch if not isinstance(result, BaseException)]
            if errors:
                raise errors[0]
            places.release(len(batch))
    finally:
        stop.set()
        places.release(workers)


def _ready(results: "queue.SimpleQueue[R]") -> Iterator[R]:
    while not results.empty():
        yield results.get()


def _work(
    work: Callable[[T], R],
    waiting: "queue.SimpleQueue[T]",
    results: "queue.SimpleQueue[R | BaseException]",
    places: threading.Semaphore,
    stop: threading.Event,
) -> None:
    while places.acquire() and not stop.is_set():
        try:
            results.put(work(waiting.get_nowait()))
        except queue.Empty:
            return
        except BaseException as error:
            stop.set()
            results.put(error)
