"""A training of two ranks that ends badly: one line, the right exit code, no outputs, and no process left."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from tests.support.small_finetune import ask, make_tree, prepared, start

PLAIN: dict[str, Any] = {"micro_batch_size": 1, "processes": 2}
ZERO: dict[str, Any] = {"micro_batch_size": 1, "processes": 2, "zero": 3}
ALLOWED = ("fine-tuning on", "finetune [")  # lines that a run without a fault has, too


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory, ladder: Path) -> Path:
    folder = tmp_path_factory.mktemp("finetune")
    make_tree(folder, ladder)
    return folder


def at_second_step(rank: int, fault: Any) -> None:
    """Has rank 1 meet `fault(loss)` when it computes the loss of the second step."""
    from tasks.training import trainer

    prepared(rank)
    loss, calls = trainer.weighted_loss_sum, []

    def faulty(*tensors: torch.Tensor) -> torch.Tensor:
        calls.append(1)
        if rank == 1 and len(calls) == 3:  # two micro-batches a step
            Path("fault").touch()
            return fault(loss(*tensors))
        return loss(*tensors)

    trainer.weighted_loss_sum = faulty


def killed(rank: int) -> None:
    at_second_step(rank, lambda _: os.kill(os.getpid(), signal.SIGKILL))


def not_a_number(rank: int) -> None:
    at_second_step(rank, lambda loss: loss * torch.nan)


def out_of_memory(rank: int) -> None:
    def raising(_: torch.Tensor) -> torch.Tensor:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    at_second_step(rank, raising)


def unexpected(rank: int) -> None:
    at_second_step(rank, lambda _: 1 / 0)


def waiting(rank: int) -> None:
    at_second_step(rank, lambda _: time.sleep(60))


NAN = "error: the loss is nan at step 2: training diverged and no model is kept"


@pytest.mark.parametrize(
    ("fault", "resources", "code", "line"),
    [
        (killed, PLAIN, 1, "error: rank 1 was ended by SIGKILL; was there memory enough?"),
        (not_a_number, PLAIN, 2, NAN),
        (not_a_number, ZERO, 2, NAN),
        (out_of_memory, PLAIN, 1, "error: out of GPU memory: CUDA out of memory. Tried to allocate 2.00 GiB; lower"),
        (out_of_memory, ZERO, 1, "error: out of GPU memory: CUDA out of memory. Tried to allocate 2.00 GiB; lower"),
        (unexpected, PLAIN, 1, "error: ZeroDivisionError: division by zero (rank 1)"),
    ],
)
def test_a_rank_that_fails_ends_all(tree: Path, fault: Any, resources: dict[str, Any], code: int, line: str) -> None:
    ask(tree, resources)
    stage = start(tree, fault)
    ended = end_of(tree, stage)
    assert stage.exitcode == code, ended
    told = [text for text in ended.splitlines() if text.startswith("error: ")]
    assert len(told) == 1, ended
    assert told[0].startswith(line)
    if fault is unexpected:
        assert ended.count("Traceback") == 1
    elif resources is PLAIN:
        assert [text for text in ended.splitlines() if not text.startswith((*ALLOWED, "[rank0]"))] == told


def test_sigterm_ends_all_without_a_word(tree: Path) -> None:
    ask(tree, PLAIN)
    stage = start(tree, waiting)
    deadline = time.monotonic() + 120
    while not (tree / "fault").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    (tree / "fault").touch()
    assert stage.pid
    os.kill(stage.pid, signal.SIGTERM)
    ended = end_of(tree, stage)
    assert stage.exitcode == 143
    assert not [text for text in ended.splitlines() if not text.startswith((*ALLOWED, "[rank0]"))]


def end_of(tree: Path, stage: Any) -> str:
    """What the stage printed; within ten seconds of the fault nothing of it is left, and no output."""
    stage.join(120)
    assert stage.exitcode is not None
    assert time.time() - (tree / "fault").stat().st_mtime < 10
    (tree / "fault").unlink()
    pids = [int(path.name) for path in (tree / "pids").iterdir()]
    assert len(pids) == 2
    assert not [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie"]
    made = tree / "made"
    assert not made.exists() or not list(made.iterdir())
    return (tree / "output").read_text()
