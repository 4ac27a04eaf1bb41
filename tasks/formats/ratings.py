"""Ratings by people: `data/ratings/<rater>.csv`, a row an answer, and `closed.json`, which ends the rating.

A text is known by a hash of its prompt and completion, so ratings outlive a sweep that makes the same text again, and a
rater's file never says which model or arm wrote it.
"""

import csv
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.runtime.errors import InputError
from tasks.runtime.files import read_text, write_text
from tasks.runtime.sections import NAME, NAME_RULE
from tasks.text.shown import whole_characters

if TYPE_CHECKING:
    import pandas as pd  # slow to import, and the page on which people rate has no use for it

COLUMNS = ("text_id", "rater", "kind", "rating", "reason", "note", "seconds", "rated_at")
KINDS = ("rating", "repeat", "attention", "practice")
METRIC = "rating"  # of the scores that the stage writes
SCALE = (1, 2, 3, 4, 5)
CLOSED = "closed.json"


@dataclass(frozen=True)
class Closed:
    """When the rating ended, and how much had been rated then."""

    closed_at: str  # UTC, ISO 8601
    texts: int
    ratings: int
    cannot_judge: int
    raters: int


def text_id(prompt: str, completion: str) -> str:
    """The first 16 hex digits of SHA-256 of the prompt and the completion, as a page can show them."""
    return hashlib.sha256(whole_characters(f"{prompt}\0{completion}").encode()).hexdigest()[:16]


def write_rater(folder: Path, rater: str, rows: Iterable[Mapping[str, Any]]) -> Path:
    """Writes one rater's answers, whole; a missing value is an empty cell. Returns the file."""
    path = folder / f"{rater}.csv"
    out = StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: "" if row.get(name) is None else row[name] for name in COLUMNS} for row in rows)
    write_text(path, out.getvalue())
    return path


def read_ratings(folder: Path) -> "pd.DataFrame":
    """The rows of `read_rows` as a table; missing numbers are NaN."""
    import pandas as pd

    return pd.DataFrame(read_rows(folder), columns=list(COLUMNS)).astype({"rating": "float64", "seconds": "float64"})


def read_rows(folder: Path) -> list[dict[str, Any]]:
    """Every answer of every rater, with `COLUMNS`; `rating` and `seconds` are numbers or None, texts "" where there
    are none. Raises InputError with a line for each mistake."""
    rows: list[dict[str, Any]] = []
    problems: list[str] = []
    for path in sorted(folder.glob("*.csv")):
        read, wrong = _read_file(path)
        rows, problems = rows + read, problems + wrong
    if problems:
        raise InputError("\n".join(problems))
    return rows


def _read_file(path: Path) -> tuple[list[dict[str, Any]], list[str]]:
    if not NAME.fullmatch(path.stem):
        return [], [f"{path}: {NAME_RULE}; the file is named as its rater"]
    lines = csv.DictReader(StringIO(read_text(path).removeprefix("\ufeff"), newline=""))
    if absent := [name for name in COLUMNS if name not in (lines.fieldnames or ())]:
        return [], [f"{path}: no column {', '.join(absent)}; expected {', '.join(COLUMNS)}"]
    rows: list[dict[str, Any]] = []
    problems: list[str] = []
    rated: set[str] = set()
    for number, line in enumerate(lines, 2):
        row: dict[str, Any] = {name: line[name] or "" for name in COLUMNS}
        faults = list(_faults(row, path.stem, rated))
        problems += [f"{path}: row {number}: {fault}" for fault in faults]
        if not faults:
            rows.append(row | {name: float(row[name]) if row[name] else None for name in ("rating", "seconds")})
    return rows, problems


def _faults(row: Mapping[str, str], rater: str, rated: set[str]) -> Iterable[str]:
    """What is wrong with a row of this rater, who has `rated` these texts in the rows before."""
    if row["rater"] != rater:
        yield f"rater: expected '{rater}', as the file is named, found '{row['rater']}'"
    if row["kind"] not in KINDS:
        yield f"kind: expected one of {', '.join(KINDS)}, found '{row['kind']}'"
    if not row["text_id"]:
        yield "text_id: expected a text's hash, found nothing"
    if row["rating"] not in {"", *map(str, SCALE)}:
        yield f"rating: expected a whole number from 1 to 5 or nothing, found '{row['rating']}'"
    if row["kind"] in KINDS[:2] and bool(row["rating"]) == bool(row["reason"]):
        yield "expected a rating, or the reason why the text cannot be judged"
    if row["seconds"] and not _is_duration(row["seconds"]):
        yield f"seconds: expected a number from 0 on or nothing, found '{row['seconds']}'"
    if row["rated_at"] and not _is_time(row["rated_at"]):
        yield f"rated_at: expected a time as 2026-01-31T12:00:00Z or nothing, found '{row['rated_at']}'"
    if row["kind"] == "rating":
        if row["text_id"] in rated:
            yield f"text {row['text_id']} is rated a second time; a repeat has the kind 'repeat'"
        rated.add(row["text_id"])


def _is_duration(text: str) -> bool:
    try:
        return 0 <= float(text) < float("inf")
    except ValueError:
        return False


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def read_closed(folder: Path) -> Closed | None:
    """When rating ended and with what, or None while it goes on. Raises InputError for a file that does not say so."""
    path = folder / CLOSED
    if not path.is_file():
        return None
    try:
        read = json.loads(read_text(path))
        return Closed(**{name: kind(read[name]) for name, kind in Closed.__annotations__.items()})
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path}: not as `palms rate close` writes it: {error}") from None


def read_progress(folder: Path) -> dict[str, Any]:
    """The one row of `progress.csv` that the stage wrote; `closed_at` is NaN while rating goes on."""
    path = folder / "progress.csv"
    if not path.is_file():
        raise InputError(f"{path}: no such file; `dvc repro ratings` makes it")
    import pandas as pd

    return {str(name): value for name, value in pd.read_csv(path).to_dict("records")[0].items()}


def primary_of(contrasts: "pd.DataFrame", default: str) -> str:
    """The metric of the confirmatory family in a table of contrasts: the planned one, or the ratings in its place."""
    found = contrasts.loc[contrasts["role"] == "primary", "metric"].unique()
    return str(found[0]) if len(found) else default
