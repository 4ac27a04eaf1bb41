"""The report's sentences: each is a macro of a template in this folder, and Python decides which one is said.

`say("headline.better", …)` is the macro `better` of headline.j2. A line break in a template is a space.
"""

import re
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
    made.filters |= {write.__name__: write for write in figures}
    return made


def phrase(name: str, *facts: Any, **named: Any) -> str:
    """The words of a macro, to stand within a sentence. They are plain text: the page escapes them."""
    file, macro = name.split(".")
    return re.sub(r"[ \n]+", " ", str(getattr(_macros(file), macro)(*facts, **named))).strip()


def say(name: str, *facts: Any, **named: Any) -> str:
    """The words of a macro as a sentence: it begins with a capital."""
    text = phrase(name, *facts, **named)
    return text[:1].upper() + text[1:]


@cache
def _macros(file: str) -> Any:
    return environment(_HERE, autoescape=False).get_template(f"{file}.j2").module
