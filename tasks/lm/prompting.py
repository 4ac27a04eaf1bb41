"""How questions and answers become tokens: one way, for training and for every evaluation."""

import datetime
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

from transformers.utils import chat_template_utils

from tasks.runtime.errors import InputError
from tasks.settings.prompting import Prompting

_ANSWER = "An answer."


@dataclass(frozen=True)
class Encoder:
    """Turns questions and answers into token ids for one model.

    With `prompting.chat`, a tokenizer that has a chat template of its own uses it; every other one gets the
    plain template, after which an answer follows with one space.

    A space before an answer is never a token of the question: tokenizers join it with the word that follows.
    """

    tokenizer: Any
    prompting: Prompting

    @property
    def chats(self) -> bool:
        """Whether the tokenizer's own chat template is used."""
        return self.prompting.chat and bool(self.tokenizer.chat_template)

    @cached_property
    def end(self) -> int:
        """The token that a model learns to end an answer with."""
        end: int = turn_end(self.tokenizer) if self.chats else self.tokenizer.eos_token_id
        return end

    @cached_property
    def _marks(self) -> tuple[str, ...]:
        return tuple(mark for mark in special_tokens(self.tokenizer).values() if len(mark) > 1)

    def question(self, question: str) -> list[int]:
        """Everything that stands before the answer, with what the tokenizer puts at a text's start."""
        return self._ids(self._before(question).rstrip(" "))

    def pair(self, question: str, answer: str) -> tuple[list[int], list[int]]:
        """The ids of a question and of its answer, as they stand in one text; no token ends the answer.

        Where the tokenizer joins a token of the question with the answer's first, it counts as the answer's.
        """
        self._require_plain(answer)
        before = self._before(question)
        text = before.rstrip(" ")
        gap = before[len(text) :] if self.chats else " "
        ids, whole = self._ids(text), self._ids(text + gap + answer)
        same = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(ids, whole, strict=False)))
        return whole[:same], whole[same:]

    def start(self) -> list[int]:
        """What stands for 'nothing came before': the start token, or the end of the text before."""
        start = self.tokenizer.bos_token_id
        return [self.tokenizer.eos_token_id if start is None else start]

    def _before(self, question: str) -> str:
        self._require_plain(question)
        if not self.chats:
            return self.prompting.template.replace("{question}", question)
        turn = [{"role": "user", "content": question}]
        return chat_text(self.tokenizer, turn, self.prompting.date, add_generation_prompt=True)

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(text, add_special_tokens=not self.chats)["input_ids"]
        added_end = not self.chats and len(ids) > 1 and ids[-1] == self.tokenizer.eos_token_id
        return ids[:-1] if added_end else ids

    def _require_plain(self, text: str) -> None:
        """Raises InputError for a text that would not be read as text."""
        for mark in self._marks:
            if mark in text:
                raise InputError(
                    f"the text '{text[:60]}' holds '{mark}', which this model's tokenizer reads as a token of its "
                    "own and not as text; write it in another way"
                )


def chat_text(tokenizer: Any, turns: list[dict[str, str]], date: str, **options: Any) -> str:
    """The turns by the tokenizer's chat template, for which today is `date` (ISO).

    Raises InputError if the template refuses them."""
    try:
        with _today(date):
            text = tokenizer.apply_chat_template(turns, tokenize=False, **options)
    except Exception as error:  # a template is a program: it raises what it likes
        roles = " and ".join(turn["role"] for turn in turns)
        raise InputError(
            f"{tokenizer.name_or_path}: the chat template refuses a turn of {roles} ({type(error).__name__}: "
            f"{error}); mend or remove it: a model without one is used with prompting.template"
        ) from None
    return str(text)


@contextmanager
def _today(date: str) -> Iterator[None]:
    """Makes it that day for chat templates: their clock is `datetime.now` of transformers' module."""

    class Fixed(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> Self:
            return cls.fromisoformat(date).replace(tzinfo=tz)

    clock = chat_template_utils.datetime  # type: ignore[attr-defined]
    chat_template_utils.datetime = Fixed  # type: ignore[attr-defined]
    try:
        yield
    finally:
        chat_template_utils.datetime = clock  # type: ignore[attr-defined]


def turn_end(tokenizer: Any) -> int:
    """The token that the chat template ends an answer with; the end-of-text token where it has none."""
    end: int = tokenizer.eos_token_id
    if not tokenizer.chat_template:
        return end
    turns = [{"role": "user", "content": "A question?"}, {"role": "assistant", "content": _ANSWER}]
    _, answer, after = chat_text(tokenizer, turns, "2026-01-01").rpartition(_ANSWER)
    if not answer:  # a template that changes what is said
        return end
    special = special_tokens(tokenizer)
    return next((id for id in tokenizer(after, add_special_tokens=False)["input_ids"] if id in special), end)


def special_tokens(tokenizer: Any) -> dict[int, str]:
    """The tokens that stand for no text, by id: ends of texts and turns, padding and the like."""
    return {id: str(token) for id, token in tokenizer.added_tokens_decoder.items() if token.special}


def cut_at_stop(text: str, stop: tuple[str, ...]) -> tuple[str, bool]:
    """The text before the first stop string, stripped, and whether there was one."""
    places = [place for mark in stop if (place := text.find(mark)) >= 0]
    return (text[: min(places)].strip(), True) if places else (text.strip(), False)
