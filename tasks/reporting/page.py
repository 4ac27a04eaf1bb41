"""The page as HTML: the contents put into the template, where whatever is text is escaped."""

import re
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from tasks.errors import WorkError
from tasks.reporting.contents import Page

MOST_BYTES = 5_000_000  # what can be mailed and opened everywhere
_HERE = Path(__file__).parent


def render(page: Page, choices: Mapping[str, Any], provenance: Mapping[str, Any]) -> str:
    """The page as HTML. Raises WorkError if it is too large to be mailed and opened everywhere."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["held"] = held
    text = environment.get_template("page.html.j2").render(
        page=page,
        study=page.study,
        found=page.found,
        frame=page.frame,
        figures={name: Markup(figure.svg) for name, figure in page.figures.items()},
        captions={name: figure.caption for name, figure in page.figures.items()},
        choices={name: flat(section) for name, section in choices.items()},
        provenance=provenance,
        style=Markup((_HERE / "style.css").read_text("utf-8")),
    )
    if (found := len(text.encode())) >= MOST_BYTES:
        raise WorkError(f"the page has {found:,} bytes, more than {MOST_BYTES:,}; report on fewer models or arms")
    return text


def held(text: str) -> str:
    """`text` with its figures held to their signs and units, so that a line never ends in `p <`."""
    return re.sub(r"\bp ([<=]) (?=\d)", "p\u00a0\\1\u00a0", text)


def flat(section: Any, key: str = "") -> list[tuple[str, str]]:
    """A section of params.yaml as (dotted key, value)."""
    value = asdict(section) if is_dataclass(section) and not isinstance(section, type) else section
    if isinstance(value, Mapping):
        return [row for name, item in value.items() for row in flat(item, f"{key}.{name}" if key else str(name))]
    if isinstance(value, list | tuple):
        return [
            (key, ", ".join(repr(item) if isinstance(item, str) and not item.strip() else str(item) for item in value))
        ]
    return [(key, "none" if value is None else str(value))]
