"""However many processes share a step, and however DeepSpeed cuts the model up: the same weights, log and order."""

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.support.small_finetune import BATCH, EPOCHS, SAMPLES, STEPS, Trained, make_tree, train

ONE: dict[str, Any] = {"micro_batch_size": BATCH}
WAYS: dict[str, dict[str, Any]] = {
    "accumulation": {"micro_batch_size": 1},
    "two processes": {"micro_batch_size": 1, "processes": 2},
    "zero 2": {"micro_batch_size": 1, "processes": 2, "zero": 2},
    "zero 3": {"micro_batch_size": 2, "processes": 2, "zero": 3},
    "zero 3, all offloaded, one process": {"micro_batch_size": 2, "zero": 3, "offload": "all"},
}
STILL = 1e-30  # a learning rate that moves no weight


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory, ladder: Path) -> Path:
    folder = tmp_path_factory.mktemp("finetune")
    make_tree(folder, ladder)
    return folder


@pytest.fixture(scope="module")
def alone(tree: Path) -> Trained:
    return train(tree, ONE)


def test_one_process_reads_every_sample_once_an_epoch(alone: Trained) -> None:
    assert [len(rows) for rows in alone.steps] == [4, 4, 4, 1] * EPOCHS
    epochs = [{row for step in alone.steps[at : at + 4] for row in step} for at in (0, 4)]
    assert [len(rows) for rows in epochs] == [SAMPLES] * EPOCHS
    assert alone.steps[:4] != alone.steps[4:]
    assert len(alone.log["loss"]) == STEPS


@pytest.mark.parametrize("way", WAYS)
def test_the_weights_and_the_log_do_not_depend_on_the_hardware(tree: Path, alone: Trained, way: str) -> None:
    other = train(tree, WAYS[way])
    assert other.steps == alone.steps
    assert other.log["loss"] == pytest.approx(alone.log["loss"], abs=1e-5)
    assert other.log["grad_norm"] == pytest.approx(alone.log["grad_norm"], rel=1e-5)
    assert other.log["learning_rate"] == alone.log["learning_rate"]
    assert other.log["epoch"] == alone.log["epoch"]
    assert other.weights.keys() == alone.weights.keys()
    assert "lm_head.weight" not in other.weights  # it is the embeddings'
    for name, tensor in other.weights.items():
        assert tensor.dtype == torch.float32
        assert (tensor - alone.weights[name]).abs().max() < 1e-6, name
    assert other.files == alone.files
    assert not [name for name in other.files if name.endswith((".bin", ".pt", ".pth", ".pkl"))]
    assert other.output.count("fine-tuning on") == other.output.count(f"{STEPS}/{STEPS} steps") == 1


def test_gradients_are_equal_where_nothing_moves(tree: Path, alone: Trained) -> None:
    norms = [train(tree, way, STILL).log["grad_norm"] for way in (ONE, WAYS["two processes"], WAYS["zero 3"])]
    assert norms[0] != pytest.approx(alone.log["grad_norm"], rel=1e-3)
    assert norms[1] == pytest.approx(norms[0], rel=1e-5)
    assert norms[2] == pytest.approx(norms[0], rel=1e-5)
