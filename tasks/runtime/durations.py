"""How long each stage's command took: a line a run, in a file of the cache folder, outside the outs.

It decides nothing and no stage depends on it; the report's provenance shows it. Whatever goes wrong with it, no
stage fails.
"""

import contextlib
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tasks.runtime.files import cache_folder, share

FILE = "durations.jsonl"


@dataclass(frozen=True)
class Duration:
    """How many seconds a command took, and when it ended (UTC, `2026-01-31 12:00`)."""

    seconds: float
    at: str


def stage_name(stage: str, names: Iterable[str]) -> str:
    """The stage as DVC calls it: `finetune@small-values`."""
    return "@".join(part for part in (stage, "-".join(names)) if part)


def record(name: str, seconds: float) -> None:
    """Adds one line; does nothing where it cannot be written."""
    at = datetime.now(UTC).strftime("%Y-%m-%d %H:%M")
    line = json.dumps({"tree": _tree(), "stage": name, "seconds": round(seconds, 1), "at": at}) + "\n"
    with contextlib.suppress(OSError, ValueError):
        folder = cache_folder()
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / FILE).open("ab", buffering=0) as file:
            file.write(line.encode())  # one write: lines of stages that end together do not mix
        share(folder / FILE)


def recorded() -> dict[str, Duration]:
    """The last duration of each stage of this working tree, by its name; lines that make no sense are passed over."""
    durations: dict[str, Duration] = {}
    with contextlib.suppress(OSError, ValueError):
        for line in (cache_folder() / FILE).read_text("utf-8", "replace").splitlines():
            with contextlib.suppress(ValueError, KeyError, TypeError):
                row = json.loads(line)
                if row["tree"] == _tree():
                    durations[str(row["stage"])] = Duration(float(row["seconds"]), str(row["at"]))
    return durations


def _tree() -> str:
    """A name for the working tree that gives no folder away: several trees may share a cache."""
    return hashlib.sha256(str(Path.cwd()).encode("utf-8", "surrogateescape")).hexdigest()[:16]
