"""How long stages usually take, in which order they are best started, and when the last will have ended."""

import heapq
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence

from flows.dag import Stage
from flows.meta import Meta
from flows.slots import Needs, Slots
from tasks.runtime import durations


def usual_seconds(stages: Sequence[Stage]) -> dict[str, float | None]:
    """How many seconds each stage should take: what it took last, else what its like took (median); None where none of
    them was ever timed."""
    took = {name: last.seconds for name, last in durations.recorded().items()}
    alike: dict[str, list[float]] = defaultdict(list)
    for name, seconds in took.items():
        alike[name.split("@")[0]].append(seconds)
    usual = {group: statistics.median(values) for group, values in alike.items()}
    return {stage.name: took.get(stage.name, usual.get(stage.group)) for stage in stages}


def most_urgent_first(stages: Sequence[Stage], seconds: Mapping[str, float | None]) -> list[Stage]:
    """The stages, upstreams before those that follow, by how long the longest chain from each to the end takes: with
    too few places for all, the last ends soonest if these are started first (list scheduling by critical path).

    A stage that was never timed counts as long as the others' median.
    """
    known = [value for value in seconds.values() if value is not None]
    typical = statistics.median(known) if known else 1.0
    followers: dict[str, list[str]] = defaultdict(list)
    for stage in stages:
        for up in stage.upstreams:
            followers[up].append(stage.name)
    chain: dict[str, float] = {}
    for stage in reversed(stages):  # those that follow come first here
        own = seconds.get(stage.name)
        rest = max((chain[name] for name in followers[stage.name]), default=0.0)
        chain[stage.name] = (typical if own is None else own) + rest
    return sorted(stages, key=lambda stage: -chain[stage.name])


def makespan(stages: Sequence[Stage], seconds: Mapping[str, float], slots: Slots, needs: Needs) -> float:
    """How many seconds the stages take with these slots, each started as soon as it can be; none where not known."""
    waiting, ended, now = most_urgent_first(stages, seconds), set[str](), 0.0
    names = {stage.name for stage in stages}
    at_work: list[tuple[float, str]] = []
    held = {}
    while waiting or at_work:
        for stage in list(waiting):
            places = needs.places(stage.name, Meta.of(stage).slot)
            if names.intersection(stage.upstreams) <= ended and (slot := slots.take(*places)):
                waiting.remove(stage)
                held[stage.name] = slot
                heapq.heappush(at_work, (now + seconds.get(stage.name, 0.0), stage.name))
        now, name = heapq.heappop(at_work)
        ended.add(name)
        slots.give_back(held.pop(name))
    return now
