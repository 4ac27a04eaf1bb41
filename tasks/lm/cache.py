"""A key-value cache that grows in place, where transformers' own copies all it holds at every token."""

from dataclasses import dataclass
from typing import Any

import torch
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

SPARE = 16  # tokens of free room behind those held, each time that more is needed


@dataclass
class Room:
    """Memory for the keys or the values of one layer, (rows, heads, tokens, size): those held, and free room."""

    memory: torch.Tensor | None = None
    end: int = 0  # of what is filled
    held: torch.Tensor | None = None  # the part of the memory that the layer holds

    def append(self, held: torch.Tensor, new: torch.Tensor, keep: int | None = None) -> torch.Tensor:
        """`held` and `new` as one; afterwards the layer holds the last `keep` tokens of it, or all."""
        tokens, more = held.shape[-2], new.shape[-2]
        if self.memory is None or held is not self.held or self.end + more > self.memory.shape[-2]:
            self.memory = new.new_empty(*new.shape[:2], tokens + more + SPARE, new.shape[-1])
            self.memory[:, :, :tokens], self.end = held, tokens
        self.memory[:, :, self.end : self.end + more] = new
        self.end += more
        whole = self.memory[:, :, self.end - tokens - more : self.end]
        self.held = whole if keep is None else whole[:, :, max(0, tokens + more - keep) :]
        return whole


class GrowingLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """One layer's keys and values, which see all tokens."""

    keep: int | None = None  # tokens that are held after a step; None: all

    def rooms(self) -> tuple[Room, Room]:
        """Those of the keys and of the values."""
        rooms: tuple[Room, Room] = self.__dict__.setdefault("_rooms", (Room(), Room()))
        return rooms

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any) -> Any:
        """Adds the new tokens' (rows, heads, new, size); returns all that their attention may see."""
        keys, values = self.rooms()
        assert self.keys is not None  # the model has read the prefix
        assert self.values is not None
        whole = keys.append(self.keys, key_states, self.keep), values.append(self.values, value_states, self.keep)
        self.keys, self.values = keys.held, values.held
        return whole

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Keeps these rows, and frees the memory of the others."""
        super().batch_select_indices(indices)
        self.__dict__.pop("_rooms", None)


class GrowingSlidingWindowLayer(GrowingLayer, DynamicSlidingWindowLayer):  # type: ignore[no-untyped-call]
    """The same of a layer that sees a window of the last tokens."""

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any) -> Any:
        """Adds the new tokens'; the newest sees one token less of those before than its window is wide."""
        self.cumulative_length += key_states.shape[-2]
        self.keep = self.sliding_window - 1
        return super().update(key_states, value_states)


GROWING: dict[type, Any] = {DynamicLayer: GrowingLayer, DynamicSlidingWindowLayer: GrowingSlidingWindowLayer}


def growing(cache: Any) -> Any:
    """The cache that a model made while it read a prefix, whose layers grow in place from now on.

    Layers of other kinds (of models with recurrent states, say) stay as they are.
    """
    for layer in getattr(cache, "layers", ()):
        layer.__class__ = GROWING.get(type(layer), type(layer))
    return cache
