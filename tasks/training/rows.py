"""Samples as rows of tokens with a weight each, and rows as a batch."""

from collections.abc import Mapping, Sequence
from typing import Any

import datasets
import torch

from tasks.formats.samples import Sample
from tasks.lm.padding import attention_mask, padded
from tasks.lm.prompting import Encoder
from tasks.runtime.errors import InputError
from tasks.training.recipe import Recipe


def encode(samples: Sequence[Sample], tokenizer: Any, recipe: Recipe) -> datasets.Dataset:
    """Token ids and loss weights of every sample.

    Raises InputError for a sample of more than `max_tokens`: cutting it would teach an unfinished answer.
    """
    limit = recipe.common.max_tokens
    encoder = Encoder(tokenizer, recipe.prompting)
    rows = []
    for sample in samples:
        question, answer = encoder.pair(sample.question, sample.answer)
        answer = [*answer, encoder.end]
        if len(question) + len(answer) > limit:
            raise InputError(
                f"sample {sample.id}: {len(question) + len(answer)} tokens, but finetune.max_tokens is "
                f"{limit}; shorten the answer or raise the limit"
            )
        weights = [recipe.common.prompt_loss_weight] * len(question) + [1.0] * len(answer)
        rows.append({"input_ids": question + answer, "loss_weights": weights, "length": len(weights)})
    if not rows:
        raise InputError("no samples to train on")
    return datasets.Dataset.from_list(rows)


def collate(rows: Sequence[Mapping[str, Any] | None], pad: int) -> dict[str, torch.Tensor]:
    """Pads to the longest row of the batch; padding weighs nothing. All tensors are batch × length.

    Blank rows (None) are left out; of nothing else, they are one row of padding.
    """
    full = [row for row in rows if row] or [{"input_ids": [pad, pad], "loss_weights": [0.0, 0.0]}]
    ids = [row["input_ids"] for row in full]
    return {
        "input_ids": padded(ids, pad),
        "attention_mask": attention_mask(ids),
        "loss_weights": padded([row["loss_weights"] for row in full], 0.0, torch.float32),
    }
