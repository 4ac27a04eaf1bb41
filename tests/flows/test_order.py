"""In which order stages start, and how long they take together."""

import pytest

from flows.dag import Stage
from flows.schedule import makespan, most_urgent_first
from flows.slots import Needs, Slots

FETCH, A = Stage("fetch@m", "fetch"), Stage("train@m-a", "train", ("fetch@m",))
B = Stage("train@m-b", "train", ("fetch@m",))
STAGES = (FETCH, A, B, Stage("last", "last", ("train@m-a", "train@m-b")))


@pytest.mark.parametrize(("cpu", "expected"), [(2, 3.0 + 10.0 + 5.0), (1, 3.0 + 10.0 + 8.0 + 5.0)])
def test_the_rest_takes_as_long_as_its_slots_allow(cpu: int, expected: float) -> None:
    seconds = {"fetch@m": 3.0, "train@m-a": 10.0, "train@m-b": 8.0, "last": 5.0}
    assert makespan(STAGES, seconds, Slots({"gpu": 1, "cpu": cpu}, (), 2), Needs({})) == expected


def test_stages_that_are_launched_take_as_long_as_their_jobs() -> None:
    seconds = {"fetch@m": 3.0, "train@m-a": 10.0, "train@m-b": 8.0, "last": 5.0}
    slots = Slots({"gpu": 1, "cpu": 1, "job": 2}, (), 2)
    needs = Needs({}, frozenset({"train@m-a", "train@m-b"}), 2)
    assert makespan(STAGES, seconds, slots, needs) == 3.0 + 10.0 + 5.0


def test_the_longest_chain_is_started_first() -> None:
    short = [Stage(f"short@{number}", "short") for number in range(4)]
    chain = [Stage("first", "first"), Stage("second", "second", ("first",))]
    seconds = {stage.name: 2.0 for stage in short} | {"first": 4.0, "second": 4.0}
    stages = [*short, *chain]
    assert [stage.name for stage in most_urgent_first(stages, seconds)][:2] == ["first", "second"]
    one_slot_each = Slots({"gpu": 1, "cpu": 2}, (), 2)
    assert makespan(stages, seconds, one_slot_each, Needs({})) == 8.0  # in the order of the file it were 12


def test_what_follows_never_stands_before_and_the_untimed_count_as_usual() -> None:
    names = [stage.name for stage in most_urgent_first(STAGES, dict.fromkeys(["fetch@m", "train@m-a", "last"]))]
    assert names == [stage.name for stage in STAGES]
    assert most_urgent_first(STAGES, {"train@m-b": 9.0, "train@m-a": 1.0})[1] is B
