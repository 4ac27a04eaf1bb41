"""Sampling with transformers, where each completion has a random stream of its own.

A token is drawn as the arg-max of filtered log-probabilities plus Gumbel noise (Gumbel 1954; Maddison et al.
2014), which is a draw from the softmax. The noise comes from (seed, stream, position) alone, so a completion
does not depend on what shares its batch, and arms given the same prompt share their noise.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from transformers import (
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
    StoppingCriteria,
    StoppingCriteriaList,
    TemperatureLogitsWarper,
    TopPLogitsWarper,
)

from tasks.config import Generate, Prompting
from tasks.models import Opened
from tasks.progress import Progress
from tasks.prompting import Encoder, cut_at_stop

HEAD = 2048  # likeliest tokens that are looked at before all others


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


class QuickTopP(LogitsProcessor):
    """TopPLogitsWarper without sorting the vocabulary, which takes longer on a CPU than a small model's step.

    The `HEAD` likeliest tokens hold the nucleus nearly always; where they do not, the original does the work.
    """

    def __init__(self, top_p: float) -> None:
        self.top_p, self.original = top_p, TopPLogitsWarper(top_p)

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        """Scores (batch, vocabulary) with -inf for what is not in the nucleus."""
        head, places = scores.topk(min(HEAD, scores.shape[-1]), dim=-1)
        shares = (head - scores.logsumexp(dim=-1, keepdim=True)).exp()
        before = shares.cumsum(dim=-1) - shares
        head = head.masked_fill(before >= self.top_p, -torch.inf)
        out = torch.full_like(scores, -torch.inf).scatter(-1, places, head)
        wide = (before + shares)[:, -1] < self.top_p  # rows whose nucleus is larger
        if wide.any():
            out[wide] = self.original(input_ids, cast(torch.FloatTensor, scores[wide]))
        return cast(torch.FloatTensor, out)


class StreamSampler(LogitsProcessor):
    """Turns logits into scores whose arg-max is a draw at this temperature and top_p."""

    def __init__(self, config: Generate, streams: Sequence[str], prompt_length: int, device: torch.device) -> None:
        self.warpers = LogitsProcessorList([TemperatureLogitsWarper(config.temperature)])
        if config.top_p < 1:
            self.warpers.append(QuickTopP(config.top_p))
        self.prompt_length = prompt_length
        # noise is drawn on the CPU, so that the same seed gives the same noise on every device
        self.streams = [torch.Generator().manual_seed(stream_seed(config.seed, name)) for name in streams]
        self.device = device

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Scores of shape batch × vocabulary, for one step."""
        warped = self.warpers(cast(torch.LongTensor, input_ids), cast(torch.FloatTensor, scores.float()))
        return warped + torch.stack([gumbel(g, scores.shape[-1]) for g in self.streams]).to(self.device)


class StopAtText(StoppingCriteria):
    """Ends a row whose newest tokens hold a stop string; the text is cut exactly afterwards."""

    def __init__(self, tokenizer: Any, stop: tuple[str, ...], prompt_length: int) -> None:
        self.tokenizer, self.stop, self.prompt_length = tokenizer, stop, prompt_length
        self.window = max((len(mark) for mark in stop), default=0) + 2  # a token has at least one character

    def __call__(self, input_ids: torch.Tensor, scores: Any, **kwargs: Any) -> torch.Tensor:
        """A flag for each row of the batch."""
        del scores, kwargs
        start = max(self.prompt_length, input_ids.shape[1] - self.window)
        texts = self.tokenizer.batch_decode(input_ids[:, start:])
        found = [any(mark in text for mark in self.stop) for text in texts]
        return torch.tensor(found, dtype=torch.bool, device=input_ids.device)


def stream_seed(seed: int, stream: str) -> int:
    """63 bits from the run's seed and the stream's name."""
    digest = hashlib.sha256(f"{seed}/{stream}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def gumbel(generator: torch.Generator, size: int) -> torch.Tensor:
    """`size` draws from the standard Gumbel distribution."""
    tiny = torch.finfo(torch.float32).tiny
    uniform = torch.rand(size, generator=generator).clamp_min(tiny)
    return -torch.log((-torch.log(uniform)).clamp_min(tiny))


def generate(
    opened: Opened, requests: Sequence[Request], config: Generate, prompting: Prompting
) -> list[Completion]:
    """A completion for every request, in their order; batches hold questions of similar length."""
    encoder = Encoder(opened.tokenizer, prompting)
    encoded = [encoder.question(request.question) for request in requests]
    order = sorted(range(len(requests)), key=lambda i: (len(encoded[i]), i))
    drawn: dict[int, Completion] = {}
    progress = Progress("generate", len(requests), "completions")
    for start in range(0, len(order), config.batch_size):
        rows = order[start : start + config.batch_size]
        streams = [requests[i].stream for i in rows]
        drawn.update(zip(rows, _batch(opened, [encoded[i] for i in rows], streams, config, prompting), strict=True))
        progress.step(len(rows))
    return [drawn[i] for i in range(len(requests))]


def _batch(
    opened: Opened, prompts: list[list[int]], streams: list[str], config: Generate, prompting: Prompting
) -> list[Completion]:
    pad, eos = opened.tokenizer.pad_token_id, opened.tokenizer.eos_token_id
    length = max(map(len, prompts))
    ids = torch.tensor([[pad] * (length - len(p)) + p for p in prompts], device=opened.device)
    mask = torch.tensor([[0] * (length - len(p)) + [1] * len(p) for p in prompts], device=opened.device)
    with torch.inference_mode(), opened.autocast():
        out = opened.model.generate(  # type: ignore[operator]
            input_ids=ids,
            attention_mask=mask,
            generation_config=GenerationConfig(  # type: ignore[no-untyped-call]
                do_sample=False, max_new_tokens=config.max_new_tokens, pad_token_id=pad, eos_token_id=eos
            ),
            logits_processor=LogitsProcessorList([StreamSampler(config, streams, length, opened.device)]),
            stopping_criteria=StoppingCriteriaList([StopAtText(opened.tokenizer, prompting.stop, length)]),
        )
    return [_finish(row[length:].tolist(), opened.tokenizer, prompting.stop) for row in out]


def _finish(ids: list[int], tokenizer: Any, stop: tuple[str, ...]) -> Completion:
    ended = tokenizer.eos_token_id in ids
    if ended:
        ids = ids[: ids.index(tokenizer.eos_token_id)]
    text, stopped = cut_at_stop(tokenizer.decode(ids, skip_special_tokens=True), stop)
    return Completion(text, "stop" if ended or stopped else "length", len(ids))
