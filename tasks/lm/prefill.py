"""Reading texts with a model so that others can go on from there: what they have in common is read once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from tasks.lm.models import Opened
from tasks.lm.padding import attention_mask, padded


@dataclass
class Read:
    """Rows that were read: `mask` (rows, length) is 1 where a column holds a token and 0 at padding, `logits`
    (rows, vocabulary) are those of the last token, `cache` holds keys and values."""

    mask: torch.Tensor
    logits: torch.Tensor
    cache: Any

    def spread(self, places: Sequence[int]) -> None:
        """Makes the rows those at `places`, each as often as it stands there."""
        at = torch.tensor(places, device=self.mask.device)
        self.mask, self.logits = self.mask[at], self.logits[at]
        self.cache.batch_select_indices(at)

    def go_on(self, opened: Opened, ids: torch.Tensor, mask: torch.Tensor, keep: int = 0) -> torch.Tensor:
        """Reads `ids` (rows, new; `mask` is 0 at padding); returns the logits of the last `keep`, or of all."""
        self.mask = torch.cat([self.mask, mask], dim=1)
        out = forward(opened, ids, self.mask, self.cache, keep)
        self.cache = out.past_key_values
        return torch.as_tensor(out.logits)


def read(opened: Opened, texts: Sequence[list[int]]) -> Read:
    """Reads texts of at least one token each, padded on the left after what they have in common."""
    common = _common(texts) if len(texts) > 1 else 0
    cache = None
    if common:
        alike = torch.tensor([texts[0][:common]], device=opened.device)
        cache = forward(opened, alike, torch.ones_like(alike), None, 1).past_key_values
        cache.batch_repeat_interleave(len(texts))
    rest = [text[common:] for text in texts]
    ids = padded(rest, opened.tokenizer.pad_token_id, side="left").to(opened.device)
    mask = torch.cat([torch.ones(len(texts), common, dtype=torch.long), attention_mask(rest, side="left")], dim=1)
    mask = mask.to(opened.device)
    out = forward(opened, ids, mask, cache, 1)
    return Read(mask, out.logits[:, -1], out.past_key_values)


def _common(texts: Sequence[list[int]]) -> int:
    """How many tokens the texts begin with alike, leaving each one of its own, whose logits are asked for."""
    columns = zip(*texts, strict=False)
    alike = next((i for i, column in enumerate(columns) if len(set(column)) > 1), min(map(len, texts)))
    return min(alike, min(map(len, texts)) - 1)


def forward(opened: Opened, ids: torch.Tensor, mask: torch.Tensor, cache: Any, keep: int) -> Any:
    """What the model makes of `ids` (rows, new) after what `cache` holds; `mask` is (rows, old and new).

    Asks for the logits of the last `keep` tokens only (0: of all), where the model can be asked.
    """
    more: dict[str, Any] = {}
    if "position_ids" in opened.accepts:  # others count by the mask
        more["position_ids"] = (mask.cumsum(dim=-1) - 1).clamp_min(0)[:, -ids.shape[1] :]
    if "logits_to_keep" in opened.accepts:
        more["logits_to_keep"] = keep
    return opened.model(input_ids=ids, attention_mask=mask, past_key_values=cache, use_cache=True, **more)
