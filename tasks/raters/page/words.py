"""The words of the page itself: English ones, and in their place those of the instructions."""

import string
from pathlib import Path

from tasks.inputs.ratings import FILE, Instructions
from tasks.runtime.errors import InputError
from tasks.runtime.files import read_yaml

_ENGLISH = Path(__file__).with_name("words.yaml")


def page_words(instructions: Instructions) -> dict[str, str]:
    """All words by name. Raises InputError for a name that the page does not have, and where a figure was left out."""
    english: dict[str, str] = {name: str(words) for name, words in read_yaml(_ENGLISH).items()}
    problems = []
    for name, words in instructions.words.items():
        if name not in english:
            problems.append(f"{FILE}: words: the page has no '{name}'; it has {', '.join(english)}")
        elif _figures(words) != _figures(english[name]):
            needed = ", ".join(f"{{{figure}}}" for figure in sorted(_figures(english[name]))) or "no {…}"
            problems.append(f"{FILE}: words.{name}: expected {needed} in it")
    if problems:
        raise InputError("\n".join(problems))
    return english | dict(instructions.words)


def _figures(words: str) -> set[str]:
    try:
        return {field for _, field, _, _ in string.Formatter().parse(words) if field is not None}
    except ValueError:  # a single brace
        return {"?"}
