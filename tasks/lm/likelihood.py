"""How likely a model finds given answers: mean log-likelihoods per token, each context read once."""

import itertools
from collections.abc import Iterator, Sequence

import torch

from tasks.lm.models import OpenedModel
from tasks.lm.padding import attention_mask, padded
from tasks.lm.prefill import prefill
from tasks.runtime.progress import Progress

IGNORED = -100  # marks padding among targets; torch counts no loss there
Row = tuple[list[int], list[int]]  # the ids of a context and of an answer to it


def mean_log_likelihoods(
    opened: OpenedModel, rows: Sequence[Row], batch_size: int, progress: Progress | None = None
) -> list[float]:
    """Mean log-likelihood per answer token, in nats, of each (context ids, answer ids).

    A batch has at most `batch_size` answers. Those of one context should stand together: they share a batch if they
    fit, and the context is read once. Neighbours should be about equally long, so that padding is short.
    """
    means: list[float] = []
    for batch in batches(rows, batch_size):
        with torch.inference_mode(), opened.autocast():
            means += _batch(opened, [context for context, _ in batch], [answer for _, answer in batch])
        if progress:
            progress.step(len(batch))
    return means


def batches(rows: Sequence[Row], size: int) -> Iterator[list[Row]]:
    """The rows in their order, at most `size` together; those of one context are parted only if they are more."""
    batch: list[Row] = []
    for _, same in itertools.groupby(rows, key=lambda row: row[0]):
        group = list(same)
        if batch and len(batch) + len(group) > size:
            yield batch
            batch = []
        batch += group
        while len(batch) > size:
            yield batch[:size]
            batch = batch[size:]
    if batch:
        yield batch


def _batch(opened: OpenedModel, contexts: Sequence[list[int]], answers: Sequence[list[int]]) -> list[float]:
    distinct = list(dict.fromkeys(map(tuple, contexts)))
    prefix = prefill(opened, [list(context) for context in distinct])
    prefix.select([distinct.index(tuple(context)) for context in contexts])
    targets = padded(answers, IGNORED).to(opened.device)
    losses = torch.nn.functional.cross_entropy(prefix.logits.float(), targets[:, 0], reduction="none").double()
    if targets.shape[1] > 1:  # an answer's last token predicts nothing that is asked for
        read_on = [answer[:-1] for answer in answers]
        ids = padded(read_on, opened.tokenizer.pad_token_id).to(opened.device)
        logits = prefix.extend(opened, ids, attention_mask(read_on).to(opened.device)).flatten(0, 1).float()
        rest = torch.nn.functional.cross_entropy(logits, targets[:, 1:].flatten(), reduction="none")
        losses = losses + rest.view(len(answers), -1).double().sum(dim=1)
    return [-loss / len(answer) for loss, answer in zip(losses.tolist(), answers, strict=True)]
