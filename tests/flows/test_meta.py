from typing import Any

import pytest

from flows.dag import Stage
from flows.meta import Meta
from tasks.runtime.errors import InputError

PAIRS = "expected environment variables, each with the name of a Secret block"
NAMES = "expected names that end in KEY, TOKEN, SECRET or PASSWORD, whose values are kept out of every log"


def test_reads_what_is_there_and_leaves_the_rest() -> None:
    meta = {"slot": "gpu", "tags": ["a"], "retries": 3, "retry_delay_seconds": 0.5, "table": "t.csv", "x": 1}
    assert Meta.of(Stage("a", "a", meta=meta)) == Meta("gpu", ("a",), 3, 0.5, ("t.csv",))
    assert Meta.of(Stage("a", "a")) == Meta("cpu")


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("slot", "tpu", "expected 'gpu' or 'cpu' or 'none', found 'tpu'"),
        ("retries", -1, "expected at least 0, found -1"),
        ("retries", 1.5, "expected a whole number, found 1.5"),
        ("retries", True, "expected a whole number, found True"),
        ("table", {}, "expected a list, found {}"),
        ("secrets", ["KEY"], f"{PAIRS}, found ['KEY']"),
        ("secrets", {"MY_ACCESS": "block"}, f"'MY_ACCESS'; {NAMES}"),
    ],
)
def test_a_wrong_value_names_stage_and_key(key: str, value: Any, problem: str) -> None:
    with pytest.raises(InputError) as caught:
        Meta.of(Stage("a@b", "a", meta={key: value}))
    assert str(caught.value) == f"dvc.yaml: stage a@b: meta.{key}: {problem}"


def test_every_mistake_is_told_at_once() -> None:
    with pytest.raises(InputError, match=r"meta.slot: expected .*\n.*meta.tags\[1\]: expected text, found 1"):
        Meta.of(Stage("a@b", "a", meta={"slot": 1, "tags": ["a", 1]}))
