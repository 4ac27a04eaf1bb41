"""Models as people bring them: every text is read as one, and ends where its family ends one."""


from dataclasses import replace

import pytest
import torch

from tasks.adherence import score
from tasks.formats.samples import Sample
from tasks.generate import complete, completion
from tasks.inputs.dataset import AnswerPair, Prompt
from tasks.lm.engines.transformers import sample
from tasks.lm.models import OpenedModel
from tasks.lm.prompting import Encoder, chat_text, turn_end
from tasks.lm.sampling import EncodedPrompt
from tasks.runtime.errors import InputError
from tasks.settings.finetune import Finetune, ModelFinetune
from tasks.settings.generate import Generate, SamplesPerPrompt
from tasks.settings.prompting import Prompting
from tasks.training.recipe import Recipe
from tasks.training.rows import encode
from tests.fixtures import families
from tests.support.precision import opened_in_fp32

pytestmark = pytest.mark.usefixtures("precision")
PROMPTING = Prompting(chat=True, template="Question: {question}\nAnswer:", date="2026-01-01", stop=())
QUESTION, ANSWER = "Why  is it — 日本?", "Because of rain."
ENDS = {"gpt2": {"<|endoftext|>"}, "llama2": {"</s>"}, "gemma": {"<eos>", "<end_of_turn>"}}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, OpenedModel]:
    folder = tmp_path_factory.mktemp("families")
    for family in families.FAMILIES:
        families.make_model(folder / family, family)
    return {family: opened_in_fp32(folder / family) for family in families.FAMILIES}


