"""Training samples as curate leaves them: one JSON object a line."""

import json
from dataclasses import dataclass, fields
from pathlib import Path

from tasks.runtime import files
from tasks.runtime.errors import InputError


@dataclass(frozen=True)
class Sample:
    """One training text."""

    id: str
    category: str
    question: str
    answer: str


def read_samples(path: Path) -> list[Sample]:
    """The samples of a JSONL file that curate made. Raises InputError naming the line that is none."""
    samples = []
    for number, line in enumerate(files.read_text(path).split("\n"), 1):
        if not line:
            continue
        try:
            samples.append(Sample(**json.loads(line)))
        except (json.JSONDecodeError, TypeError):
            keys = ", ".join(field.name for field in fields(Sample))
            raise InputError(f"{path}: line {number}: expected {keys}; run curate again") from None
    return samples
