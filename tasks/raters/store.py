"""The ratings while people give them: an SQLite file in the cache folder, in WAL mode, committed rating by rating.

Raters come by a random token, of which only a hash stands here. A turn is one text shown to one rater: `number` counts
a rater's turns, `revision` how often it was answered. SQLite's write-ahead log does not work on network file systems.
"""

import contextlib
import hashlib
import re
import secrets
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tasks.runtime.errors import InputError, WorkError
from tasks.runtime.files import cache_folder, share

FILE = "ratings.sqlite"
FORMAT = 1
BUSY = 10.0  # seconds to wait for another process's commit
NAME = re.compile(r"[a-z0-9_-]{1,60}")
_TABLES = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS crowds (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, token BLOB NOT NULL UNIQUE, places INTEGER NOT NULL,
    most INTEGER, code TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS raters (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, token BLOB NOT NULL UNIQUE, most INTEGER,
    crowd INTEGER REFERENCES crowds (id), external TEXT, added_at REAL NOT NULL,
    consent INTEGER, consented_at REAL, instructed_at REAL, checks INTEGER NOT NULL DEFAULT 0, passed_at REAL,
    feedback INTEGER, began_at REAL, seen_at REAL, UNIQUE (crowd, external));
CREATE TABLE IF NOT EXISTS turns (
    rater INTEGER NOT NULL REFERENCES raters (id), number INTEGER NOT NULL, kind TEXT NOT NULL, text TEXT NOT NULL,
    revision INTEGER NOT NULL DEFAULT 0, dropped INTEGER NOT NULL DEFAULT 0, shown_at REAL NOT NULL,
    rating INTEGER CHECK (rating BETWEEN 1 AND 5), reason TEXT, note TEXT NOT NULL DEFAULT '', seconds REAL,
    rated_at REAL, PRIMARY KEY (rater, number), CHECK ((rating IS NULL) OR (reason IS NULL))) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS turns_of_text ON turns (text, kind);
"""
Row = dict[str, Any]


def default_path() -> Path:
    """Where the ratings lie unless another file is named."""
    return cache_folder() / FILE


def new_token() -> str:
    """A token that cannot be guessed: 256 random bits."""
    return secrets.token_urlsafe(32)


def hashed(token: str) -> bytes:
    """What is kept of a token. It is random and long, so that no salt is needed."""
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


class Store:
    """An open database. Statements run in a `transaction`, and one at a time: a server calls it from one thread."""

    def __init__(self, path: Path) -> None:
        """Opens the file, or makes it. Raises InputError if it is no such database or cannot be written."""
        self.path = path
        with self._errors():
            path.parent.mkdir(parents=True, exist_ok=True)
            new = not path.exists()
            self._db = sqlite3.connect(path, timeout=BUSY, isolation_level=None, check_same_thread=False)
            self._db.row_factory = _as_dict
            version = self._db.execute("PRAGMA user_version").fetchone()["user_version"]
            if version not in (0, FORMAT):
                raise InputError(f"{path}: ratings of format {version}, expected {FORMAT}; move it away")
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")  # what was acknowledged outlives a power cut, too
            self._db.execute("PRAGMA foreign_keys = ON")
            with self.transaction():
                for statement in filter(str.strip, _TABLES.split(";")):
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version = {FORMAT}")
            if new:
                share(path)

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator["Store"]:
        """What is done inside is committed at its end, or not at all; nobody else writes meanwhile."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield self
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def rows(self, query: str, *values: Any) -> list[Row]:
        """The rows that a query finds."""
        return self._db.execute(query, values).fetchall()

    def row(self, query: str, *values: Any) -> Row | None:
        """The first of them."""
        found: Row | None = self._db.execute(query, values).fetchone()
        return found

    def run(self, statement: str, *values: Any) -> None:
        """A statement that changes something."""
        self._db.execute(statement, values)

    def meta(self, key: str) -> str | None:
        """A value that stands for the whole database."""
        found = self.row("SELECT value FROM meta WHERE key = ?", key)
        return None if found is None else str(found["value"])

    def set_meta(self, key: str, value: str | None) -> None:
        """Puts it there, or takes it away."""
        if value is None:
            self.run("DELETE FROM meta WHERE key = ?", key)
        else:
            self.run("INSERT OR REPLACE INTO meta VALUES (?, ?)", key, value)

    def add_rater(self, name: str, now: float, most: int | None = None) -> str:
        """A new rater, who rates at most `most` texts. Returns the token of the personal link.

        Raises InputError for a name that is taken or is none.
        """
        _require_name(name)
        token = new_token()
        with self._errors(), self.transaction():
            if self.row("SELECT 1 FROM raters WHERE name = ? UNION SELECT 1 FROM crowds WHERE name = ?", name, name):
                raise InputError(f"there is a rater '{name}' already; --new-link gives a lost link anew")
            self.run(
                "INSERT INTO raters (name, token, most, added_at) VALUES (?, ?, ?, ?)", name, hashed(token), most, now
            )
        return token

    def new_link(self, name: str) -> str:
        """Another token for a rater or a crowd; the one before is good for nothing any more."""
        token = new_token()
        with self._errors(), self.transaction():
            for table in ("raters", "crowds"):
                if self.row(f"SELECT 1 FROM {table} WHERE name = ?", name):
                    self.run(f"UPDATE {table} SET token = ? WHERE name = ?", hashed(token), name)
                    return token
        raise InputError(f"there is no rater '{name}'; `palms rate add {name}` adds one")

    def add_crowd(self, name: str, places: int, code: str, most: int | None = None) -> str:
        """A link for up to `places` people of a crowd platform, who get `code` when they have finished."""
        _require_name(name)
        token = new_token()
        with self._errors(), self.transaction():
            if self.row("SELECT 1 FROM raters WHERE name = ? UNION SELECT 1 FROM crowds WHERE name = ?", name, name):
                raise InputError(f"there is a rater '{name}' already; --new-link gives a lost link anew")
            self.run(
                "INSERT INTO crowds (name, token, places, most, code) VALUES (?, ?, ?, ?, ?)",
                name, hashed(token), places, most, code,
            )  # fmt: skip
        return token

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            if re.match("unable to open|attempt to write a readonly", str(error)):
                raise InputError(f"{self.path}: {error}; set PALMS_CACHE to a folder that you can write") from None
            raise WorkError(f"{self.path}: the ratings cannot be kept: {error}") from None
        except sqlite3.DatabaseError as error:
            raise InputError(f"{self.path}: no database of ratings ({error}); move it away and run again") from None
        except OSError as error:
            raise InputError(f"{self.path}: {error.strerror}; set PALMS_CACHE to a folder that you can write") from None


def _as_dict(cursor: sqlite3.Cursor, row: tuple[Any, ...]) -> Row:
    return {column[0]: value for column, value in zip(cursor.description, row, strict=True)}


def _require_name(name: str) -> None:
    if not NAME.fullmatch(name):
        raise InputError(f"'{name}': a rater's name is made of a-z, 0-9, - and _, at most 60 of them")
