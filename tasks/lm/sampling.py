"""Sampling with transformers, where each completion has a random stream of its own.

A token is drawn as the arg-max of filtered log-probabilities plus Gumbel noise (Gumbel 1954; Maddison et al.
2014), which is a draw from the softmax. The noise comes from (seed, stream, position) alone, so a completion
does not depend on what shares its batch, and arms given the same prompt share their noise.

A batch reads what its prompts begin with once, then the rest of each prompt once, however many completions share it.
"""

import hashlib
import itertools
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import torch

from tasks.lm.models import OpenedModel, require_positions
from tasks.lm.prefill import Prefix, prefill
from tasks.runtime.errors import WorkError
from tasks.runtime.progress import Progress
from tasks.settings.generate import Generate
from tasks.settings.probe import Probe

HEAD = 256  # likeliest tokens that are looked at first; more where these do not hold the nucleus
Sampling = Generate | Probe  # both say how tokens are drawn
Stop = Callable[[list[int]], bool]  # tells from the tokens drawn so far that a completion has ended


@dataclass(frozen=True)
class EncodedPrompt:
    """A prompt's token ids, and the names of its completions' random streams."""

    ids: list[int]
    streams: Sequence[str]


@dataclass(frozen=True)
class Completion:
    """The text up to its end, why it ended, and how many tokens were drawn for it."""

    text: str
    finish_reason: str  # stop (end-of-text, or a stop string) or length
    tokens: int


class StreamSampler:
    """Draws the next token of several rows at a temperature and top_p, each from its own stream."""

    def __init__(self, sampling: Sampling, streams: Sequence[str], device: torch.device) -> None:
        self.temperature, self.top_p = sampling.temperature, sampling.top_p
        # noise is drawn on the CPU, so that the same seed gives the same noise on every device
        self.streams = [torch.Generator().manual_seed(stream_seed(sampling.seed, name)) for name in streams]
        self.device = device

    def __call__(self, logits: torch.Tensor) -> torch.Tensor:
        """One token a row (rows,) for logits (rows, vocabulary)."""
        scores = logits.float() / self.temperature
        vocabulary = scores.shape[-1]
        noise = torch.stack([torch.rand(vocabulary, generator=each) for each in self.streams]).to(self.device)
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


def stream_seed(seed: int, stream: str) -> int:
    """63 bits from the run's seed and the stream's name."""
    digest = hashlib.sha256(f"{seed}/{stream}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def gumbel(uniform: torch.Tensor) -> torch.Tensor:
    """Draws from the standard Gumbel distribution, by inversion of draws from [0, 1)."""
    tiny = torch.finfo(torch.float32).tiny
    return -torch.log((-torch.log(uniform.clamp_min(tiny))).clamp_min(tiny))


def sample(
    opened: OpenedModel, prompts: Sequence[EncodedPrompt], sampling: Sampling, label: str, stop: Stop | None = None
) -> list[list[list[int]]]:
    """For each prompt and stream the token ids drawn, with the token that ended it if one was; prompts in their order.

    Batches hold `batch_size` completions of prompts of similar length; `label` names the progress lines.
    """
    longest = max((len(prompt.ids) for prompt in prompts), default=0)
    tokens = longest + sampling.max_new_tokens
    require_positions(opened.model, tokens, f"the longest prompt with {label}.max_new_tokens")
    order = sorted(range(len(prompts)), key=lambda i: (len(prompts[i].ids), i))
    rows = [(i, stream) for i in order for stream in prompts[i].streams]
    sampled: dict[tuple[int, str], list[int]] = {}
    progress = Progress(label, len(rows), "completions")
    for start in range(0, len(rows), sampling.batch_size):
        batch = rows[start : start + sampling.batch_size]
        indices = list(dict.fromkeys(i for i, _ in batch))
        sampler = StreamSampler(sampling, [stream for _, stream in batch], opened.device)
        with torch.inference_mode(), opened.autocast():
            prefix = prefill(opened, [prompts[i].ids for i in indices])
            prefix.select([indices.index(i) for i, _ in batch])
            completions = _continue(opened, prefix, sampler, sampling.max_new_tokens, stop)
        sampled.update(zip(batch, completions, strict=True))
        progress.step(len(batch))
    return [[sampled[i, stream] for stream in prompt.streams] for i, prompt in enumerate(prompts)]


def _continue(
    opened: OpenedModel, prefix: Prefix, sampler: StreamSampler, max_new_tokens: int, stop: Stop | None
) -> list[list[int]]:
    ends = torch.tensor(sorted(opened.ends), device=opened.device)
    filler, logits = opened.tokenizer.eos_token_id, prefix.logits
    new = torch.empty((len(logits), 0), dtype=torch.long, device=opened.device)
    finished = torch.zeros(len(logits), dtype=torch.bool, device=opened.device)
    for step in range(max_new_tokens):
        if step:
            newest = new[:, -1:]
            logits = prefix.extend(opened, newest, torch.ones_like(newest), keep=1)[:, -1]
        new = torch.cat([new, sampler(logits).masked_fill(finished, filler)[:, None]], dim=1)
        finished |= torch.isin(new[:, -1], ends)
        if stop:
            finished |= torch.tensor([stop(row) for row in new.tolist()], device=opened.device)
        if finished.all():
            break
    return [row[: len(until_end(row, opened.ends)[0]) + 1] for row in new.tolist()]


def require_some(completions: Sequence[Sequence[Completion]], cause: str) -> None:
    """Raises WorkError where every completion is empty: nothing that reads them could say anything."""
    drawn = [completion for of_prompt in completions for completion in of_prompt]
    if not any(completion.text.strip() for completion in drawn):
        raise WorkError(f"all {len(drawn)} completions are empty: {cause}")


def until_end(ids: list[int], ends: Collection[int]) -> tuple[list[int], bool]:
    """The token ids before the first that ends a completion, and whether there was one."""
    before = list(itertools.takewhile(lambda token: token not in ends, ids))
    return before, len(before) < len(ids)
