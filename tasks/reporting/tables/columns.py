"""The columns of the page's tables: what stands over each, and how its figures are written.

One dictionary for all of them, `columns.yaml`; a table names its columns by their keys, and says where it differs.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tasks.runtime.files import read_yaml

Kind = Literal["text", "number", "signed", "percent", "count", "size"]


@dataclass(frozen=True)
class Column:
    """A column of the data: its key, its heading, and how its figures are written."""

    key: str
    label: str
    kind: Kind = "text"
    digits: int = 3


COLUMNS = {
    key: Column(key, heading, group.split()[0], int(group.partition(" ")[2] or 0))
    for group, headings in read_yaml(Path(__file__).with_suffix(".yaml")).items()
    for key, heading in headings.items()
}


def columns(keys: str, digits: int | None = None, **changed: str | tuple[str, Kind]) -> tuple[Column, ...]:
    """The columns of these keys, parted by spaces; their numbers with so many `digits`; some of them `changed`, under
    a heading of the table's own, or under another heading and of another kind."""
    return tuple(_column(key, digits, changed.get(key)) for key in keys.split())


def _column(key: str, digits: int | None, changed: str | tuple[str, Kind] | None) -> Column:
    column = COLUMNS[key]
    label, kind = changed if isinstance(changed, tuple) else (changed or column.label, column.kind)
    places = digits if digits is not None and kind in ("number", "signed") else column.digits
    return Column(key, label, kind, places)
