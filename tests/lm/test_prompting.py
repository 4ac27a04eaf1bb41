"""Questions and answers become the same tokens in training and in every evaluation."""

from pathlib import Path
from typing import Any

import pytest

from tasks.lm.models import load_tokenizer
from tasks.lm.prompting import Encoder, cut_at_stop
from tasks.settings.prompting import Prompting
from tests.fixtures.tiny import MODELS

PLAIN = Prompting(chat=True, template="Question: {question}\nAnswer:", date="2026-01-01", stop=("\nQuestion:",))
CHAT = (
    "{% for m in messages %}<eos>{{ m.role }}: {{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}bot: {% endif %}"
)


@pytest.fixture
def tokenizer(ladder: Path) -> Any:
    return load_tokenizer(ladder / next(iter(MODELS)))


def test_without_a_chat_template_the_plain_one_is_used(tokenizer: Any) -> None:
    encoder = Encoder(tokenizer, PLAIN)
    question, answer = encoder.pair("Why {so}?", "Because.")
    assert tokenizer.decode(question + answer) == "Question: Why {so}?\nAnswer: Because."


def test_a_tokenizers_own_chat_template_is_used_when_asked_for(tokenizer: Any) -> None:
    tokenizer.chat_template = CHAT
    encoder = Encoder(tokenizer, PLAIN)
    question, answer = encoder.pair("Why?", "Because.")
    assert tokenizer.decode(question + answer) == "<eos>user: Why?\nbot: Because."
    plain = Encoder(tokenizer, Prompting(chat=False, template=PLAIN.template, date=PLAIN.date, stop=PLAIN.stop))
    assert tokenizer.decode(plain.question("Why?")) == "Question: Why?\nAnswer:"


@pytest.mark.parametrize(
    ("text", "cut", "stopped"),
    [("a\nQuestion: b", "a", True), (" a ", "a", False), ("a b\nQ: c\nQuestion:", "a b", True), ("", "", False)],
)
def test_a_text_is_cut_at_the_first_stop_string(text: str, cut: str, stopped: bool) -> None:
    assert cut_at_stop(text, ("\nQuestion:", "\nQ:")) == (cut, stopped)
