"""Outputs that are whole or absent: written under a temporary name and renamed."""

import contextlib
import json
import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from tasks.runtime.errors import InputError
from tasks.runtime.machine import refusal

CACHE = Path(".cache/palms")


def cache_folder() -> Path:
    """What outlives a run lies here, outside the outs: the folder of PALMS_CACHE, or .cache/palms."""
    return Path(os.environ.get("PALMS_CACHE") or CACHE)


def shared_mode(folder: Path) -> int:
    """The mode of a file in the cache folder: whoever may write in the folder may write it, for users may share one.

    Not so where the folder is everybody's and sticky, as /tmp is.
    """
    mode = folder.stat().st_mode
    return 0o600 | (0 if mode & stat.S_ISVTX else mode & 0o066)


def share(path: Path) -> None:
    """Gives a file of the cache folder that folder's mode, if it is this user's file."""
    if path.stat().st_uid == os.getuid():
        path.chmod(shared_mode(path.parent))


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yields a temporary path beside `path`; what was made there takes its name only if nothing failed.

    The name ends in `.tmp`, which .dvcignore hides. Raises InputError if the disk is full or this user may not
    write there.
    """
    temporary = path.with_name(f"{path.name}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove(temporary)
        yield temporary
        if path.is_dir():  # a file is replaced in one step, so that it is never absent
            remove(path)
        temporary.replace(path)
    except Exception as error:
        if reason := refusal(error, path):
            raise InputError(reason) from None
        raise
    finally:
        with contextlib.suppress(OSError):  # the error above says more
            remove(temporary)


def remove(path: Path) -> None:
    """Removes a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def require_space(folder: Path, needed: int, what: str) -> None:
    """Raises InputError if the disk that holds `folder` has fewer than `needed` bytes free."""
    probe = folder.absolute()
    while not probe.exists():
        probe = probe.parent
    free = shutil.disk_usage(probe).free
    if free < needed:
        raise InputError(
            f"{folder}: {what} needs {needed / 1e9:.1f} GB, {free / 1e9:.1f} GB are free; free some and run again"
        )


def write_text(path: Path, text: str) -> None:
    """Writes UTF-8 text, whole."""
    with atomic_write(path) as temporary:
        temporary.write_text(text, "utf-8")


def write_json(path: Path, value: Any) -> None:
    """Writes JSON with sorted keys and no NaN (which JSON lacks), whole."""
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n")


def write_jsonl(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Writes one JSON object a line, whole."""
    lines = (json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows)
    write_text(path, "".join(lines))


def read_json(path: Path) -> Any:
    """Reads a JSON file that an earlier stage made."""
    return json.loads(read_text(path))


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """Reads one JSON object a line."""
    return [json.loads(line) for line in read_text(path).split("\n") if line]


def read_yaml(path: Path) -> Any:
    """Reads a YAML file that a person wrote, as DVC reads it (YAML 1.2): `no` is text, and `1e-3` a number."""
    try:
        return YAML(typ="safe").load(read_text(path))
    except (YAMLError, ValueError) as error:  # such as a date of the 13th month
        reason = " ".join(str(error).partition("To suppress this check")[0].split())
        raise InputError(f"{path}: not valid YAML: {reason}") from None


def read_text(path: Path) -> str:
    """Reads UTF-8 text. Raises InputError if the file is missing or not UTF-8."""
    try:
        return path.read_text("utf-8")
    except (FileNotFoundError, IsADirectoryError):
        raise InputError(f"{path}: no such file") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not valid UTF-8 at byte {error.start}") from None
