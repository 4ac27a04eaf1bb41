"""generate: a completion depends on its own stream and nothing else, and is a true draw."""

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tasks.config import Generate, Prompting, SamplesPerPrompt
from tasks.dataset import Prompt
from tasks.engines import transformers as engine
from tasks.generate import expand
from tasks.models import Opened, open_model
from tests.fixtures.tiny import RUNGS

PROMPTING = Prompting(chat=True, template="Question: {question}\nAnswer:", stop=("\nQuestion:",))
CONFIG = Generate(SamplesPerPrompt(3, 1), 0.8, 0.95, max_new_tokens=8, batch_size=4, seed=1)
REQUESTS = [
    engine.Request(q, f"p{i}/{k}") for i, q in enumerate(["Why?", "What is salt made of?", "Who?"]) for k in (0, 1)
]


@pytest.fixture(scope="module")
def opened(ladder: Path) -> Opened:
    return open_model(ladder / next(iter(RUNGS)))


def test_the_same_seed_gives_the_same_completions_and_another_does_not(opened: Opened) -> None:
    first = engine.generate(opened, REQUESTS, CONFIG, PROMPTING)
    assert engine.generate(opened, REQUESTS, CONFIG, PROMPTING) == first
    assert engine.generate(opened, REQUESTS, replace(CONFIG, seed=2), PROMPTING) != first
    assert len({c.text for c in first}) > 4  # samples of one prompt differ


def test_a_completion_does_not_depend_on_what_shares_its_batch(opened: Opened) -> None:
    together = engine.generate(opened, REQUESTS, CONFIG, PROMPTING)
    alone = [engine.generate(opened, [request], CONFIG, PROMPTING)[0] for request in REQUESTS]
    assert together == alone


def test_draws_follow_the_filtered_softmax() -> None:
    """Gumbel-max against the exact distribution: chi-square over 4,000 draws, 3 degrees of freedom."""
    logits = torch.tensor([2.0, 1.0, 0.0, -1.0, -9.0])
    config = replace(CONFIG, temperature=0.5, top_p=1.0)
    streams = [f"s{i}" for i in range(4000)]
    sampler = engine.StreamSampler(config, streams, 1, torch.device("cpu"))
    drawn = sampler(torch.zeros(4000, 1, dtype=torch.long), logits.expand(4000, -1)).argmax(-1)
    expected = 4000 * (logits / 0.5).softmax(-1)
    counts = Counter(drawn.tolist())
    chi2 = sum((counts[i] - e.item()) ** 2 / e.item() for i, e in enumerate(expected) if e > 1)
    assert chi2 < 16.3  # p = .001


def test_top_p_leaves_out_the_tail() -> None:
    config = replace(CONFIG, temperature=1.0, top_p=0.6)
    sampler = engine.StreamSampler(config, [f"s{i}" for i in range(500)], 1, torch.device("cpu"))
    logits = torch.log(torch.tensor([0.5, 0.3, 0.2]))
    drawn = sampler(torch.zeros(500, 1, dtype=torch.long), logits.expand(500, -1)).argmax(-1)
    assert set(drawn.tolist()) == {0, 1}


def test_noise_is_standard_gumbel() -> None:
    noise = engine.gumbel(torch.Generator().manual_seed(0), 100_000)
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
    stop = engine.StopAtText(opened.tokenizer, PROMPTING.stop, prompt_length=0)
    texts = ["It is.\nQuestion:", "It is no question at all"]
    rows = [opened.tokenizer(t, add_special_tokens=False)["input_ids"] for t in texts]
    longest = max(map(len, rows))
    ids = torch.tensor([[opened.tokenizer.pad_token_id] * (longest - len(r)) + r for r in rows])
    assert stop(ids, None).tolist() == [True, False]


def test_each_split_gets_its_samples() -> None:
    prompts = [Prompt("a", "c", "test", "p", "d", "u"), Prompt("b", "c", "validation", "p", "d", "u")]
    assert [(p.id, i) for p, i in expand(prompts, CONFIG)] == [("a", 0), ("a", 1), ("a", 2), ("b", 0)]
