"""What the machine, its user and its terminal lack, so that no library stumbles over it or blames something else."""

import errno
import io
import os
import pwd
import re
import sys
from pathlib import Path

# variables that name folders, the narrower first
_FOLDERS = ("PALMS_CACHE", "PREFECT_HOME", "HF_HOME", "TMPDIR", "HOME")
_REASONS = {
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.ENOTDIR: "a file is where a folder should be",
    errno.EEXIST: "a file is where a folder should be",
    errno.EROFS: "its file system is read-only",
    errno.ENOSPC: "no space left on the disk",
    errno.EDQUOT: "the disk quota is used up",
}


def prepare() -> None:
    """Gives a user whom passwd lacks, as in containers, the name that DVC and torch ask for and a home folder; and
    lets any text be printed: a character that the terminal's encoding lacks is written as `\\u2026`."""
    try:
        pwd.getpwuid(os.getuid())
    except KeyError:
        os.environ.setdefault("LOGNAME", os.environ.get("USER") or f"uid{os.getuid()}")
        os.environ.setdefault("HOME", "/")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def refusal(error: BaseException, path: Path | None = None) -> str | None:
    """What the machine refused, where, and what to do, if the error is a matter of rights or room; else None.

    `path` is the place to name where the error names none.
    """
    number = _number(error)
    if (reason := _REASONS.get(number)) is None:
        return None
    named = getattr(error, "filename", None)
    place = Path(os.fsdecode(named)) if isinstance(named, str | bytes) else path
    return f"{f'{place}: ' if place else ''}{reason}; {_advice(number, place)}"


def _number(error: BaseException) -> int:
    """The operating system's number of an error; safetensors' are no OSError and tell it in words."""
    if isinstance(error, OSError):
        return error.errno or 0
    match = re.search(r"\(os error (\d+)\)", str(error))
    return int(match[1]) if match else 0


def _advice(number: int, place: Path | None) -> str:
    if number in (errno.ENOSPC, errno.EDQUOT):
        return "free some and run again"
    if number in (errno.ENOTDIR, errno.EEXIST):
        return "move the file away, or name another folder"
    place = Path(os.path.abspath(place)) if place else Path.cwd()  # noqa: PTH100  # no link is followed
    for name in () if place.is_relative_to(Path.cwd()) else _FOLDERS:
        if (folder := os.environ.get(name)) and place.is_relative_to(folder):
            return f"set {name} to a folder that you can write"
    return f"give user {os.getuid()} the right to read and write there, or work in a clone of your own"
