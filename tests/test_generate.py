"""generate: a completion depends on its own stream and nothing else, and is a true draw."""

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    BloomConfig,
    Gemma3TextConfig,
    GenerationConfig,
    GPT2Config,
    GPTNeoXConfig,
    OPTConfig,
    TopPLogitsWarper,
)

from tasks.generate import expand
from tasks.inputs.dataset import Prompt
from tasks.lm import sampling as engine
from tasks.lm.models import Opened, open_model
from tasks.lm.prompting import Encoder
from tasks.runtime.config import SamplesPerPrompt
from tasks.settings.generate import Generate
from tasks.settings.prompting import Prompting
from tests.fixtures.tiny import MODELS

PROMPTING = Prompting(chat=True, template="Question: {question}\nAnswer:", stop=("\nQuestion:",))
CONFIG = Generate(SamplesPerPrompt(3, 1), 0.8, 0.95, max_new_tokens=8, batch_size=4, seed=1)
REQUESTS = [
    engine.Request(q, f"p{i}/{k}") for i, q in enumerate(["Why?", "What is salt made of?", "Who?"]) for k in (0, 1)
]


@pytest.fixture(scope="module")
def opened(ladder: Path) -> Opened:
    return open_model(ladder / next(iter(MODELS)))


def test_the_same_seed_gives_the_same_completions_and_another_does_not(opened: Opened) -> None:
    first = engine.generate(opened, REQUESTS, CONFIG, PROMPTING)
    assert engine.generate(opened, REQUESTS, CONFIG, PROMPTING) == first
    assert engine.generate(opened, REQUESTS, replace(CONFIG, seed=2), PROMPTING) != first
    assert len({c.text for c in first}) > 4  # samples of one prompt differ


def test_a_completion_does_not_depend_on_what_shares_its_batch(opened: Opened) -> None:
    together = engine.generate(opened, REQUESTS, CONFIG, PROMPTING)
    alone = [engine.generate(opened, [request], CONFIG, PROMPTING)[0] for request in REQUESTS]
    assert together == alone


def test_completions_are_those_of_transformers_own_generate(opened: Opened) -> None:
    """Its likeliest tokens, text by text and without a cache, where the temperature leaves no choice."""
    cold, endless = replace(CONFIG, temperature=1e-4), replace(PROMPTING, stop=())
    found = engine.generate(opened, REQUESTS, cold, endless)
    encoder = Encoder(opened.tokenizer, PROMPTING)
    for request, completion in zip(REQUESTS, found, strict=True):
        ids = torch.tensor([encoder.question(request.question)])
        eos = opened.tokenizer.eos_token_id
        how = GenerationConfig(  # type: ignore[no-untyped-call]
            do_sample=False, max_new_tokens=8, use_cache=False, pad_token_id=eos, eos_token_id=eos
        )
        with torch.inference_mode():
            expected = opened.model.generate(ids, generation_config=how)[0, ids.shape[1] :]  # type: ignore[operator]
        assert completion == engine._finish(expected.tolist(), opened.tokenizer, ())


