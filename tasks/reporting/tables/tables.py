"""Tables of the page: rounded to be read, unrounded in each figure's title and in the CSV that hangs on the table."""

import base64
import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from tasks.reporting.tables.columns import Column, Kind
from tasks.reporting.words.terms import NOTHING, known, number, percent, signed, size

MOST_COLUMNS = 11  # of a table that this page has no words for
REMARKS = ("reason", "note")  # shown where some row has one
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what makes a cell a formula


@dataclass(frozen=True)
class Entry:
    """One figure or word: as it is read, and unrounded."""

    text: str
    exact: str
    numeric: bool


@dataclass(frozen=True)
class Table:
    """A table ready for the template; the first entry of a row is its heading."""

    name: str
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Entry]]
    csv: str  # the whole unrounded table


def shown(
    name: str, caption: str, data: pd.DataFrame, columns: Sequence[Column], whole: pd.DataFrame | None = None
) -> Table:
    """The columns of `data` that are there, the ends of an interval in one; the CSV is of `whole`, or of `data`."""
    idle = {remark for remark in REMARKS if remark in data and data[remark].isna().all()}
    present = [column for column in columns if column.key in data and column.key not in idle]
    ends = {lo.key: hi for lo, hi in itertools.pairwise(present) if _ends(lo, hi)}
    columns = [replace(c, label=c.label.removesuffix(" from")) if c.key in ends else c
               for c in present if c not in ends.values()]  # fmt: skip
    rows = [
        [_entry(row, column, ends.get(column.key)) for column in columns] for row in data.to_dict("records")
    ]
    return Table(name, caption, columns, rows, csv_text(data if whole is None else whole))


def _ends(lo: Column, hi: Column) -> bool:
    """Whether two columns hold the ends of one interval."""
    return lo.key.endswith("_lo") and hi.key == f"{lo.key.removesuffix('_lo')}_hi"


def _entry(row: Mapping[Any, Any], column: Column, end: Column | None) -> Entry:
    first = entry(row[column.key], column)
    if end is None or not first.exact:
        return first
    last = entry(row[end.key], end)
    return Entry(f"{first.text} to {last.text}", f"{first.exact} to {last.exact}", True)


def entry(value: Any, column: Column) -> Entry:
    """One figure or word of a table."""
    if not isinstance(value, str) and (value is None or pd.isna(value)):
        return Entry(NOTHING, "", column.kind != "text")
    figure, digits = value.item() if hasattr(value, "item") else value, column.digits  # Python's own number
    if column.kind == "text" or not known(figure):
        return Entry(str(value), "", False)
    written = {
        "number": lambda: number(figure, digits),
        "signed": lambda: signed(figure, digits),
        "percent": lambda: percent(figure, digits),
        "count": lambda: f"{figure:.0f}",
        "size": lambda: size(figure),
    }[column.kind]()
    return Entry(written, repr(figure), True)


def as_counts(shares: "pd.Series[Any]", whole: int) -> "pd.Series[Any]":
    """Shares of so many as they are read, "27 of 40"; None where a share is not known."""
    return shares.map(lambda share: f"{share * whole:.0f} of {whole}" if known(share) else None)


def guessed(name: str, caption: str, data: pd.DataFrame) -> Table:
    """A table that this page has no words for: every column under its own name, but those that never change and so
    stand in the CSV alone."""
    changing = [key for key in data if len(data) < 2 or data[key].nunique(dropna=False) > 1 or key in REMARKS]
    columns = [Column(str(key), str(key).replace("_", " "), _kind(data[key])) for key in changing[:MOST_COLUMNS]]
    return shown(name, caption, data, columns)


def _kind(values: "pd.Series[Any]") -> Kind:
    if pd.api.types.is_bool_dtype(values) or not pd.api.types.is_numeric_dtype(values):
        return "text"
    whole = values.dropna()
    return "count" if len(whole) and (whole % 1 == 0).all() else "number"


def csv_address(text: str) -> str:
    """CSV as a data: address, so that it travels with the page."""
    return "data:text/csv;base64," + base64.b64encode(text.encode()).decode()


def csv_text(data: pd.DataFrame) -> str:
    """The table as CSV, unrounded; a text that a spreadsheet would run as a formula has an apostrophe before it."""
    texts = data.select_dtypes(["object", "string"]).columns
    safe = data.copy()
    safe[texts] = data[texts].map(_harmless)
    return str(safe.rename(columns=_harmless).to_csv(index=False, lineterminator="\n"))


def _harmless(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    text = re.sub(r"\r\n?", "\n", value)  # which to_csv would leave without quotes, and so break the row
    return f"'{text}" if value.startswith(FORMULA) else text
