"""generate: completions are those of the model, and end where the text or the answer ends."""

from dataclasses import replace

import pytest
import torch
from transformers import GenerationConfig

from tasks.generate import complete, completion
from tasks.inputs.dataset import AnswerPair, Prompt
from tasks.lm.engines.transformers import stops_at
from tasks.lm.models import OpenedModel
from tasks.lm.prompting import Encoder
from tasks.lm.sampling import Completion, require_some
from tasks.runtime.errors import WorkError
from tasks.settings.generate import Generate, SamplesPerPrompt
from tasks.settings.prompting import Prompting

PROMPTING = Prompting(chat=True, template="Question: {question}\nAnswer:", date="2026-01-01", stop=("\nQuestion:",))
COLD = Generate(SamplesPerPrompt(3, 1), 1e-6, 0.95, max_new_tokens=8, batch_size=4, seed=1)
PAIRS = (AnswerPair("d", "u"),)
PROMPTS = [
    Prompt("a", "c", "test", "Why?", PAIRS),
    Prompt("b", "c", "test", "What is salt made of?", PAIRS),
    Prompt("c", "c", "validation", "Who?", PAIRS),
]


@pytest.mark.usefixtures("precision")
def test_completions_are_those_of_transformers_own_generate(opened: OpenedModel) -> None:
    """Its likeliest tokens, text by text and without a cache, where the temperature leaves no choice."""
    encoder, eos = Encoder(opened.tokenizer, PROMPTING), opened.tokenizer.eos_token_id
    completions = complete(opened, PROMPTS, COLD, replace(PROMPTING, stop=()))
    for prompt, of_prompt, samples in zip(PROMPTS, completions, (3, 3, 1), strict=True):
        ids = torch.tensor([encoder.question(prompt.prompt)])
        config = GenerationConfig(  # type: ignore[no-untyped-call]
            do_sample=False, max_new_tokens=8, use_cache=False, pad_token_id=eos, eos_token_id=eos
        )
        with torch.inference_mode():
            expected = opened.model.generate(ids, generation_config=config)[0, ids.shape[1] :]  # type: ignore[operator]
        assert of_prompt == [completion(expected.tolist(), opened, ())] * samples


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
    opened: OpenedModel, text: str, reason: str, expected: str
) -> None:
    ids = opened.tokenizer(text, add_special_tokens=False)["input_ids"]
    found = completion(ids, opened, PROMPTING.stop)
    assert (found.text, found.finish_reason) == (expected, reason)


def test_a_stage_whose_completions_are_all_empty_says_so() -> None:
    some, none = Completion("So.", "stop", 2), Completion(" ", "stop", 1)
    require_some([[none, none], [none, some]], "why")
    with pytest.raises(WorkError, match="all 3 completions are empty: why"):
        require_some([[none, none], [none]], "why")


def test_a_row_stops_when_its_text_holds_a_stop_string(opened: OpenedModel) -> None:
    stopped = stops_at(opened.tokenizer, PROMPTING.stop)
    assert stopped is not None
    texts = ["It is.\nQuestion:", "It is no question at all"]
    assert [stopped(opened.tokenizer(t, add_special_tokens=False)["input_ids"]) for t in texts] == [True, False]
    assert stops_at(opened.tokenizer, ()) is None
