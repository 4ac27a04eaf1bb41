"""Turns, pauses and queries in flight."""

import email.utils
import math
import threading
import time
from itertools import pairwise

import pytest

from tasks.runtime.remote.rate_limit import (
    HEADROOM,
    LONGEST_PAUSE,
    RateLimiter,
    StoppedError,
    back_off,
    in_flight,
    retry_after,
)


@pytest.mark.parametrize("qps", [40.0, 7.5])
def test_no_second_holds_more_turns_than_allowed(qps: float) -> None:
    limiter, times = RateLimiter(qps, threading.Event()), []
    for _ in range(round(1.6 * qps)):
        with limiter.turn():
            times.append(time.monotonic())
    assert max(sum(start <= t < start + 1 for t in times) for start in times) <= int(qps) + (qps % 1 > 0)
    assert min(b - a for a, b in pairwise(times)) >= 0.75 / qps  # no bursts


def test_less_than_one_turn_a_second() -> None:
    limiter, times = RateLimiter(0.8, threading.Event()), []
    for _ in range(2):
        with limiter.turn():
            times.append(time.monotonic())
    assert times[1] - times[0] == pytest.approx((1 + HEADROOM) / 0.8, abs=0.1)


def test_a_pause_holds_for_all_threads() -> None:
    limiter, times = RateLimiter(1000.0, threading.Event()), []
    limiter.pause(0.3)
    started = time.monotonic()

    def take(_: int) -> None:
        with limiter.turn():
            times.append(time.monotonic() - started)

    list(in_flight(take, range(4), 4, threading.Event()))
    assert min(times) >= 0.3


def test_whoever_waits_goes_home_when_the_run_ends() -> None:
    stop = threading.Event()
    limiter = RateLimiter(0.01, stop)
    with limiter.turn():
        pass
    threading.Timer(0.1, stop.set).start()
    started = time.monotonic()
    with pytest.raises(StoppedError), limiter.turn():
        pass
    assert time.monotonic() - started < 2


def test_pauses_grow_with_jitter_and_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.runtime.remote.rate_limit.FIRST_PAUSE", 1.0)
    for attempt, longest in ((1, 1.0), (2, 2.0), (3, 4.0), (20, LONGEST_PAUSE), (999, LONGEST_PAUSE)):
        waits = [back_off(attempt) for _ in range(200)]
        assert longest / 10 <= min(waits) < 0.4 * longest
        assert 0.6 * longest < max(waits) <= longest


def test_retry_after_as_a_number_or_a_date() -> None:
    assert retry_after("7") == 7.0
    assert math.isfinite(retry_after("9" * 400) or math.inf)
    assert retry_after(email.utils.formatdate(time.time() + 60, usegmt=True)) == pytest.approx(60, abs=2)
    assert retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0
    assert retry_after(None) is None
    assert retry_after("soon") is None
    assert retry_after("-3") is None


def test_the_first_item_goes_alone_and_an_error_there_ends_it() -> None:
    begun: list[int] = []

    def work(item: int) -> int:
        begun.append(item)
        raise ValueError(item)

    with pytest.raises(ValueError, match="0"):
        list(in_flight(work, range(100), 8, threading.Event()))
    assert begun == [0]


def test_results_come_as_they_are_ready_and_all_of_them() -> None:
    gate = threading.Event()

    def work(item: int) -> int:
        if item == 1:
            assert gate.wait(10)
        return item

    results: list[int] = []
    for batch in in_flight(work, range(50), 4, threading.Event()):
        results += batch
        if len(results) == 49:
            gate.set()
    assert sorted(results) == list(range(50))
    assert results[-1] == 1
    assert list(in_flight(work, [], 4, threading.Event())) == []


def test_no_more_is_begun_than_in_flight_before_the_last_is_kept() -> None:
    begun: list[int] = []

    def work(item: int) -> int:
        begun.append(item)
        return item

    stored = 0
    for batch in in_flight(work, range(40), 4, threading.Event()):
        time.sleep(0.05)  # what storing takes, while the threads could go on
        assert len(begun) - stored <= 4
        stored += len(batch)
    assert stored == 40


def test_leaving_early_stops_the_rest() -> None:
    stop, begun = threading.Event(), []

    def work(item: int) -> int:
        begun.append(item)
        time.sleep(0.01)
        return item

    results = in_flight(work, range(1000), 4, stop)
    next(results)
    results.close()
    time.sleep(0.1)
    assert stop.is_set()
    assert len(begun) < 20
