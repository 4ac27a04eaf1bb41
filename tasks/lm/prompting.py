"""How questions and answers become tokens: one way, for training and for every evaluation."""

from dataclasses import dataclass
from typing import Any

from tasks.settings.prompting import Prompting


@dataclass(frozen=True)
class Encoder:
    """Turns questions and answers into token ids for one model.

    With `prompting.chat`, a tokenizer that has a chat template of its own uses it; every other one gets the
    plain template, after which an answer follows with one space.
    """

    tokenizer: Any
    prompting: Prompting

    @property
    def chats(self) -> bool:
        """Whether the tokenizer's own chat template is used."""
        return self.prompting.chat and bool(self.tokenizer.chat_template)

    def question(self, question: str) -> list[int]:
        """Everything that stands before the answer, with what the tokenizer puts at a text's start."""
        if self.chats:
            turn = [{"role": "user", "content": question}]
            chat: list[int] = self.tokenizer.apply_chat_template(turn, add_generation_prompt=True, return_dict=False)
            return chat
        text = self.prompting.template.format(question=question)
        ids: list[int] = self.tokenizer(text)["input_ids"]
        ended = len(ids) > 1 and ids[-1] == self.tokenizer.eos_token_id
        return ids[:-1] if ended else ids

    def answer(self, answer: str) -> list[int]:
        """The answer without special tokens."""
        text = answer if self.chats else f" {answer}"
        ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def start(self) -> list[int]:
        """What stands for 'nothing came before': the start token, or the end of the text before."""
        start = self.tokenizer.bos_token_id
        return [self.tokenizer.eos_token_id if start is None else start]


def cut_at_stop(text: str, stop: tuple[str, ...]) -> tuple[str, bool]:
    """The text before the first stop string, stripped, and whether there was one."""
    places = [place for mark in stop if (place := text.find(mark)) >= 0]
    return (text[: min(places)].strip(), True) if places else (text.strip(), False)
