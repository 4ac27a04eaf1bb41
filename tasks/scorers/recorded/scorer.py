"""Scorer `recorded`: the scores of an archive that an earlier run made (`palms archive`), and nothing else.

Its rows carry the name and version of the scorer that once gave them, so that a past run is reproduced as it
was; a text that the archive lacks is missing.
"""

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from tasks.runtime.errors import InputError
from tasks.scorers import Answer, Question, Score, backend
from tasks.scorers.store import digest
from tasks.settings.toxicity import Recorded as Settings
from tasks.settings.toxicity import Toxicity

SUFFIX = ".jsonl.gz"
FORMAT = "palms score archive 1"
NOT_RECORDED = "NOT_RECORDED"
_ANSWER = {"scorer", "version", "language", "text", "scores"}
_CUT = {"scorer", "version", "cut", "chunks"}


def open_scorer(config: Toxicity) -> "Recorded":
    """The scores of one scorer in the archives of a folder.

    Raises InputError if there are none, or if they are of several versions, which are not comparable, and
    `toxicity.recorded.version` chooses none of them.
    """
    wanted = config.recorded.scorer
    rows = [row for row in read_archives(Path(config.recorded.archive)) if row["scorer"] == wanted]
    version = _version(rows, config.recorded)
    recorded = Recorded(wanted, version, backend(wanted).open_scorer(config).attributes)
    for row in rows:
        if row["version"] == version:
            recorded.add(row)
    return recorded


def _version(rows: Sequence[Mapping[str, Any]], config: Settings) -> str:
    versions = sorted({row["version"] for row in rows if "scores" in row})
    chosen = [version for version in versions if config.version in (None, version)]
    if len(chosen) == 1:
        return str(chosen[0])
    of = f"of '{config.scorer}' in its *{SUFFIX} files"
    if not versions:
        raise InputError(f"{config.archive}: no scores {of}")
    raise InputError(
        f"{config.archive}: scores of {len(versions)} versions {of} ({', '.join(versions)}), which are never pooled; "
        "toxicity.recorded.version chooses one"
    )


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
    _cuts: dict[str, list[str]] = field(default_factory=dict)  # hash → hashes of the chunks

    def add(self, row: dict[str, Any]) -> None:
        """Takes in a line of an archive; what came first stays."""
        if "cut" in row:
            self._cuts.setdefault(row["cut"], row["chunks"])
            return
        self._texts[digest(row["text"]).hex()] = row["text"]
        found = self._scores.setdefault((row["language"], row["text"]), {})
        for attribute, said in row["scores"].items():
            found.setdefault(attribute, Score(attribute, said.get("score"), said.get("error")))

    def version(self) -> str:
        """The version that was recorded."""
        return self.recorded_version

    def cut(self, text: str) -> list[str]:
        """The chunks in which the text was scored then; the text itself, which is not recorded, if one is missing."""
        chunks = self._cuts.get(digest(text).hex(), ())
        return [self._texts[chunk] for chunk in chunks] if chunks and self._texts.keys() >= set(chunks) else [text]

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
        yield from read_archive(path)


def read_archive(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of an archive: those with `scores` are answers, those with `cut` say how a long text was cut.

    Raises InputError if it is broken.
    """
    try:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            if json.loads(next(lines, "null")) != {"format": FORMAT}:
                raise InputError(f"{path}: not an archive of scores (its first line should name '{FORMAT}')")
            yield from map(_line, lines)
    except (OSError, EOFError, ValueError, TypeError, AttributeError, zlib.error) as error:
        raise InputError(f"{path}: the archive is damaged: {error}") from None


def _line(line: str) -> dict[str, Any]:
    row = json.loads(line, parse_constant=_no_number)
    if not isinstance(row, dict) or not any(row.keys() >= keys for keys in (_ANSWER, _CUT)):
        raise ValueError(f"a line that is neither an answer nor a cut: {line[:60]!r}")
    for said in row.get("scores", {}).values():
        if "score" in said and not 0 <= said["score"] <= 1:
            raise ValueError(f"a score of {said['score']}")
    return row


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"a score of {name}")
