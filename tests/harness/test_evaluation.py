"""A batch that fits in memory is found, and what cannot be run ends in one line."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tasks.harness import evaluation
from tasks.harness.evaluation import Harness, first_batch_size, load_tasks, run
from tasks.harness.items import item_table
from tasks.lm.models import OpenedModel
from tasks.runtime.errors import InputError, WorkError
from tests.support.memory_task import write_task


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("tasks")
    write_task(folder)
    return load_tasks(["memory"], folder, ["memory"])


def limit_batch(monkeypatch: pytest.MonkeyPatch, most: int, error: Exception) -> list[int]:
    """Lets a forward pass of more than `most` texts fail; returns the batches that were tried."""
    tried: list[int] = []
    plain = Harness._model_call

    def call(self: Harness, inps: torch.Tensor, **extra: Any) -> torch.Tensor:
        tried.append(len(inps))
        if len(inps) > most:
            raise error
        logits: torch.Tensor = plain(self, inps, **extra)
        return logits

    monkeypatch.setattr(Harness, "_model_call", call)
    return tried


OUT_OF_MEMORY = (
    torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB."),
    RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you tried"),
    MemoryError(),
)


@pytest.mark.parametrize("error", OUT_OF_MEMORY)
def test_too_large_a_batch_ends_in_a_smaller_one(
    opened: OpenedModel, tasks: dict[str, Any], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    plain = item_table(run(opened, tasks, None, 16).results["samples"])
    tried = limit_batch(monkeypatch, 16, error)
    halved = run(opened, tasks, None, 64)
    assert (halved.batch_size, tried[:3]) == (16, [64, 32, 16])
    assert item_table(halved.results["samples"]).equals(plain)


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (OUT_OF_MEMORY[0], WorkError, "out of memory even with one text at a time"),
        (RuntimeError("shapes do not match"), RuntimeError, "shapes do not match"),
    ],
)
def test_no_memory_even_for_one_text_and_errors_that_are_not_of_memory(
    opened: OpenedModel,
    tasks: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    kind: type[Exception],
    message: str,
) -> None:
    tried = limit_batch(monkeypatch, 0, error)
    with pytest.raises(kind, match=message):
        run(opened, tasks, None, 4)
    assert tried == ([4, 2, 1] if kind is WorkError else [4])


def test_the_first_batch_fits_the_machine(opened: OpenedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    bytes_per_text = evaluation.EXPECTED_TOKENS * opened.model.config.vocab_size * evaluation.BYTES_PER_SCORE
    for fits, expected in ((1000, 32), (20, 16), (1, 1), (0, 1)):
        memory = type("Memory", (), {"total": bytes_per_text * fits / evaluation.SHARE_OF_MEMORY})
        monkeypatch.setattr(evaluation.psutil, "virtual_memory", lambda memory=memory: memory)
        assert first_batch_size(dataclasses.replace(opened, device=torch.device("cpu")), 32) == expected


def test_an_unknown_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def manager(include_path: str, include_defaults: bool, plain: Callable[..., Any] = evaluation.TaskManager) -> Any:
        del include_defaults  # to search the harness's own catalogue takes ten seconds
        return plain(include_path=include_path, include_defaults=False)

    monkeypatch.setattr(evaluation, "TaskManager", manager)
    write_task(tmp_path)
    with pytest.raises(InputError, match="no task 'memry'; near it: memory"):
        load_tasks(["memry"], tmp_path, ["memory"])


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ConnectionError("Couldn't reach 'x/y'\non the Hub"), "needs a network once"),
        (OSError("a disk\nfell out"), "OSError: a disk fell out"),
    ],
)
def test_data_that_cannot_be_had(error: Exception, message: str) -> None:
    class Manager:
        def load(self, _names: list[str]) -> None:
            raise error

    with pytest.raises(InputError, match=message) as caught:
        evaluation._load(Manager(), "piqa")
    assert "\n" not in str(caught.value)
