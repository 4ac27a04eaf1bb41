"""The page as HTML: the contents put into the template, where whatever is text is escaped."""

import re
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from tasks.reporting.findings.cooccurrence import WordTable
from tasks.reporting.page.contents import Page
from tasks.reporting.tables.tables import Table
from tasks.runtime.errors import WorkError

MOST_BYTES = 5_000_000  # what can be mailed and opened everywhere
SMALL = 40_000  # bytes of a table that the page always has room for
TABLES = "tables"  # the folder of CSV files beside the page
_HERE = Path(__file__).parent / "templates"


class Budget:
    """Spends the bytes left for large tables in the order of the page, and keeps those it could not afford."""

    def __init__(self, left: int) -> None:
        self.left = left
        self.left_out: dict[str, str] = {}  # CSV by the table's name

    def afforded(self, html: str, table: Table | WordTable) -> str:
        """The table as it is, or a line that says where it lies."""
        size = len(html.encode())
        if size > SMALL:
            if size > self.left:
                self.left_out[table.name] = table.csv
                return Markup(LEFT_OUT).format(caption=table.caption, file=f"{TABLES}/{table.name}.csv")
            self.left -= size
        return html


LEFT_OUT = (
    '<p class="note">{caption}: left out here to keep the page small; it is in the file <code>{file}</code> beside '
    "this page.</p>"
)


def render(page: Page, choices: Mapping[str, Any], provenance: Mapping[str, Any]) -> tuple[str, Mapping[str, str]]:
    """The page as HTML, and the CSV of each table it has no room for, by name.

    Raises WorkError if the page is too large to be mailed and opened everywhere even without large tables.
    """
    budget = Budget(0)
    template = _template(budget)
    least = _render(template, page, choices, provenance)
    found = len(least.encode())
    if found >= MOST_BYTES:
        raise WorkError(f"the page has {found:,} bytes, more than {MOST_BYTES:,}; report on fewer models or arms")
    if not budget.left_out:
        return least, {}
    budget.left, budget.left_out = MOST_BYTES - 1 - found, {}
    return _render(template, page, choices, provenance), budget.left_out


def _template(budget: Budget) -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"held": held, "afforded": budget.afforded}
    return environment.get_template("page.html.j2")


def _render(
    template: jinja2.Template, page: Page, choices: Mapping[str, Any], provenance: Mapping[str, Any]
) -> str:
    return template.render(
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
