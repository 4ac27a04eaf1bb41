"""What the score store holds, as a file: every score with the raw answer, for the scorer `recorded`.

Perspective ends on 31 December 2026; a team that has its scores archived (`palms archive`) can still reproduce and
extend the analysis. The same store always gives the same bytes.
"""

import contextlib
import gzip
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tasks.runtime.errors import InputError
from tasks.runtime.files import atomic_write, cache_folder
from tasks.scorers.calibration import calibration, in_words
from tasks.scorers.recorded.scorer import FORMAT, SUFFIX, read_archive, read_archives
from tasks.scorers.store import FILE, Store


def archive(out: Path, scorer: str | None = None) -> str:
    """Writes the archive; returns what was written, in a sentence.

    Raises InputError if there is nothing to archive, if the name would not be read again, or if an archive of
    that name holds scores that the store does not.
    """
    if not out.name.endswith(SUFFIX):
        raise InputError(f"{out}: expected a name that ends in {SUFFIX}")
    with _store() as store:
        answers = [row for row in store.answers() if scorer in (None, row["scorer"])]
        if not answers:
            raise InputError(f"{store.path}: no scores of '{scorer}'" if scorer else f"{store.path}: holds no scores")
    if out.is_file() and (lost := _scores(read_archive(out)) - _scores(answers)):
        raise InputError(
            f"{out}: holds {len(lost)} scores that the store lacks; give the new archive another name with --out, "
            "`recorded` reads all of a folder"
        )
    write_archive(out, answers)
    versions = sorted({(row["scorer"], row["version"]) for row in answers})
    return f"{out}: {len(answers)} answers of {', '.join(f'{name} ({version})' for name, version in versions)}"


def compare(archives: Path, table: Path) -> str:
    """Writes the table that compares the scorers of the store and of a folder of archives; returns it in words."""
    with _store() as store:
        comparison = calibration([*store.answers(), *read_archives(archives)])
    with _writing(table) as temporary:
        comparison.to_csv(temporary, index=False)
    return in_words(comparison)


def write_archive(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Writes the lines of an archive, whole, with no time of writing in it. Raises InputError if it cannot."""
    with (
        _writing(path) as temporary,
        temporary.open("wb") as file,
        gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed,
    ):
        for row in ({"format": FORMAT}, *rows):
            packed.write(json.dumps(row, ensure_ascii=False, allow_nan=False).encode("utf-8") + b"\n")


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[Path]:
    """A temporary path for a file that a person named: a mistake in the name must not replace a folder."""
    if path.is_dir():
        raise InputError(f"{path}: is a folder; expected the name of a file")
    try:
        with atomic_write(path) as temporary:
            yield temporary
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from None


def _store() -> Store:
    if not (path := cache_folder() / FILE).is_file():
        raise InputError(f"{path}: no scores are stored here; PALMS_CACHE says where to look")
    return Store(path)


def _scores(rows: Iterable[Mapping[str, Any]]) -> set[tuple[str, ...]]:
    """What identifies each score among the lines of an archive."""
    keys = ("scorer", "version", "language", "text")
    return {(*(row[key] for key in keys), attribute) for row in rows for attribute in row["scores"]}
