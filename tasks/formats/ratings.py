"""Ratings by people as files: one CSV a rater in data/ratings, keyed by text, and the record of their closing.

A text is named by a hash of its prompt and completion, so that ratings outlive a re-run that makes the same text, and
no rater, page or file of ratings says which model or arm it came from.
"""

import csv
import hashlib
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tasks.runtime.files import write_text

COLUMNS = ("text_id", "rater", "kind", "rating", "reason", "note", "seconds", "rated_at")
KINDS = ("rating", "repeat", "attention", "practice")
CLOSED = "closed.json"  # in the same folder; without it nothing by arm is computed or shown


def text_id(prompt: str, completion: str) -> str:
    """The name of a text to rate: 16 hex digits."""
    return hashlib.sha256(f"{prompt}\0{completion}".encode("utf-8", "replace")).hexdigest()[:16]


def write_rater(folder: Path, rater: str, rows: Iterable[Mapping[str, Any]]) -> Path:
    """Writes what a rater gave, whole: `rows` have the keys of `COLUMNS`; None is an empty field. Returns the file."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    path = folder / f"{rater}.csv"
    write_text(path, text.getvalue())
    return path
