"""The report's sentences: each is a macro of a template in this folder, and Python decides which one is said.

`say("headline.better", …)` is the macro `better` of headline.j2. In a template a line break is a space, and a space
before a full stop or the like is none, so that lines may end anywhere.
"""

import re
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from tasks.reporting.words import terms

_HERE = Path(__file__).parent


def environment(folder: Path, *, autoescape: bool) -> jinja2.Environment:
    """Templates of a folder, with the formatter of figures as filters. A fact that is not given is an error."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=autoescape,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    figures = (terms.number, terms.signed, terms.p_value, terms.percent, terms.level, terms.listed, terms.counted)
    made.filters |= {write.__name__: write for write in figures} | {"each": _each}
    return made


def phrase(name: str, *facts: Any, **named: Any) -> str:
    """The words of a macro, to stand within a sentence. They are plain text: the page escapes them."""
    file, macro = name.split(".")
    return _tidy(getattr(_macros(file), macro)(*facts, **named))


def say(name: str, *facts: Any, **named: Any) -> str:
    """The words of a macro as a sentence: it begins with a capital."""
    text = phrase(name, *facts, **named)
    return text[:1].upper() + text[1:]


def _each(items: Iterable[Any], macro: Callable[[Any], str]) -> list[str]:
    """The filter `rows | each(macro)`: the words of the macro for each."""
    return [_tidy(macro(item)) for item in items]


def _tidy(text: str) -> str:
    return re.sub(r" (?=[.,;:)])|(?<=\() ", "", re.sub(r"[ \n]+", " ", text)).strip()


@cache
def _macros(file: str) -> Any:
    return environment(_HERE, autoescape=False).get_template(f"{file}.j2").module