@pytest.mark.parametrize("family", [GPT2Config, GPTNeoXConfig, OPTConfig, BloomConfig, Gemma3TextConfig])
def test_a_shared_beginning_and_padding_do_not_change_what_is_drawn(opened: Opened, family: Any) -> None:
    """Other families count positions in other ways: learned, rotary, from the mask alone, in windows."""
    torch.manual_seed(0)
    small = {"vocab_size": len(opened.tokenizer), "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
    more = {
        GPT2Config: {"n_positions": 64},
        GPTNeoXConfig: {"intermediate_size": 64, "max_position_embeddings": 64},
        OPTConfig: {"ffn_dim": 64, "max_position_embeddings": 64, "word_embed_proj_dim": 32},
        Gemma3TextConfig: {"intermediate_size": 64, "head_dim": 8, "num_key_value_heads": 2, "sliding_window": 4},
    }
    model = AutoModelForCausalLM.from_config(family(**small, **more.get(family, {})))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    other = replace(opened, model=model.train(False))
    together = engine.generate(other, REQUESTS, CONFIG, PROMPTING)
    assert together == [engine.generate(other, [request], CONFIG, PROMPTING)[0] for request in REQUESTS]
    assert len({one.text for one in together}) > 4


def sampled(config: Generate, logits: torch.Tensor, rows: int) -> torch.Tensor:
    sampler = engine.StreamSampler(config, [f"s{i}" for i in range(rows)], torch.device("cpu"))
    return sampler(logits.expand(rows, -1))


def test_draws_follow_the_filtered_softmax() -> None:
    """Gumbel-max against the exact distribution: chi-square over 4,000 draws, 3 degrees of freedom."""
    logits = torch.tensor([2.0, 1.0, 0.0, -1.0, -9.0])
    drawn = sampled(replace(CONFIG, temperature=0.5, top_p=1.0), logits, 4000)
    expected = 4000 * (logits / 0.5).softmax(-1)
    counts = Counter(drawn.tolist())
    chi2 = sum((counts[i] - e.item()) ** 2 / e.item() for i, e in enumerate(expected) if e > 1)
    assert chi2 < 16.3  # p = .001


def test_top_p_leaves_out_the_tail() -> None:
    drawn = sampled(replace(CONFIG, temperature=1.0, top_p=0.6), torch.log(torch.tensor([0.5, 0.3, 0.2])), 500)
    assert set(drawn.tolist()) == {0, 1}


@pytest.mark.parametrize("top_p", [0.1, 0.5, 0.9, 1.0])
def test_a_draw_is_the_arg_max_over_the_nucleus_of_transformers(top_p: float) -> None:
    """Over narrow and wide nuclei: the likeliest tokens that are looked at first do not always hold them."""
    config = replace(CONFIG, temperature=0.7, top_p=top_p)
    widths = torch.linspace(0.5, 8, 40)[:, None]
    scores = torch.randn(40, 5000, generator=torch.Generator().manual_seed(0)) * widths
    streams = [f"s{i}" for i in range(40)]
    found = engine.StreamSampler(config, streams, torch.device("cpu"))(scores)
    ids = cast(Any, None)
    kept = TopPLogitsWarper(top_p)(ids, cast(Any, scores / 0.7)) if top_p < 1 else scores / 0.7
    seeds = [torch.Generator().manual_seed(engine.stream_seed(config.seed, name)) for name in streams]
    noise = engine.gumbel(torch.stack([torch.rand(5000, generator=seed) for seed in seeds]))
    assert torch.equal(found, (kept + noise).argmax(dim=-1))
    if top_p == 0.9:
        sizes = torch.isfinite(kept).sum(dim=-1)
        assert sizes.min() < engine.HEAD < engine.HEAD * 8 < sizes.max()  # all ways were taken


def test_noise_is_standard_gumbel() -> None:
    noise = engine.gumbel(torch.rand(100_000, generator=torch.Generator().manual_seed(0)))
    assert noise.mean().item() == pytest.approx(0.5772, abs=0.02)
    assert noise.var().item() == pytest.approx(math.pi**2 / 6, abs=0.05)


@pytest.mark.parametrize(
    ("text", "reason", "expected"),
    [
        (" It is so.<eos> and more", "stop", "It is so."),
        (" It is so.\nQuestion: Why?", "stop", "It is so."),
        (" It goes on", "length", "It goes on"),
        ("<eos>", "stop", ""),
        ("\nQuestion: Why?", "stop", ""),
    ],
)
def test_a_completion_ends_at_end_of_text_or_a_new_question(
    opened: Opened, text: str, reason: str, expected: str
) -> None:
    ids = opened.tokenizer(text, add_special_tokens=False)["input_ids"]
    found = engine._finish(ids, opened.tokenizer, PROMPTING.stop)
    assert (found.text, found.finish_reason) == (expected, reason)


def test_a_row_stops_when_its_text_holds_a_stop_string(opened: Opened) -> None:
    stopped = engine.stops_at(opened.tokenizer, PROMPTING.stop)
    assert stopped is not None
    texts = ["It is.\nQuestion:", "It is no question at all"]
    assert [stopped(opened.tokenizer(t, add_special_tokens=False)["input_ids"]) for t in texts] == [True, False]
    assert engine.stops_at(opened.tokenizer, ()) is None


def test_a_row_that_stopped_draws_no_more_while_others_go_on(opened: Opened) -> None:
    texts = [engine.Text([5, 6, 7], ["a", "b"])]
    [[first, second]] = engine.draw(opened, texts, CONFIG)
    assert len(first) == len(second) == CONFIG.max_new_tokens
    [[stopped, other]] = engine.draw(opened, texts, CONFIG, stopped=lambda ids: ids == first[:2])
    assert stopped == [*first[:2], opened.tokenizer.eos_token_id]
    assert other == second


def test_each_split_gets_its_samples() -> None:
    prompts = [Prompt("a", "c", "test", "p", "d", "u"), Prompt("b", "c", "validation", "p", "d", "u")]
    assert [(p.id, i) for p, i in expand(prompts, CONFIG)] == [("a", 0), ("a", 1), ("a", 2), ("b", 0)]
