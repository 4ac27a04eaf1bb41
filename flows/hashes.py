"""The hashes of local models, kept in the cache until a file changes, as reading some GB takes seconds."""

import contextlib
import sys
from pathlib import Path
from typing import Any

from tasks.lm.folders import MODEL_FILES, fingerprint
from tasks.runtime.errors import InputError
from tasks.runtime.files import cache_folder, read_json, share, write_json

FILE = "hashes.json"
_LONG = 500_000_000  # bytes that take a while to read


def of(path: Path, name: str) -> str:
    """The fingerprint of a model's file or folder, called `name` where reading it takes a while."""
    marks, key, kept = _marks(path), str(path.resolve()), _kept()
    entry = kept.get(key)
    if isinstance(entry, dict) and entry.get("marks") == marks:
        return str(entry.get("sha256"))
    if sum(size for _, size, *_ in marks) > _LONG:
        print(f"reading {name} to check its hash", file=sys.stderr, flush=True)
    found = fingerprint(path)
    if _marks(path) == marks:  # else it is being written
        with contextlib.suppress(InputError, OSError):  # a full disk, a cache that may not be written: it is read again
            write_json(cache_folder() / FILE, {**_kept(), key: {"marks": marks, "sha256": found}})
            share(cache_folder() / FILE)
    return found


def _kept() -> dict[str, Any]:
    try:
        kept = read_json(cache_folder() / FILE)
    except (InputError, OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}


def _marks(path: Path) -> list[list[Any]]:
    """Names, sizes and times of the files that count. The time of the inode tells of a copy that kept the other."""
    files = [path] if path.is_file() else sorted({file for pattern in MODEL_FILES for file in path.glob(pattern)})
    stats = [(file.name, file.stat()) for file in files]
    return [[name, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns] for name, stat in stats]
