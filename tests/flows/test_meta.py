from typing import Any

import pytest

from flows.dag import Stage
from flows.meta import Meta
from tasks.runtime.errors import InputError


def test_reads_what_is_there_and_leaves_the_rest() -> None:
    meta = {"slot": "gpu", "tags": ["a"], "retries": 3, "retry_delay_seconds": 0.5, "table": "t.csv", "x": 1}
    assert Meta.of(Stage("a", "a", meta=meta)) == Meta("gpu", ("a",), 3, 0.5, ("t.csv",))
    assert Meta.of(Stage("a", "a")) == Meta("cpu")


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("slot", "tpu", "expected 'gpu' or 'cpu' or 'none', found 'tpu'"),
        ("retries", -1, "expected at least 0, found -1"),
        ("retries", 1.5, "expected a whole number, found 1.5"),
        ("retries", True, "expected a whole number, found True"),
        ("table", {}, "expected a list, found {}"),
    ],
)
def test_a_wrong_value_names_stage_and_key(key: str, value: Any, told: str) -> None:
    with pytest.raises(InputError) as caught:
        Meta.of(Stage("a@b", "a", meta={key: value}))
    assert str(caught.value) == f"dvc.yaml: stage a@b: meta.{key}: {told}"


def test_every_mistake_is_told_at_once() -> None:
    with pytest.raises(InputError, match=r"meta.slot: expected .*\n.*meta.tags\[1\]: expected text, found 1"):
        Meta.of(Stage("a@b", "a", meta={"slot": 1, "tags": ["a", 1]}))
