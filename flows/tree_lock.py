"""One sweep per working tree, and what a sweep that died has left in it.

`.dvc/tmp/palms.lock` is held by the running sweep (the kernel frees it however that ends) and
`.dvc/tmp/palms.json` says who that is; it outlives a sweep that was killed, and so tells the next one.
"""

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
import yaml
from filelock import FileLock, Timeout

from flows import lock_file
from flows.processes import TREE_MARK, kill, marked, until
from tasks.runtime.errors import InputError
from tasks.runtime.files import write_text
from tasks.runtime.launchers.leftovers import end_leftovers as end_jobs

NOTE = Path(".dvc/tmp/palms.json")
Record = Callable[[str, Mapping[str, float]], None]
_LEFTOVERS = 10.0  # seconds that stages of a killed sweep get to end by themselves
_WRITING = 1.0  # seconds, more than DVC takes to write dvc.lock


@dataclass(frozen=True)
class Holder:
    """The sweep that holds a tree: process id, flow run, start (local time), how far it is (`7/13`), and the stages at
    work, each with the time when it began (seconds since the epoch)."""

    pid: int
    flow_run: str
    flow_run_id: str
    api: str
    started: str
    progress: str = ""
    at_work: Mapping[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        far = f", {self.progress} stages" if self.progress else ""
        return f"flow run '{self.flow_run}', process {self.pid}, started {self.started}{far}"


def running(root: Path) -> Holder | None:
    """The sweep that works in `root` now, or None."""
    try:
        with locked(root):
            return None
    except InputError:
        return _read(root) or Holder(0, "unknown", "", "", "unknown")


def tidy(root: Path) -> list[str]:
    """Clean `root` of what dead sweeps left; returns notes for the user.

    Raises InputError, naming the holder, where a sweep works in it now.
    """
    with locked(root):
        return _tidy(root)


@contextmanager
def hold(root: Path, flow_run: str, flow_run_id: str, api: str) -> Iterator[tuple[Record, Holder | None]]:
    """Hold `root`, tidied, for one sweep.

    Yields a function that records the progress and the stages at work, and the holder that died without a word, if one
    did.
    Raises InputError where another sweep holds it.
    """
    with locked(root):
        dead = _read(root)
        started = datetime.now().strftime("%Y-%m-%d %H:%M:%S")

        def record(progress: str, at_work: Mapping[str, float]) -> None:
            holder = Holder(os.getpid(), flow_run, flow_run_id, api, started, progress, at_work)
            write_text(_note(root), json.dumps(asdict(holder)))

        record("", {})
        _tidy(root)
        try:
            yield record, dead
        finally:
            _note(root).unlink(missing_ok=True)
            clear_rwlock(root)  # stages that were stopped leave entries, which DVC warns of wherever it next looks


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Keeps sweeps out of `root`. Raises InputError, naming the holder, where one works in it now."""
    folder = root / ".dvc" / "tmp"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        lock = FileLock(folder / "palms.lock").acquire(blocking=False)
    except Timeout:
        advice = _advice(_read(root))
        raise InputError(f"a sweep already works in this tree: {advice}, or work in another clone") from None
    with lock:
        yield


def _advice(holder: Holder | None) -> str:
    """Who holds the tree and what to do; the note may still be that of a sweep that died before it."""
    if holder is None or not psutil.pid_exists(holder.pid):
        return "it has just begun; wait for it"
    return f"{holder}; wait for it, stop it (`kill {holder.pid}`)"


def _tidy(root: Path) -> list[str]:
    end_leftovers(root)
    notes = [f"{name} may still run: its launcher does not answer; `scancel --name={name}`" for name in end_jobs(root)]
    clear_rwlock(root)
    if aside := set_damaged_lock_aside(root):
        notes.append(f"dvc.lock was cut off by a kill and now lies in {aside.relative_to(root)}")
    return notes


def end_leftovers(root: Path) -> None:
    """Wait for the stages of a killed sweep in `root` to end, then end them: two of a kind would collide."""
    if not until(lambda: not marked(TREE_MARK, str(root)), _LEFTOVERS, pause=0.2):
        kill(lambda: marked(TREE_MARK, str(root)))


def clear_rwlock(root: Path) -> None:
    """Drop the entries of DVC's path locks whose process is gone or is another one by now.

    DVC looks at the process id alone: once that is reused, it blocks the stage for good.
    """
    path = root / ".dvc" / "tmp" / "rwlock"
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        written = path.stat().st_mtime
        living: dict[str, Any] = {
            "write": {name: info for name, info in entries.get("write", {}).items() if _alive(info, written)},
            "read": {
                name: readers
                for name, infos in entries.get("read", {}).items()
                if (readers := [info for info in infos if _alive(info, written)])
            },
        }
    except FileNotFoundError:
        return
    except (ValueError, AttributeError, TypeError, KeyError):
        path.unlink(missing_ok=True)  # cut off by a kill: DVC refuses to go on with it, and it holds nothing
        return
    if living != entries:
        path.write_text(json.dumps(living), encoding="utf-8")


def set_damaged_lock_aside(root: Path) -> Path | None:
    """Move a dvc.lock that a kill cut off to .dvc/tmp; returns where it went, or None where it was whole.

    DVC writes it in place, so a `dvc repro` by hand may be at it just now: it is looked at once more, later.
    Without the file, finished stages come back from the run-cache.
    """
    path = root / lock_file.NAME
    for pause in (_WRITING, 0.0):
        if not _damaged(path):
            return None
        time.sleep(pause)
    aside = root / ".dvc" / "tmp" / f"dvc.lock.damaged-{int(time.time())}"
    shutil.move(path, aside)
    return aside


def _damaged(path: Path) -> bool:
    if not path.is_file():
        return False
    text = path.read_text(encoding="utf-8", errors="replace")
    if "<<<<<<<" in text:
        raise InputError("dvc.lock holds a merge conflict; resolve it (`git checkout --ours dvc.lock`)")
    try:
        content = lock_file.parse(text)
        stages = content.get("stages") or {}
        return not ("schema" in content and all(entry.get("cmd") for entry in stages.values()))
    except (yaml.YAMLError, AttributeError, TypeError):
        return True


def _alive(info: dict[str, Any], written: float) -> bool:
    """Whether the process of a lock entry, written before time `written`, still is the one that wrote it."""
    try:
        process = psutil.Process(int(info["pid"]))
        arguments = str(info["cmd"]).split(" ", 1)[1:]  # the first word is DVC's path, however it was started
        same = not arguments or " ".join(process.cmdline()).endswith(arguments[0])
        return same and process.create_time() <= written + 1
    except psutil.AccessDenied:
        return True
    except psutil.Error:
        return False


def _note(root: Path) -> Path:
    return root / NOTE


def _read(root: Path) -> Holder | None:
    try:
        return Holder(**json.loads(_note(root).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
