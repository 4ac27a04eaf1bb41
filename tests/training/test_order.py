"""The order of the rows hangs on the seed and the batch alone."""

import itertools

import datasets
import pytest
import torch
from accelerate.data_loader import BatchSamplerShard
from torch.utils.data import BatchSampler

from tasks.training.order import Filled, Order
from tasks.training.rows import collate

BATCH = 8
LENGTHS = [(7 * i) % 40 + 2 for i in range(77)]
ROWS = Filled(datasets.Dataset.from_list([{"length": length} for length in LENGTHS]), BATCH)


def steps(order: Order, micro: int, world: int) -> list[list[int]]:
    """The rows of every step of an epoch, as accelerate hands them to `world` processes."""
    places = list(order)
    batches = BatchSampler(places, micro, drop_last=False)
    shards = [list(BatchSamplerShard(batches, num_processes=world, process_index=rank)) for rank in range(world)]
    in_turn = list(itertools.chain(*itertools.chain(*zip(*shards, strict=True))))
    return [sorted(in_turn[at : at + BATCH]) for at in range(0, len(in_turn), BATCH)]


@pytest.mark.parametrize(("micro", "world"), [(8, 1), (2, 1), (1, 1), (4, 2), (1, 2), (2, 4), (1, 8)])
def test_every_row_is_read_once_in_the_same_step(micro: int, world: int) -> None:
    order, alone = Order(ROWS, seed=3), Order(ROWS, seed=3)
    for _ in range(3):
        torch.rand(world)  # as dropout does, on each process another number of times
        epoch = steps(order, micro, world)
        assert sorted(itertools.chain(*epoch)) == list(range(80))
        assert epoch == steps(alone, BATCH, 1)


def test_an_epoch_has_an_order_of_its_own_and_rows_of_like_length_together() -> None:
    order = Order(ROWS, seed=3)
    first, second = list(order), list(order)
    assert first != second
    assert first == list(Order(ROWS, seed=3))
    assert first != list(Order(ROWS, seed=4))
    assert first[77:] == [77, 78, 79]
    spread = [max(s) - min(s) for s in ([LENGTHS[i] for i in first[at : at + 8]] for at in range(8, 72, 8))]
    assert sum(spread) / len(spread) < 0.6 * (max(LENGTHS) - min(LENGTHS))


def test_a_blank_row_weighs_nothing() -> None:
    assert [ROWS[76], ROWS[77], ROWS[79]] == [{"length": LENGTHS[76]}, None, None]
    row = {"input_ids": [5, 6, 7], "loss_weights": [0.5, 1.0, 1.0]}
    assert collate([row, None], pad=9)["input_ids"].tolist() == [[5, 6, 7]]
    blank = collate([None, None], pad=9)
    assert blank["input_ids"].tolist() == [[9, 9]]
    assert blank["loss_weights"].sum() == 0
