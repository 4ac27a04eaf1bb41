"""The cache that grows in place holds what transformers' own holds, in as much memory and a little room."""

from typing import Any

import pytest
import torch
from transformers.cache_utils import DynamicCache, DynamicLayer, DynamicSlidingWindowLayer

from tasks.lm import cache as caches
from tasks.lm.cache import growing
from tasks.lm.models import OpenedModel
from tasks.lm.prefill import prefill
from tests.fixtures import families
from tests.support.precision import opened_in_fp32

WINDOW = 5


def filled(sliding: bool, tokens: int) -> tuple[DynamicCache, torch.Generator]:
    """A cache of one layer with so many tokens of three rows, the same each time."""
    cache, generator = DynamicCache(), torch.Generator().manual_seed(0)
    cache.layers.append(DynamicSlidingWindowLayer(WINDOW) if sliding else DynamicLayer())
    cache.update(*states(generator, tokens), 0)
    return cache, generator


def states(generator: torch.Generator, tokens: int, rows: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(rows, 2, tokens, 4, generator=generator), torch.randn(rows, 2, tokens, 6, generator=generator)


@pytest.mark.parametrize("spare", [1, 3, 16])
@pytest.mark.parametrize("sliding", [False, True])
def test_it_holds_and_returns_what_transformers_own_does(
    sliding: bool, spare: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over steps of one and several tokens, past the window, with rows that leave in between."""
    monkeypatch.setattr(caches, "SPARE", spare)
    (plain, one), (ours, other) = filled(sliding, 4), filled(sliding, 4)
    growing(ours)
    rows = 3
    for tokens in (1, 1, 1, 2, 1, 4, 1, 1, 1, 1, 1):
        if tokens == 4:
            plain.batch_select_indices(torch.tensor([2, 0]))
            ours.batch_select_indices(torch.tensor([2, 0]))
            rows = 2
        assert ours.get_mask_sizes(tokens, 0) == plain.get_mask_sizes(tokens, 0)
        expected = plain.update(*states(one, tokens, rows), 0)
        returned = ours.update(*states(other, tokens, rows), 0)
        assert all(torch.equal(a, b) for a, b in zip(returned, expected, strict=True))
        assert ours.get_seq_length() == plain.get_seq_length()
        assert torch.equal(ours.layers[0].keys, plain.layers[0].keys)


def test_tokens_are_written_behind_those_held_and_memory_is_what_they_need_and_the_room() -> None:
    cache, generator = filled(False, 10)
    layer: Any = growing(cache).layers[0]
    places = set()
    for step in range(2 * caches.SPARE):
        keys, _ = cache.update(*states(generator, 1), 0)
        places.add(keys.data_ptr())
        needed = 3 * 2 * (11 + step) * 4 * 4
        assert needed <= keys.untyped_storage().nbytes() <= needed + 3 * 2 * caches.SPARE * 4 * 4
    assert len(places) == 2  # copied once in so many steps
    layer.batch_select_indices(torch.tensor([1]))
    assert layer.keys.untyped_storage().nbytes() == layer.keys.nbytes  # nothing is kept of the rows that left


@pytest.fixture(scope="module", params=families.FAMILIES)
def opened(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> OpenedModel:
    folder = tmp_path_factory.mktemp("family") / request.param
    families.make_model(folder, request.param)
    return opened_in_fp32(folder)


@pytest.mark.usefixtures("precision")
def test_the_next_tokens_logits_are_the_same_bit_for_bit(opened: OpenedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each family, past the sliding windows, for prompts of different lengths."""
    prefixes = [[5, 6, 7], [5, 6, 8, 9, 10, 11, 12, 13, 14], [5, 6, 8] * 6]

    def logits(spare: int | None) -> torch.Tensor:
        with monkeypatch.context() as patch, torch.inference_mode(), opened.autocast():
            if spare is None:
                patch.setattr("tasks.lm.prefill.growing", lambda cache: cache)
            else:
                patch.setattr(caches, "SPARE", spare)
            prefix = prefill(opened, prefixes)
            assert (type(prefix.cache.layers[0]) in caches.GROWING.values()) == (spare is not None)
            steps = []
            for step in range(24):
                if step == 12:
                    prefix.select([2, 0])
                ids = torch.full((len(prefix.logits), 1), 20 + step)
                steps.append(prefix.extend(opened, ids, torch.ones_like(ids), keep=1).flatten())
            return torch.cat(steps)

    expected = logits(None)
    assert torch.equal(logits(16), expected)
    assert torch.equal(logits(5), expected)
