"""The page as HTML: the sections put into their templates, where whatever is text is escaped."""

import base64
import dataclasses
import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import jinja2
from markupsafe import Markup, escape

from tasks.reporting.page.provenance import made
from tasks.reporting.page.section import Results, Section
from tasks.reporting.page.words import WordTable
from tasks.reporting.tables.tables import Table, csv_address
from tasks.reporting.words.sentences import environment as templates
from tasks.runtime.errors import WorkError
from tasks.text.shown import safe

MOST_BYTES = 3_000_000  # what can be mailed and opened everywhere
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


def render(results: Results, sections: Sequence[Section]) -> tuple[str, Mapping[str, str]]:
    """The page as HTML, and the CSV of each table it has no room for, by name.

    Raises WorkError if the page is too large to be mailed and opened everywhere even without large tables.
    """
    budget = Budget(0)
    environment = templates(_HERE, autoescape=True)
    environment.filters |= {"held": held, "commands": commands, "safe_text": safe}
    environment.filters |= {"afforded": budget.afforded, "csv_address": csv_address}
    least = _render(environment, results, sections)
    size = len(least.encode())
    if size >= MOST_BYTES:
        raise WorkError(f"the page has {size:,} bytes, more than {MOST_BYTES:,}; report on fewer models or arms")
    if not budget.left_out:
        return least, {}
    budget.left, budget.left_out = MOST_BYTES - 1 - size, {}
    return _render(environment, results, sections), budget.left_out


def _render(environment: jinja2.Environment, results: Results, sections: Sequence[Section]) -> str:
    """Every section by its template, and the page around them."""
    study = results.study
    shared = {  # what every template reads
        "show": environment.get_template("macros.html.j2").module,
        "study": study,
        "models": study.models,
        "control": study.config.control,
        "target": study.config.target,
        "metric": results.metric,
        "categories": list(dict.fromkeys(prompt.category for prompt in study.test_prompts)),
    }
    bodies = {}
    for section in sections:
        named = {
            "figures": {figure.name: figure for figure in section.figures},
            "tables": {table.name: _narrowed(table, study.models) for table in section.tables},
        }
        template = environment.get_template(f"{section.name}.html.j2")
        bodies[section.name] = Markup(template.render(**shared, **named, **section.content))
    style, script = (Markup((_HERE / name).read_text("utf-8")) for name in ("style.css", "explorer.js"))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    page = environment.get_template("page.html.j2")
    whole = {"style": style, "script": script, "script_hash": f"sha256-{digest}", "made": made()}
    return page.render(**shared, **whole, sections=sections, bodies=bodies)


def _narrowed(table: Table, models: Sequence[str]) -> Table:
    """The table without its column of models where there is only one."""
    keep = [place for place, column in enumerate(table.columns) if column.key != "model" or len(models) > 1]
    if len(keep) in (0, len(table.columns)):
        return table
    columns, rows = [table.columns[place] for place in keep], [[row[place] for place in keep] for row in table.rows]
    return dataclasses.replace(table, columns=columns, rows=rows)


def held(text: str) -> str:
    """`text` with its figures held to their signs and units, so that a line never ends in `p <`."""
    return re.sub(r"\bp ([<=]) (?=\d)", "p\u00a0\\1\u00a0", text)


def commands(text: str) -> Markup:
    """`text` escaped, and what stands between back quotes as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))
