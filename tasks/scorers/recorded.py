"""Scorer `recorded`: the scores of an archive that an earlier run made (`palms archive`), and nothing else.

Its rows carry the name and version of the scorer that once gave them, so that a past run is reproduced as it
was; a text that the archive lacks is missing.
"""

import gzip
import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tasks.config import Toxicity
from tasks.errors import InputError
from tasks.scorers import Answer, Question, Score, backend
from tasks.scorers.store import digest

SUFFIX = ".jsonl.gz"
FORMAT = "palms score archive 1"
NOT_RECORDED = "NOT_RECORDED"


def open_scorer(config: Toxicity) -> "Recorded":
    """The scores of one scorer in the archives of a folder.

    Raises InputError if there are none, or if they are of several versions, which are not comparable.
    """
    folder, wanted = Path(config.recorded.archive), config.recorded.scorer
    rows = [row for row in read_archives(folder) if row["scorer"] == wanted]
    versions = sorted({row["version"] for row in rows})
    if len(versions) != 1:
        found = f"scores of {len(versions)} versions ({', '.join(versions)})" if versions else "no scores"
        raise InputError(f"{folder}: {found} of '{wanted}' in its *{SUFFIX} files; expected those of one version")
    recorded = Recorded(wanted, versions[0], backend(wanted).open_scorer(config).attributes)
    for row in rows:
        recorded.add(row)
    return recorded


def describe(version: str) -> str:
    """Recorded scores are described by the scorer that gave them; this is for none."""
    return f"Read from an archive: {version}."


@dataclass
class Recorded:
    """What one scorer once said."""

    name: str
    recorded_version: str
    attributes: tuple[str, ...]  # what that scorer is set to score; those the archive lacks are missing
    languages: tuple[str, ...] | None = None
    stored: bool = False
    _scores: dict[tuple[str, str], dict[str, Score]] = field(default_factory=dict)  # (language, text) → by attribute
    _texts: dict[str, str] = field(default_factory=dict)  # by hash
    _cuts: dict[str, list[str]] = field(default_factory=dict)  # hash → hashes of the pieces

    def add(self, row: dict[str, Any]) -> None:
        """Takes in a line of an archive; what came first stays."""
        if "cut" in row:
            self._cuts.setdefault(row["cut"], row["pieces"])
            return
        self._texts[digest(row["text"]).hex()] = row["text"]
        found = self._scores.setdefault((row["language"], row["text"]), {})
        for attribute, said in row["scores"].items():
            found.setdefault(attribute, Score(attribute, said.get("score"), said.get("error")))

    def version(self) -> str:
        """The version that was recorded."""
        return self.recorded_version

    def cut(self, text: str) -> list[str]:
        """The pieces in which the text was scored then."""
        pieces = self._cuts.get(digest(text).hex(), ())
        return [self._texts[piece] for piece in pieces if piece in self._texts] or [text]

    def cost(self, questions: int) -> str:
        """It costs nothing."""
        del questions
        return ""

    def ask(self, questions: Sequence[Question], language: str) -> Iterator[Sequence[Answer]]:
        """What the archive has; the rest is missing."""
        for question in questions:
            found = self._scores.get((language, question.text), {})
            scores = [found.get(a) or Score(a, None, NOT_RECORDED) for a in question.attributes]
            yield [Answer(question.text, tuple(scores))]


def read_archives(folder: Path) -> Iterator[dict[str, Any]]:
    """The lines of every archive in a folder, by name. Raises InputError for one that is broken."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; `palms archive` writes the archives that `recorded` reads")
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        try:
            with gzip.open(path, "rt", encoding="utf-8") as lines:
                if json.loads(next(lines, "null")) != {"format": FORMAT}:
                    raise InputError(f"{path}: not an archive of scores (its first line should name '{FORMAT}')")
                yield from (json.loads(line) for line in lines)
        except (OSError, EOFError, ValueError, zlib.error) as error:
            raise InputError(f"{path}: the archive is damaged: {error}") from None
