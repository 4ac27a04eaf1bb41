"""Scorer `recorded`: the scores of an archive that an earlier run made (`palms archive`), and nothing else.

Its rows carry the name and version of the scorer that once gave them, so that a past run is reproduced as it
was; a text that the archive lacks is missing.
"""

import contextlib
import gzip
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from tasks.runtime.errors import InputError
from tasks.scorers import Answer, Question, Score, Scorer, backend
from tasks.settings.toxicity import Recorded as Settings
from tasks.settings.toxicity import Toxicity

SUFFIX = ".jsonl.gz"
FORMAT = "palms score archive 1"
NOT_RECORDED = "NOT_RECORDED"
_KEYS = {"scorer", "version", "language", "text", "scores"}


def open_scorer(config: Toxicity) -> Scorer:
    """The scores of one scorer in the archives of a folder.

    Raises InputError if there are none, or if they are of several versions, which are not comparable, and
    `toxicity.recorded.version` chooses none of them.
    """
    source: Scorer = backend(config.recorded.scorer).open_scorer(config)
    rows = [row for row in read_archives(Path(config.recorded.archive)) if row["scorer"] == source.name]
    version = _version(rows, config.recorded)
    return Recorded(source, version, [row for row in rows if row["version"] == version])


def _version(rows: Sequence[Mapping[str, Any]], config: Settings) -> str:
    versions = sorted({row["version"] for row in rows})
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


class Recorded(Scorer):
    """What the scorer `source` once answered, from the lines of archives; the first of several for a text counts.

    The attributes are those that `source` is set to score; those that the archive lacks are missing.
    """

    stored = False

    def __init__(self, source: Scorer, version: str, rows: Iterable[Mapping[str, Any]]) -> None:
        self.name, self.attributes = source.name, source.attributes
        self._source, self._version = source, version
        self._scores: dict[tuple[str, str], dict[str, Score]] = {}  # (language, text) → by attribute
        for row in rows:
            scores = self._scores.setdefault((row["language"], row["text"]), {})
            for attribute, entry in row["scores"].items():
                scores.setdefault(attribute, Score(attribute, entry.get("score"), entry.get("error")))
        self._texts = {text for _, text in self._scores}

    def version(self) -> str:
        """The version that was recorded."""
        return self._version

    def cut(self, text: str) -> list[str]:
        """The chunks that `source` makes of a text beyond its limit, as it did then. Where one of them is not
        recorded, or `source` is a model that is not here to tell its limit: the text itself, which is missing."""
        if text not in self._texts:
            with contextlib.suppress(InputError):
                chunks = self._source.cut(text)
                return chunks if self._texts.issuperset(chunks) else [text]
        return [text]

    def ask(self, questions: Sequence[Question], language: str) -> Iterator[Sequence[Answer]]:
        """What the archive has; the rest is missing."""
        for question in questions:
            known = self._scores.get((language, question.text), {})
            scores = [known.get(a) or Score(a, None, NOT_RECORDED) for a in question.attributes]
            yield [Answer(question.text, tuple(scores))]


def read_archives(folder: Path) -> Iterator[dict[str, Any]]:
    """The answers in every archive of a folder, by its name. Raises InputError for one that is broken."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; `palms archive` writes the archives that `recorded` reads")
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        yield from read_archive(path)


def read_archive(path: Path) -> Iterator[dict[str, Any]]:
    """The answers in an archive. Raises InputError if it is broken.

    Older archives also hold lines with `cut`, which say how a long text was cut; they are passed over.
    """
    try:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            if json.loads(next(lines, "null")) != {"format": FORMAT}:
                raise InputError(f"{path}: not an archive of scores (its first line should name '{FORMAT}')")
            yield from (row for row in map(_row, lines) if "cut" not in row)
    except (OSError, EOFError, ValueError, TypeError, AttributeError, zlib.error) as error:
        raise InputError(f"{path}: the archive is damaged: {error}") from None


def _row(line: str) -> dict[str, Any]:
    row = json.loads(line, parse_constant=_no_number)
    if not isinstance(row, dict) or not (row.keys() >= _KEYS or "cut" in row):
        raise ValueError(f"a line that is no answer: {line[:60]!r}")
    for entry in row.get("scores", {}).values():
        if "score" in entry and not 0 <= entry["score"] <= 1:
            raise ValueError(f"a score of {entry['score']}")
    return row


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"a score of {name}")
