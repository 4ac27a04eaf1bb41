"""Prefill: prefixes are read once, and their key-value cache serves everything that follows them.

The tokens that all prefixes of a batch begin with are read once for all of them.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from tasks.lm.cache import growing
from tasks.lm.models import OpenedModel
from tasks.lm.padding import attention_mask, padded


@dataclass
class Prefix:
    """A batch of prefixes that the model has read: `mask` (rows, length) is the attention mask, `logits`
    (rows, vocabulary) are those of the last token, `cache` holds keys and values."""

    mask: torch.Tensor
    logits: torch.Tensor
    cache: Any

    def select(self, rows: Sequence[int]) -> None:
        """Makes the batch those of its `rows`, each as often as it is named."""
        indices = torch.tensor(rows, device=self.mask.device)
        self.mask, self.logits = self.mask[indices], self.logits[indices]
        self.cache.batch_select_indices(indices)

    def extend(self, opened: OpenedModel, ids: torch.Tensor, mask: torch.Tensor, keep: int = 0) -> torch.Tensor:
        """Reads `ids` (rows, new; `mask` is 0 at padding); returns the logits of the last `keep`, or of all."""
        self.mask = torch.cat([self.mask, mask], dim=1)
        out = forward(opened, ids, self.mask, self.cache, keep)
        self.cache = out.past_key_values
        return torch.as_tensor(out.logits)


def prefill(opened: OpenedModel, prefixes: Sequence[list[int]]) -> Prefix:
    """Reads prefixes of at least one token each, padded on the left after what they share."""
    shared = _shared_length(prefixes) if len(prefixes) > 1 else 0
    cache = None
    if shared:
        ids = torch.tensor([prefixes[0][:shared]], device=opened.device)
        cache = forward(opened, ids, torch.ones_like(ids), None, 1).past_key_values
        cache.batch_repeat_interleave(len(prefixes))
    rest = [prefix[shared:] for prefix in prefixes]
    ids = padded(rest, opened.tokenizer.pad_token_id, side="left").to(opened.device)
    mask = torch.cat([torch.ones(len(rest), shared, dtype=torch.long), attention_mask(rest, side="left")], dim=1)
    mask = mask.to(opened.device)
    out = forward(opened, ids, mask, cache, 1)
    return Prefix(mask, out.logits[:, -1], growing(out.past_key_values))


def _shared_length(prefixes: Sequence[list[int]]) -> int:
    """How many tokens all prefixes begin with; at least one is left to each, since its logits are asked for."""
    columns = zip(*(prefix[:-1] for prefix in prefixes), strict=False)
    return sum(1 for _ in itertools.takewhile(lambda column: len(set(column)) == 1, columns))


def forward(opened: OpenedModel, ids: torch.Tensor, mask: torch.Tensor, cache: Any, keep: int) -> Any:
    """The model's output for `ids` (rows, new) after what `cache` holds; `mask` is (rows, old and new).

    Asks for the logits of the last `keep` tokens only (0: of all), where the model can be asked.
    """
    more: dict[str, Any] = {}
    if "position_ids" in opened.accepts:  # others count by the mask
        more["position_ids"] = (mask.cumsum(dim=-1) - 1).clamp_min(0)[:, -ids.shape[1] :]
    if "logits_to_keep" in opened.accepts:
        more["logits_to_keep"] = keep
    return opened.model(input_ids=ids, attention_mask=mask, past_key_values=cache, use_cache=True, **more)
