"""Questions and answers become the same tokens in training and in every evaluation."""

from pathlib import Path
from typing import Any

import pytest

from tasks.lm.models import load_tokenizer
from tasks.lm.prompting import Encoder, cut_at_stop
from tasks.settings.prompting import Prompting
from tests.fixtures.tiny import MODELS

PLAIN = Prompting(chat=True, template="Question: {question}\nAnswer:", stop=("\nQuestion:",))
CHAT = (
    "{% for m in messages %}<eos>{{ m.role }}: {{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}bot: {% endif %}"
)


@pytest.fixture
def tokenizer(ladder: Path) -> Any:
    return load_tokenizer(ladder / next(iter(MODELS)))


def test_without_a_chat_template_the_plain_one_is_used(tokenizer: Any) -> None:
    encoder = Encoder(tokenizer, PLAIN)
    text = tokenizer.decode(encoder.question("Why {so}?") + encoder.answer("Because."))
    assert text == "Question: Why {so}?\nAnswer: Because."


def test_a_tokenizers_own_chat_template_is_used_when_asked_for(tokenizer: Any) -> None:
    tokenizer.chat_template = CHAT
    encoder = Encoder(tokenizer, PLAIN)
    assert tokenizer.decode(encoder.question("Why?") + encoder.answer("Because.")) == "<eos>user: Why?\nbot: Because."
    plain = Encoder(tokenizer, Prompting(chat=False, template=PLAIN.template, stop=PLAIN.stop))
    assert tokenizer.decode(plain.question("Why?")) == "Question: Why?\nAnswer:"


def test_an_end_of_text_that_a_tokenizer_adds_is_taken_off_the_question(tokenizer: Any) -> None:
    class Adding:
        eos_token_id = tokenizer.eos_token_id
        chat_template = None

        def __call__(self, text: str) -> dict[str, list[int]]:
            return {"input_ids": [*tokenizer(text)["input_ids"], self.eos_token_id]}

    assert Encoder(Adding(), PLAIN).question("Why?") == Encoder(tokenizer, PLAIN).question("Why?")


@pytest.mark.parametrize(
    ("text", "cut", "stopped"),
    [("a\nQuestion: b", "a", True), (" a ", "a", False), ("a b\nQ: c\nQuestion:", "a b", True), ("", "", False)],
)
def test_a_text_is_cut_at_the_first_stop_string(text: str, cut: str, stopped: bool) -> None:
    assert cut_at_stop(text, ("\nQuestion:", "\nQ:")) == (cut, stopped)
