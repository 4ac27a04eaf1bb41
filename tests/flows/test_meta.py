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
    ("key", "value"),
    [("slot", "tpu"), ("retries", -1), ("retries", 1.5), ("retries", True), ("tags", [1]), ("table", {})],
)
def test_a_wrong_value_names_stage_and_key(key: str, value: Any) -> None:
    with pytest.raises(InputError, match=rf"stage a@b: meta.{key} is"):
        Meta.of(Stage("a@b", "a", meta={key: value}))
