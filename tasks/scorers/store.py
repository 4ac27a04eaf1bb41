"""The score store: every answer of every scorer, so that no text is ever paid for twice.

An SQLite file outside the outs, in the folder of the environment variable PALMS_CACHE (default .cache/palms).
A score is found by scorer, version, language, text and attribute; each answer is committed as it arrives, so a
killed run goes on where it was, and several runs may use the file at once, of several users where all may write
in the folder. It keeps SQLite's rollback journal,
since write-ahead logging does not work on network file systems.
"""

import contextlib
import datetime
import hashlib
import itertools
import re
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tasks.runtime.errors import InputError, WorkError
from tasks.runtime.files import share
from tasks.scorers import Answer, Score

FILE = "scores.sqlite"
FORMAT = 1
_SHARING = (
    "set PALMS_CACHE to a folder that you can write (its path at most 450 bytes long); users who share one need a "
    "common group and `chmod g+rws` on the folder, `chmod g+rw` on its files"
)
BUSY = 120.0  # seconds to wait for another run's commit
CHUNK = 500  # hashes in a query; SQLite allows some thousand variables
_TABLES = """
CREATE TABLE IF NOT EXISTS texts (hash BLOB PRIMARY KEY, text BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS answers (id INTEGER PRIMARY KEY, raw TEXT, at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS scores (
    scorer TEXT NOT NULL, version TEXT NOT NULL, language TEXT NOT NULL, hash BLOB NOT NULL,
    attribute TEXT NOT NULL, score REAL, error TEXT, answer INTEGER NOT NULL REFERENCES answers (id),
    PRIMARY KEY (scorer, version, language, hash, attribute)) WITHOUT ROWID;
"""


def digest(text: str) -> bytes:
    """The key of a text."""
    return hashlib.sha256(text.encode("utf-8")).digest()


class Store:
    """An open store; use it in a `with` statement and from one thread."""

    def __init__(self, path: Path) -> None:
        """Opens the file, or makes it. Raises InputError if it is not a store or cannot be written."""
        self.path = path
        with self._errors():
            path.parent.mkdir(parents=True, exist_ok=True)
            new = not path.exists()
            self._db = sqlite3.connect(path, timeout=BUSY, isolation_level=None)
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, FORMAT):
                raise InputError(f"{path}: a score store of format {version}, expected {FORMAT}; move it away")
            with self._transaction():
                for statement in filter(str.strip, _TABLES.split(";")):
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version = {FORMAT}")
            if new:
                share(path)

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def scores(self, scorer: str, version: str, language: str, texts: Sequence[str]) -> dict[str, dict[str, Score]]:
        """What is known: text → attribute → score."""
        known: dict[str, dict[str, Score]] = {}
        for start in range(0, len(texts), CHUNK):
            by_hash = {digest(text): text for text in texts[start : start + CHUNK]}
            marks = ", ".join("?" * len(by_hash))
            query = f"""SELECT hash, attribute, score, error FROM scores
                WHERE scorer = ? AND version = ? AND language = ? AND hash IN ({marks})"""
            for key, attribute, score, error in self._rows(query, (scorer, version, language, *by_hash)):
                known.setdefault(by_hash[key], {})[attribute] = Score(attribute, score, error)
        return known

    def keep(self, scorer: str, version: str, language: str, answers: Sequence[Answer]) -> None:
        """Commits the permanent scores of answers; the first answer to a question stays."""
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        with self._errors(), self._transaction():
            for answer in answers:
                scores = [score for score in answer.scores if score.permanent]
                if not scores:
                    continue
                key = digest(answer.text)
                self._db.execute("INSERT OR IGNORE INTO texts VALUES (?, ?)", (key, answer.text.encode("utf-8")))
                number = self._db.execute("INSERT INTO answers (raw, at) VALUES (?, ?)", (answer.raw, now)).lastrowid
                self._db.executemany(
                    "INSERT OR IGNORE INTO scores VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    [(scorer, version, language, key, s.attribute, s.score, s.error, number) for s in scores],
                )

    def answers(self) -> Iterator[dict[str, Any]]:
        """Every answer with its scores, in an order that depends on nothing but the answers."""
        query = """SELECT scorer, version, language, text, raw, at, answer, attribute, score, error
            FROM scores JOIN texts USING (hash) JOIN answers ON answers.id = answer
            ORDER BY scorer, version, language, hash, answer, attribute"""
        for (*source, text, raw, at, _), rows in itertools.groupby(self._rows(query, ()), lambda row: row[:7]):
            scores = {a: {"error": error} if score is None else {"score": score} for *_, a, score, error in rows}
            labels = dict(zip(("scorer", "version", "language"), source, strict=True), text=text.decode("utf-8"))
            yield labels | {"scores": scores, "raw": raw, "at": at}

    def _rows(self, query: str, values: Sequence[Any]) -> Iterator[Any]:
        with self._errors():
            yield from self._db.execute(query, values)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # SQLite ends it itself where the disk is full
                self._db.execute("ROLLBACK")
            raise

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            if re.match("unable to open|attempt to write a readonly", str(error)):
                raise InputError(f"{self.path}: {error}; {_SHARING}") from None
            raise WorkError(f"{self.path}: the score store cannot be used: {error}") from None
        except sqlite3.DatabaseError as error:
            raise InputError(f"{self.path}: not a score store ({error}); move it away and run again") from None
        except OSError as error:
            raise InputError(f"{self.path}: {error.strerror}; {_SHARING}") from None
