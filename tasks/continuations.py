"""Many continuations of few prompts: each prompt is read once, and its samples share what the model made of it.

The prompts are plain text, without a chat template. A sample has a random stream of its own, from the seed, the
prompt's text and the sample's number alone, so it does not depend on other prompts, and arms share their noise.
"""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from tasks.config import Generate, Probe, Prompting, SamplesPerPrompt
from tasks.engines.transformers import StreamSampler
from tasks.models import Opened
from tasks.progress import Progress
from tasks.prompting import Encoder

PLAIN = Prompting(chat=False, template="{question}", stop=())


@dataclass(frozen=True)
class Continuation:
    """What follows the prompt, with the space before it; why it ended; how many tokens were drawn for it."""

    text: str
    finish_reason: str  # stop (end-of-text) or length
    tokens: int


@dataclass(frozen=True)
class _Read:
    """Prompts of one length in tokens, read: ids (prompts, length), logits (prompts, vocabulary), keys and values."""

    ids: torch.Tensor
    logits: torch.Tensor
    cache: Any


def continuations(opened: Opened, prompts: Sequence[str], config: Probe) -> list[list[Continuation]]:
    """`config.completions` samples for each of `prompts`, in their order."""
    encoder = Encoder(opened.tokenizer, PLAIN)
    encoded = [encoder.question(prompt) for prompt in prompts]
    progress = Progress("probe", len(prompts) * config.completions, "completions")
    drawn: dict[tuple[int, int], Continuation] = {}
    for members in _alike(encoded, config.batch_size):
        read = _read(opened, [encoded[i] for i in members])
        rows = [(place, sample) for place in range(len(members)) for sample in range(config.completions)]
        for start in range(0, len(rows), config.batch_size):
            part = rows[start : start + config.batch_size]
            streams = [f"{prompts[members[place]]}/{sample}" for place, sample in part]
            found = _draw(opened, read, [place for place, _ in part], streams, config)
            drawn.update({(members[place], sample): one for (place, sample), one in zip(part, found, strict=True)})
            progress.step(len(part))
    return [[drawn[i, sample] for sample in range(config.completions)] for i in range(len(prompts))]


def _alike(encoded: Sequence[Sequence[int]], most: int) -> Iterator[list[int]]:
    """Numbers of prompts of one length in tokens, at most `most` at once: they can be read without padding."""
    for length in sorted(set(map(len, encoded))):
        members = [i for i, ids in enumerate(encoded) if len(ids) == length]
        for start in range(0, len(members), most):
            yield members[start : start + most]


def _read(opened: Opened, encoded: Sequence[list[int]]) -> _Read:
    ids = torch.tensor(encoded, device=opened.device)
    with torch.inference_mode(), opened.autocast():
        out = opened.model(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=True)
    return _Read(ids, out.logits[:, -1], out.past_key_values)


def _draw(
    opened: Opened, read: _Read, places: Sequence[int], streams: Sequence[str], config: Probe
) -> list[Continuation]:
    """One continuation for each of `places`, the numbers of prompts in `read`."""
    length, eos = read.ids.shape[1], opened.tokenizer.eos_token_id
    at = torch.tensor(places, device=opened.device)
    sampler = _sampler(config, streams, length, opened.device)
    with torch.inference_mode(), opened.autocast():
        ids, logits, cache = read.ids[at], read.logits[at], copy.deepcopy(read.cache)
        cache.batch_select_indices(at)
        ended = torch.zeros(len(places), dtype=torch.bool, device=opened.device)
        for step in range(config.max_new_tokens):
            if step:
                mask = torch.ones_like(ids)
                out = opened.model(input_ids=ids[:, -1:], attention_mask=mask, past_key_values=cache, use_cache=True)
                logits = out.logits[:, -1]
            token = sampler(ids, logits).argmax(dim=-1)
            ids = torch.cat([ids, token[:, None]], dim=1)
            ended |= token == eos
            if ended.all():
                break
    return [_finish(opened.tokenizer, row[:length], row[length:]) for row in ids.tolist()]


def _finish(tokenizer: Any, prompt: list[int], ids: list[int]) -> Continuation:
    """The text is what the tokens add to the prompt's: alone, some tokenizers decode them without their space."""
    ended = tokenizer.eos_token_id in ids
    if ended:
        ids = ids[: ids.index(tokenizer.eos_token_id)]
    before, after = (tokenizer.decode(part, skip_special_tokens=True) for part in (prompt, prompt + ids))
    return Continuation(after.removeprefix(before), "stop" if ended else "length", len(ids))


def _sampler(config: Probe, streams: Sequence[str], length: int, device: torch.device) -> StreamSampler:
    """The engine's sampler with its streams."""
    wanted = Generate(
        samples=SamplesPerPrompt(config.completions, config.completions),
        temperature=config.temperature,
        top_p=config.top_p,
        max_new_tokens=config.max_new_tokens,
        batch_size=config.batch_size,
        seed=config.seed,
    )
    return StreamSampler(wanted, streams, length, device)
