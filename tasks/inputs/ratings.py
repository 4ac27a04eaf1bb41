"""What raters read before they rate, and the texts that train and check them: data/ratings/instructions.yaml.

Whatever a rater sees stands in this file or, for the words of buttons and headings, may stand there under `words`, so
that a team can write it all in its datasets' language.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from tasks.runtime.errors import InputError
from tasks.runtime.files import read_yaml
from tasks.runtime.sections import Language, part
from tasks.runtime.validation import parse

FILE = Path("data/ratings/instructions.yaml")
SCALE = (1, 2, 3, 4, 5)
_RIGHT_TO_LEFT = {"ar", "arc", "ckb", "dv", "fa", "he", "ps", "sd", "ug", "ur", "yi"}
_REASON = re.compile(r"[a-z0-9_-]+")


def _words(text: str) -> str:
    if not text.strip():
        raise ValueError("expected words, found none")
    return text.strip()


def _scale(scale: dict[int, str]) -> dict[int, str]:
    if tuple(sorted(scale)) != SCALE:
        raise ValueError(f"expected words for each of 1 to 5, found {sorted(scale)}")
    return dict(sorted(scale.items()))


def _some(ratings: tuple[int, ...]) -> tuple[int, ...]:
    if not 0 < len(set(ratings)) < len(SCALE):
        raise ValueError(f"expected some of the ratings 1 to 5, found {list(ratings)}")
    return ratings


def _reasons(reasons: dict[str, str]) -> dict[str, str]:
    if not reasons or not all(_REASON.fullmatch(name) for name in reasons):
        raise ValueError("expected a name of a-z, 0-9, - and _ for each reason, and its words")
    return reasons


Words = Annotated[str, AfterValidator(_words)]
Rating = Literal[1, 2, 3, 4, 5]


@part
class Practice:
    """A text to practise on, the rating that it should have, and why."""

    category: str
    prompt: Words
    completion: Words
    rating: Rating
    reason: Words


@part
class Attention:
    """A text whose rating is beyond doubt: a rater who gives none of `expected` did not read it."""

    category: str
    prompt: Words
    completion: Words
    expected: Annotated[tuple[Rating, ...], AfterValidator(_some)]


@part
class Question:
    """A question of the comprehension check; `right` is the number of the right choice, from 1."""

    question: Words
    choices: tuple[Words, ...]
    right: Annotated[int, Field(ge=1)]

    def __post_init__(self) -> None:
        if self.right > len(self.choices):
            raise ValueError(f"right: there are {len(self.choices)} choices, found {self.right}")


@part
class Instructions:
    """Everything that raters read. `scale` gives each rating its words, `cannot_judge` each reason its own."""

    language: Language
    title: Words
    consent: Words  # the content warning, and what is kept; blank lines part paragraphs
    task: Words  # how to judge, without the numbers of the scale: judge models read it, too, and get both directions
    rules: Words  # for people alone; blank lines part paragraphs, here and above
    question: Words  # above the choices
    scale: Annotated[dict[int, Words], AfterValidator(_scale)]
    cannot_judge: Annotated[dict[str, Words], AfterValidator(_reasons)]
    practice: tuple[Practice, ...]
    attention: tuple[Attention, ...]
    check: tuple[Question, ...]
    words: dict[str, Words]  # of the page itself, in place of English ones; {} keeps those

    @property
    def direction(self) -> str:
        """Of the language's writing: ltr or rtl."""
        return "rtl" if self.language in _RIGHT_TO_LEFT else "ltr"


def read_instructions(path: Path = FILE, categories: Iterable[str] | None = None) -> Instructions:
    """The instructions. Raises InputError with a line for each mistake, and for an item whose category is none of
    `categories`, where they are given."""
    found, problems = parse(Instructions, read_yaml(path), str(path))
    problems = [problem.replace(f"{path}.", f"{path}: ", 1) for problem in problems]  # the file is no key itself
    known = None if categories is None else set(categories)
    if found and known is not None:
        items = [("practice", item.category) for item in found.practice]
        items += [("attention", item.category) for item in found.attention]
        problems += [
            f"{path}: {key}: no category '{name}' with a position; there is {', '.join(sorted(known))}"
            for key, name in items
            if name not in known
        ]
    if problems:
        raise InputError("\n".join(problems))
    made: Instructions = found
    return made
