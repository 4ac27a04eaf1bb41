"""Sampling with transformers, where each completion has a random stream of its own.

A token is drawn as the arg-max of filtered log-probabilities plus Gumbel noise (Gumbel 1954; Maddison et al.
2014), which is a draw from the softmax. The noise comes from (seed, stream, position) alone, so a completion
does not depend on what shares its batch, and arms given the same prompt share their noise.

A batch reads what its prompts begin with once, then the rest of each prompt once, however many completions share it;
completions that ended leave it.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from tasks.lm.models import OpenedModel, open_model, require_positions
from tasks.lm.prefill import Prefix, prefill
from tasks.lm.sampling import EncodedPrompt, Sampling, stream_seed
from tasks.runtime.progress import Progress

HEAD = 256  # likeliest tokens that are looked at first; more where these do not hold the nucleus
# Rows leave a batch when so large a share of them has ended: the rest of the cache is copied then, which takes about
# a tenth of a step.
LEAVING = 1 / 16
Stop = Callable[[list[int]], bool]  # tells from the tokens drawn so far that a completion has ended


def open_folder(folder: Path, tensor_parallel: int) -> OpenedModel:
    """The model of a folder, ready for use on one device: this engine spreads none over several."""
    del tensor_parallel
    return open_model(folder)


class StreamSampler:
    """Draws the next token of several rows at a temperature and top_p, each from its own stream."""

    def __init__(self, sampling: Sampling, streams: Sequence[str], device: torch.device) -> None:
        self.temperature, self.top_p = sampling.temperature, sampling.top_p
        # noise is drawn on the CPU, so that the same seed gives the same noise on every device
        self.streams = [torch.Generator().manual_seed(stream_seed(sampling.seed, name)) for name in streams]
        self.device = device

    def __call__(self, logits: torch.Tensor, rows: Sequence[int] | None = None) -> torch.Tensor:
        """One token a row (rows,) for logits (rows, vocabulary) of these streams, or of all."""
        scores = logits.float() / self.temperature
        vocabulary = scores.shape[-1]
        streams = self.streams if rows is None else [self.streams[row] for row in rows]
        uniform = torch.empty(len(streams), vocabulary)
        for row, stream in zip(uniform, streams, strict=True):
            torch.rand(vocabulary, generator=stream, out=row)
        noise = uniform.to(self.device)
        total = scores.logsumexp(dim=-1, keepdim=True)
        tokens = torch.empty(len(scores), dtype=torch.long, device=scores.device)
        left = torch.arange(len(scores), device=scores.device)
        # sorting the whole vocabulary would take longer on a CPU than a small model's step
        size = HEAD if self.top_p < 1 else vocabulary
        while len(left):
            head, places = scores.topk(min(size, vocabulary), dim=-1)
            shares = (head - total).exp()
            before = shares.cumsum(dim=-1) - shares
            if self.top_p < 1:
                head = head.masked_fill(before >= self.top_p, -torch.inf)
            best = (head + gumbel(noise.gather(-1, places))).argmax(dim=-1, keepdim=True)
            tokens[left] = places.gather(-1, best)[:, 0]
            if size >= vocabulary:
                break
            wide = (before + shares)[:, -1] < self.top_p  # rows whose nucleus is larger
            left, scores, total, noise, size = left[wide], scores[wide], total[wide], noise[wide], size * 8
        return tokens


def gumbel(uniform: torch.Tensor) -> torch.Tensor:
    """Draws from the standard Gumbel distribution, by inversion of draws from [0, 1)."""
    tiny = torch.finfo(torch.float32).tiny
    return -torch.log((-torch.log(uniform.clamp_min(tiny))).clamp_min(tiny))


def sample(
    opened: OpenedModel, prompts: Sequence[EncodedPrompt], sampling: Sampling, label: str, stop: tuple[str, ...] = ()
) -> list[list[list[int]]]:
    """For each prompt and stream the token ids drawn, with the token that ended it; prompts in their order. After one
    of the strings of `stop`, that is the end of text.

    Batches hold `batch_size` completions of prompts of similar length; `label` names the progress lines.
    """
    longest = max((len(prompt.ids) for prompt in prompts), default=0)
    tokens = longest + sampling.max_new_tokens
    require_positions(opened.model, tokens, f"the longest prompt with {label}.max_new_tokens")
    order = sorted(range(len(prompts)), key=lambda i: (len(prompts[i].ids), i))
    rows = [(i, stream) for i in order for stream in prompts[i].streams]
    sampled: dict[tuple[int, str], list[int]] = {}
    stopped = stops_at(opened.tokenizer, stop)
    progress = Progress(label, len(rows), "completions")
    for start in range(0, len(rows), sampling.batch_size):
        batch = rows[start : start + sampling.batch_size]
        indices = list(dict.fromkeys(i for i, _ in batch))
        sampler = StreamSampler(sampling, [stream for _, stream in batch], opened.device)
        with torch.inference_mode(), opened.autocast():
            prefix = prefill(opened, [prompts[i].ids for i in indices])
            prefix.select([indices.index(i) for i, _ in batch])
            completions = _continue(opened, prefix, sampler, sampling.max_new_tokens, stopped)
        sampled.update(zip(batch, completions, strict=True))
        progress.step(len(batch))
    return [[sampled[i, stream] for stream in prompt.streams] for i, prompt in enumerate(prompts)]


def _continue(
    opened: OpenedModel, prefix: Prefix, sampler: StreamSampler, max_new_tokens: int, stopped: Stop | None
) -> list[list[int]]:
    """The tokens of each row; those that ended leave the batch."""
    drawn: list[list[int]] = [[] for _ in prefix.logits]
    running = batch = list(range(len(drawn)))  # rows still drawn, and those that the model reads
    logits = prefix.logits
    for step in range(max_new_tokens):
        if step:
            if len(running) <= len(batch) * (1 - LEAVING):
                prefix.select([batch.index(row) for row in running])
                batch = running
            newest = torch.tensor([drawn[row][-1:] for row in batch], device=opened.device)
            logits = prefix.extend(opened, newest, torch.ones_like(newest), keep=1)[:, -1]
        if len(running) < len(batch):
            logits = logits[[batch.index(row) for row in running]]
        for row, token in zip(running, sampler(logits, running).tolist(), strict=True):
            drawn[row].append(token)
        running = [row for row in running if not _ended(drawn[row], opened, stopped)]
        if not running:
            break
    return drawn


def _ended(ids: list[int], opened: OpenedModel, stopped: Stop | None) -> bool:
    """Whether a completion has ended; one that holds a stop string is given the end of text."""
    if ids[-1] in opened.ends:
        return True
    if stopped and stopped(ids):
        ids.append(opened.tokenizer.eos_token_id)
        return True
    return False


def stops_at(tokenizer: Any, stop: tuple[str, ...]) -> Stop | None:
    """Tells from a row's tokens whether the newest hold a stop string; the text is cut exactly afterwards."""
    if not stop:
        return None
    window = max(map(len, stop)) + 2  # a token has at least one character

    def stopped(ids: list[int]) -> bool:
        text = tokenizer.decode(ids[-window:])
        return any(mark in text for mark in stop)

    return stopped
