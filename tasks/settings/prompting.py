import datetime
import re
from typing import Annotated

from tasks.runtime.sections import matching, section


@section("prompting")
class Prompting:
    """How a question becomes the text a model sees; the same for training and every evaluation."""

    chat: bool  # use the tokenizer's own chat template where it has one
    template: str  # everywhere else; with {question}, and the answer follows after one space
    date: str  # ISO; "today" for a chat template that asks for it
    # a completion ends before the first of these
    stop: tuple[Annotated[str, matching(r"(?s).+", "expected a text that is not empty")], ...]

    def __post_init__(self) -> None:
        try:
            datetime.date.fromisoformat(self.date)
        except ValueError:
            raise ValueError(f'date: expected a date such as "2026-01-31", found {self.date!r}') from None
        if self.template.count("{question}") != 1:
            raise ValueError("template: expected {question} in it, once")
        if re.search(r"[{}]", self.template.replace("{question}", "")):
            raise ValueError(f"template: expected no braces but those of {{question}}, found {self.template!r}")
