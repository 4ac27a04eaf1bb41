"""A completion depends on its own stream and nothing else, and is a true draw; what prompts share is read once."""

from collections import Counter
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    BloomConfig,
    Gemma3TextConfig,
    GPT2Config,
    GPTNeoXConfig,
    LlamaConfig,
    OPTConfig,
    TopPLogitsWarper,
)

from tasks.lm.engines import transformers as engine
from tasks.lm.engines.transformers import HEAD, StreamSampler, gumbel, sample
from tasks.lm.models import OpenedModel
from tasks.lm.sampling import EncodedPrompt, stream_seed
from tasks.settings.generate import Generate, SamplesPerPrompt

CONFIG = Generate(SamplesPerPrompt(3, 1), 0.8, 0.95, max_new_tokens=8, batch_size=4, seed=1)
CPU = torch.device("cpu")
STREAMS = [f"s{i}" for i in range(4000)]


def random_model(family: Any, vocabulary: int) -> Any:
    torch.manual_seed(0)
    small = {"vocab_size": vocabulary, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
    more = {
        GPT2Config: {"n_positions": 64},
        GPTNeoXConfig: {"intermediate_size": 64, "max_position_embeddings": 64},
        OPTConfig: {"ffn_dim": 64, "max_position_embeddings": 64, "word_embed_proj_dim": 32},
        Gemma3TextConfig: {"intermediate_size": 64, "head_dim": 8, "num_key_value_heads": 2, "sliding_window": 4},
    }
    model = AutoModelForCausalLM.from_config(family(**small, **more.get(family, {})))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return model.train(False)


@pytest.mark.parametrize("family", [None, GPT2Config, GPTNeoXConfig, OPTConfig, BloomConfig, Gemma3TextConfig])
def test_what_is_drawn_depends_on_seed_and_stream_but_not_on_batch_prefix_or_padding(
    opened: OpenedModel, family: Any
) -> None:
    """Families count positions in other ways: learned, rotary, from the mask alone, in windows."""
    config = replace(CONFIG, temperature=2.0)  # random weights can be very sure of a token
    if family:
        opened = replace(opened, model=random_model(family, len(opened.tokenizer)))
    texts = [f"Question: {question}\nAnswer:" for question in ("Why?", "What is salt made of?", "Who?")]
    prompts = [
        EncodedPrompt(opened.tokenizer(text)["input_ids"], [f"p{i}/0", f"p{i}/1"]) for i, text in enumerate(texts)
    ]
    together = sample(opened, prompts, config, "test")
    for prompt, rows in zip(prompts, together, strict=True):
        for stream, ids in zip(prompt.streams, rows, strict=True):
            assert sample(opened, [EncodedPrompt(prompt.ids, [stream])], config, "test") == [[ids]]
    assert len({tuple(ids) for rows in together for ids in rows}) > 4
    assert sample(opened, prompts, replace(config, seed=2), "test") != together


def test_draws_follow_the_filtered_softmax() -> None:
    """Gumbel-max against the exact distribution: chi-square over 4,000 draws, 3 degrees of freedom."""
    logits = torch.tensor([2.0, 1.0, 0.0, -1.0, -9.0])
    sampler = StreamSampler(replace(CONFIG, temperature=0.5, top_p=1.0), STREAMS, CPU)
    counts = Counter(sampler(logits.expand(4000, -1)).tolist())
    expected = 4000 * (logits / 0.5).softmax(-1)
    chi2 = sum((counts[i] - e.item()) ** 2 / e.item() for i, e in enumerate(expected) if e > 1)
    assert chi2 < 16.3  # p = .001


@pytest.mark.parametrize("top_p", [0.1, 0.5, 0.9, 1.0])
def test_a_draw_is_the_arg_max_over_the_nucleus_of_transformers(top_p: float) -> None:
    """Over narrow and wide nuclei: the likeliest tokens that are looked at first do not always hold them."""
    config, streams = replace(CONFIG, temperature=0.7, top_p=top_p), STREAMS[:40]
    widths = torch.linspace(0.5, 8, 40)[:, None]
    scores = torch.randn(40, 5000, generator=torch.Generator().manual_seed(0)) * widths
    nucleus = TopPLogitsWarper(top_p)(cast(Any, None), cast(Any, scores / 0.7)) if top_p < 1 else scores / 0.7
    seeds = [torch.Generator().manual_seed(stream_seed(config.seed, name)) for name in streams]
    noise = gumbel(torch.stack([torch.rand(5000, generator=seed) for seed in seeds]))
    assert torch.equal(StreamSampler(config, streams, CPU)(scores), (nucleus + noise).argmax(dim=-1))
    if top_p == 0.9:
        sizes = torch.isfinite(nucleus).sum(dim=-1)
        assert sizes.min() < HEAD < HEAD * 8 < sizes.max()  # all ways were taken


def test_a_row_that_stopped_draws_no_more_while_others_go_on(
    opened: OpenedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts = [EncodedPrompt([5, 6, 7], ["a", "b"])]
    [[first, second]] = sample(opened, prompts, CONFIG, "test")
    assert len(first) == len(second) == CONFIG.max_new_tokens
    monkeypatch.setattr(engine, "stops_at", lambda *_: lambda ids: ids == first[:2])
    [[stopped, other]] = sample(opened, prompts, CONFIG, "test")
    assert stopped == [*first[:2], opened.tokenizer.eos_token_id]
    assert other == second
    assert sample(opened, [EncodedPrompt([5, 6, 7], ["a"])], CONFIG, "test") == [[stopped]]


def test_only_rows_that_run_are_looked_at_for_stop_strings_and_given_noise(
    opened: OpenedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nine of ten rows end at once; the tenth draws on alone, with its own noise."""
    streams = STREAMS[:10]
    ids = sample(opened, [EncodedPrompt([5, 6, 7], streams)], replace(CONFIG, batch_size=10), "test")[0]
    looked: list[int] = []
    monkeypatch.setattr(engine, "stops_at", lambda *_: lambda row: bool(looked.append(1)) or row[0] != ids[-1][0])
    assert len({row[0] for row in ids}) > 1
    again = sample(opened, [EncodedPrompt([5, 6, 7], streams)], replace(CONFIG, batch_size=10), "test")[0]
    going_on = [row for row in ids if row[0] == ids[-1][0]]
    assert len(looked) == 10 + len(going_on) * (CONFIG.max_new_tokens - 1)
    assert [row for row in again if len(row) > 2] == going_on


TOKEN, EOS = 3, 7


class Cache:
    """Which rows of the batch were read, by the order in which they came into it."""

    rows = torch.zeros(1, dtype=torch.long)

    def batch_repeat_interleave(self, repeats: int) -> None:
        del repeats

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        self.rows = self.rows[indices] if len(self.rows) > 1 else torch.arange(len(indices))


class Counting:
    """A model that ends every even row after one token, and counts the tokens it is given."""

    config = LlamaConfig(max_position_embeddings=64)

    def __init__(self) -> None:
        self.read = 0
        self.forward = self.__call__

    def __call__(self, input_ids: torch.Tensor, past_key_values: Any = None, **_: Any) -> Any:
        self.read += input_ids.numel()
        logits = torch.zeros(*input_ids.shape, 10)
        logits[..., TOKEN] = 1e4
        if past_key_values is None:
            past_key_values = Cache()
        else:
            rows = past_key_values.rows
            logits[self.ended(rows if len(rows) == len(logits) else torch.arange(len(logits))), :, EOS] = 2e4
        return SimpleNamespace(logits=logits, past_key_values=past_key_values)

    def ended(self, rows: torch.Tensor) -> torch.Tensor:
        return rows % 2 == 0


class TakingTurns(Counting):
    """A model that ends one row at each step."""

    steps = -1

    def ended(self, rows: torch.Tensor) -> torch.Tensor:
        self.steps += 1
        return rows == self.steps


CASES = {  # lengths of prompts, completions of each, batch size, most new tokens, tokens drawn and read
    "each prompt is read once, and the first token comes from that": ([3, 3, 2], 6, 6, 3, [1, 3] * 9, 8 + 18 + 9),
    # two of the three rows of the prompts' rest are even, so that their completions end before the first token
    "what prompts share is read once, but for one token": (
        *([3, 3, 2], 6, 18, 8),
        *([1, 8] * 3 + [0] * 12, 1 + 3 * 2 + 6 + 6 * 3),
    ),
    "a row that ended stays ended": ([2], 2, 6, 4, [1, 4], 2 + 2 + 2),
    "a batch stops when all its rows have ended": ([2], 1, 6, 50, [1], 2 + 1),
    "more prompts of one length than a batch holds": ([1, 1, 1], 1, 2, 8, [1, 8, 1], 2 + 2 + 6 + 1 + 1),
    "a batch stops although its rows end one after another": ([2], 3, 6, 50, [1, 2, 3], 2 + 3 + 2 + 1),
    "rows that ended one after another leave together": (
        *([2], 40, 40, 5, [1, 2, 3, 4] + [5] * 36),
        2 + 3 * 40 + 37,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_how_much_is_read_and_drawn(case: str) -> None:
    lengths, completions, batch_size, max_new_tokens, drawn, read = CASES[case]
    model = TakingTurns() if "one after another" in case else Counting()
    opened = OpenedModel(cast(Any, model), SimpleNamespace(eos_token_id=EOS, pad_token_id=EOS), CPU, frozenset({EOS}))
    prompts = [EncodedPrompt([1] * length, STREAMS[:completions]) for length in lengths]
    config = replace(CONFIG, batch_size=batch_size, max_new_tokens=max_new_tokens)
    rows = [ids for of_prompt in sample(opened, prompts, config, "test") for ids in of_prompt]
    assert rows == [[TOKEN] * tokens + [EOS] * (tokens < max_new_tokens) for tokens in drawn]
    assert model.read == read
