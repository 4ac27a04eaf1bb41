"""Sampling with transformers, where each completion has a random stream of its own.

A token is drawn as the arg-max of filtered log-probabilities plus Gumbel noise (Gumbel 1954; Maddison et al.
2014), which is a draw from the softmax. The noise comes from (seed, stream, position) alone, so a completion
does not depend on what shares its batch, and arms given the same prompt share their noise.

A batch reads what its texts have in common once, then the rest of each text once, however many completions share it.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from tasks.lm.models import Opened
from tasks.lm.prefill import Read, read
from tasks.lm.prompting import Encoder, cut_at_stop
from tasks.runtime.progress import Progress
from tasks.settings.generate import Generate
from tasks.settings.prompting import Prompting

HEAD = 256  # likeliest tokens that are looked at first; more where these do not hold the nucleus


class Sampling(Protocol):
    """How tokens are drawn."""

    @property
    def temperature(self) -> float: ...
    @property
    def top_p(self) -> float: ...
    @property
    def max_new_tokens(self) -> int: ...
    @property
    def batch_size(self) -> int: ...
    @property
    def seed(self) -> int: ...


@dataclass(frozen=True)
class Text:
    """The tokens of a text to go on with, and the names of its completions' random streams."""

    ids: list[int]
    streams: Sequence[str]


@dataclass(frozen=True)
class Request:
    """A question to complete and the name of its random stream."""

    question: str
    stream: str


@dataclass(frozen=True)
class Completion:
    """The text up to its end, why it ended, and how many tokens were drawn for it."""

    text: str
    finish_reason: str
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


def draw(
    opened: Opened,
    texts: Sequence[Text],
    sampling: Sampling,
    stopped: Callable[[list[int]], bool] | None = None,
    progress: Progress | None = None,
) -> list[list[list[int]]]:
    """For each text and stream the tokens drawn, with the end-of-text token if it ended; texts in their order.

    `stopped` tells from the tokens drawn so far that a row has ended otherwise. Batches hold `batch_size`
    completions of texts of similar length.
    """
    order = sorted(range(len(texts)), key=lambda i: (len(texts[i].ids), i))
    rows = [(i, place) for i in order for place in range(len(texts[i].streams))]
    drawn: dict[tuple[int, int], list[int]] = {}
    for start in range(0, len(rows), sampling.batch_size):
        part = rows[start : start + sampling.batch_size]
        members = list(dict.fromkeys(i for i, _ in part))
        streams = [texts[i].streams[place] for i, place in part]
        with torch.inference_mode(), opened.autocast():
            beginning = read(opened, [texts[i].ids for i in members])
            beginning.spread([members.index(i) for i, _ in part])
            found = _go_on(opened, beginning, StreamSampler(sampling, streams, opened.device), sampling, stopped)
        drawn.update(zip(part, found, strict=True))
        if progress:
            progress.step(len(part))
    return [[drawn[i, place] for place in range(len(text.streams))] for i, text in enumerate(texts)]


def _go_on(
    opened: Opened,
    beginning: Read,
    sampler: StreamSampler,
    sampling: Sampling,
    stopped: Callable[[list[int]], bool] | None,
) -> list[list[int]]:
    eos, logits = opened.tokenizer.eos_token_id, beginning.logits
    new = torch.empty((len(logits), 0), dtype=torch.long, device=opened.device)
    ended = torch.zeros(len(logits), dtype=torch.bool, device=opened.device)
    for step in range(sampling.max_new_tokens):
        if step:
            newest = new[:, -1:]
            logits = beginning.go_on(opened, newest, torch.ones_like(newest), keep=1)[:, -1]
        new = torch.cat([new, sampler(logits).masked_fill(ended, eos)[:, None]], dim=1)
        ended |= new[:, -1] == eos
        if stopped:
            ended |= torch.tensor([stopped(row) for row in new.tolist()], device=opened.device)
        if ended.all():
            break
    return [row[: row.index(eos) + 1] if eos in row else row for row in new.tolist()]


def generate(
    opened: Opened, requests: Sequence[Request], config: Generate, prompting: Prompting
) -> list[Completion]:
    """A completion for every request, in their order."""
    encoder = Encoder(opened.tokenizer, prompting)
    streams: dict[str, list[str]] = {}
    for request in requests:
        streams.setdefault(request.question, []).append(request.stream)
    texts = [Text(encoder.question(question), names) for question, names in streams.items()]
    progress = Progress("generate", len(requests), "completions")
    drawn = draw(opened, texts, config, stops_at(opened.tokenizer, prompting.stop), progress)
    found = {
        (question, name): _finish(ids, opened.tokenizer, prompting.stop)
        for (question, names), several in zip(streams.items(), drawn, strict=True)
        for name, ids in zip(names, several, strict=True)
    }
    return [found[request.question, request.stream] for request in requests]


def stops_at(tokenizer: Any, stop: tuple[str, ...]) -> Callable[[list[int]], bool] | None:
    """Tells from a row's tokens whether the newest hold a stop string; the text is cut exactly afterwards."""
    if not stop:
        return None
    window = max(map(len, stop)) + 2  # a token has at least one character

    def stopped(ids: list[int]) -> bool:
        text = tokenizer.decode(ids[-window:])
        return any(mark in text for mark in stop)

    return stopped


def _finish(ids: list[int], tokenizer: Any, stop: tuple[str, ...]) -> Completion:
    ended = tokenizer.eos_token_id in ids
    if ended:
        ids = ids[: ids.index(tokenizer.eos_token_id)]
    text, stopped = cut_at_stop(tokenizer.decode(ids, skip_special_tokens=True), stop)
    return Completion(text, "stop" if ended or stopped else "length", len(ids))
