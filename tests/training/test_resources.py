"""What a training may ask of the hardware, and what cannot be is one line."""

from typing import Any

import pytest

from tasks.runtime import config
from tasks.runtime.errors import InputError
from tasks.settings.resources import FinetuneResources, Resources, ranks_of


@pytest.mark.parametrize(
    ("asked", "batch", "micro"),
    [
        ({"micro_batch_size": 4}, 8, 4),
        ({"micro_batch_size": 4}, 2, 2),  # no more than there is
        ({"micro_batch_size": 4, "processes": 2}, 4, 2),
        ({"micro_batch_size": 1, "processes": 2, "nodes": 2}, 8, 1),
    ],
)
def test_the_processes_share_a_step(asked: dict[str, Any], batch: int, micro: int) -> None:
    assert FinetuneResources(**asked).micro_batch(batch) == micro


@pytest.mark.parametrize(
    ("asked", "batch", "line"),
    [
        ({"micro_batch_size": 3}, 4, "micro_batch_size 3 does not divide the global_batch_size 4"),
        ({"micro_batch_size": 1, "processes": 3}, 4, "3 processes do not divide the global_batch_size 4"),
        ({"micro_batch_size": 1, "processes": 8}, 4, "8 processes do not divide the global_batch_size 4"),
        ({"micro_batch_size": 3, "processes": 2}, 8, "3 of 2 processes does not divide the global_batch_size 8"),
    ],
)
def test_what_does_not_fit_the_batch_is_one_line(asked: dict[str, Any], batch: int, line: str) -> None:
    with pytest.raises(InputError, match=line) as error:
        FinetuneResources(**asked).micro_batch(batch)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("asked", "line"),
    [
        ({"offload": "optimizer"}, "default.offload: 'optimizer' needs zero of 1 or more, found 0"),
        ({"offload": "all", "zero": 2}, "default.offload: 'all' needs zero of 3 or more, found 2"),
        ({"zero": 4}, "default.zero: expected 0 or 1 or 2 or 3, found 4"),
        ({"processes": 0}, "default.processes: expected at least 1, found 0"),
        ({"gpus": 2}, "default: unknown key 'gpus'; known are micro_batch_size, processes, nodes, zero, offload"),
    ],
)
def test_a_wrong_entry_is_one_line(asked: dict[str, Any], line: str) -> None:
    params = {"resources": {"finetune": {"default": {"micro_batch_size": 1, **asked}}}}
    with pytest.raises(InputError) as error:
        config.section(params, "resources", Resources)
    assert str(error.value).startswith(f"params.yaml: resources.finetune.{line}")
    assert "\n" not in str(error.value)


def test_a_stage_has_ranks_where_its_model_asks_for_them() -> None:
    entries = {"default": {"micro_batch_size": 1}, "big": {"micro_batch_size": 1, "zero": 2}}
    params = {"resources": {"finetune": entries}}
    for command in (["finetune", "--model", "big"], ["finetune", "--arm", "x", "--model=big"]):
        assert ranks_of(command, params) == FinetuneResources(1, zero=2)
    for command in ([], ["generate", "--model", "big"], ["finetune", "--model", "small"], ["finetune", "--model"]):
        assert ranks_of(command, params) is None