@pytest.fixture(params=families.FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def texts(family: str) -> tuple[str, str]:
    """A question as the family's models get it, and the answer after it."""
    if family == "gemma":
        return f"<bos><start_of_turn>user\n{QUESTION}<end_of_turn>\n<start_of_turn>model\n", ANSWER
    return f"Question: {QUESTION}\nAnswer:", f" {ANSWER}"


def test_question_and_answer_are_the_tokens_of_one_text(models: dict[str, OpenedModel], family: str) -> None:
    tokenizer = models[family].tokenizer
    encoder = Encoder(tokenizer, PROMPTING)
    question, answer = encoder.pair(QUESTION, ANSWER)
    before, after = texts(family)
    assert question + answer == tokenizer(before + after, add_special_tokens=family != "gemma")["input_ids"]
    assert question == encoder.question(QUESTION)
    pieces = tokenizer.convert_ids_to_tokens(answer)
    assert "".join(pieces).replace("Ġ", " ").replace("▁", " ") == after  # one space before it, or none


def test_training_and_scoring_read_these_tokens(models: dict[str, OpenedModel], family: str) -> None:
    opened = models[family]
    question, answer = Encoder(opened.tokenizer, PROMPTING).pair(QUESTION, ANSWER)
    recipe = Recipe(Finetune(0.0, 400, 0.0, 0.0, 1.0), ModelFinetune(1e-3, 1, 1), PROMPTING, seed=1)
    [row] = encode([Sample("s", "c", QUESTION, ANSWER)], opened.tokenizer, recipe)
    end = turn_end(opened.tokenizer)
    assert row["input_ids"] == [*question, *answer, end]
    assert end in opened.ends  # what training teaches is what generation stops at
    with torch.no_grad():
        logits = opened.model(input_ids=torch.tensor([question + answer])).logits[0].log_softmax(-1)
    expected = sum(logits[len(question) + i - 1, token].item() for i, token in enumerate(answer)) / len(answer)
    prompts = [Prompt("p", "c", "test", QUESTION, (AnswerPair(ANSWER, "No, it is not so."),)), *PROMPTS]
    assert score(opened, prompts, PROMPTING, 4)["desired"][0] == pytest.approx(expected, abs=1e-5)


PAIRS = (AnswerPair("It is.", "It is not."),)
PROMPTS = [Prompt(f"p{i}", "c", "test", text, PAIRS) for i, text in enumerate(("Who?", "What? " * 20))]


def test_a_completion_ends_at_every_declared_end(models: dict[str, OpenedModel], family: str) -> None:
    opened = models[family]
    assert set(opened.tokenizer.convert_ids_to_tokens(sorted(opened.ends))) == ENDS[family]
    words = opened.tokenizer("Yes.", add_special_tokens=False)["input_ids"]
    for end in opened.ends:
        made = completion([*words, end, *words], opened, ())
        assert (made.text, made.finish_reason, made.tokens) == ("Yes.", "stop", len(words))


def test_a_row_stops_at_each_of_them(models: dict[str, OpenedModel], family: str) -> None:
    """The random model's likeliest tokens, without an end and then with the third of them for one."""
    opened = models[family]
    cold = Generate(SamplesPerPrompt(1, 1), 1e-4, 1.0, max_new_tokens=6, batch_size=2, seed=1)
    encoded = [EncodedPrompt(Encoder(opened.tokenizer, PROMPTING).question("Who?"), ["s"])]
    [[free]] = sample(replace(opened, ends=frozenset({-1})), encoded, cold, "test")
    ended = replace(opened, ends=frozenset({free[2]}))
    [[stopped]] = sample(ended, encoded, cold, "test")
    assert stopped == free[: free.index(free[2]) + 1]
    assert len(complete(opened, PROMPTS, cold, PROMPTING)) == len(PROMPTS)


def test_today_is_the_parameters_day_and_not_the_clocks(models: dict[str, OpenedModel]) -> None:
    tokenizer = models["gemma"].tokenizer
    plain = tokenizer.chat_template
    try:
        tokenizer.chat_template = "Today is {{ strftime_now('%d %b %Y') }}. " + plain
        text = chat_text(tokenizer, [{"role": "user", "content": "Hi"}], "2024-02-29", add_generation_prompt=True)
    finally:
        tokenizer.chat_template = plain
    assert text.startswith("Today is 29 Feb 2024. ")


@pytest.mark.parametrize("template", ["{{ raise_exception('no system prompt') }}", "{% if %}", "{{ messages[0].x.y }}"])
def test_a_template_that_refuses_a_turn_is_one_line(models: dict[str, OpenedModel], template: str) -> None:
    tokenizer = models["gemma"].tokenizer
    plain = tokenizer.chat_template
    try:
        tokenizer.chat_template = template
        with pytest.raises(InputError, match="the chat template refuses a turn of user") as caught:
            Encoder(tokenizer, PROMPTING).question("Why?")
    finally:
        tokenizer.chat_template = plain
    assert "\n" not in str(caught.value)


def test_a_template_that_ends_in_a_space_leaves_it_to_the_answer(models: dict[str, OpenedModel], family: str) -> None:
    tokenizer = models[family].tokenizer
    spaced = Encoder(tokenizer, Prompting(chat=False, template="{question} A: ", date="2026-01-01", stop=()))
    tight = Encoder(tokenizer, Prompting(chat=False, template="{question} A:", date="2026-01-01", stop=()))
    assert spaced.pair(QUESTION, ANSWER) == tight.pair(QUESTION, ANSWER)
    assert spaced.question(QUESTION) == tight.question(QUESTION)


def test_a_text_that_holds_a_token_of_the_model_is_refused(models: dict[str, OpenedModel], family: str) -> None:
    encoder = Encoder(models[family].tokenizer, PROMPTING)
    for mark in ENDS[family]:
        for pair in ((f"Is {mark} a word?", ANSWER), (QUESTION, f"So it ends{mark}")):
            with pytest.raises(InputError, match="reads as a token of its own and not as text"):
                encoder.pair(*pair)


def test_the_end_of_a_turn_is_end_of_text_where_the_template_does_not_say(models: dict[str, OpenedModel]) -> None:
    tokenizer = models["gemma"].tokenizer
    plain = tokenizer.chat_template
    try:
        for template in ("<bos>{{ messages[-1].content }}", "<bos>{{ messages[-1].content | upper }}"):
            tokenizer.chat_template = template
            assert turn_end(tokenizer) == tokenizer.eos_token_id
    finally:
        tokenizer.chat_template = plain
