"""A stage vouches for what it read.

DVC hashes dependencies and parameters after the command: an edit made while a stage runs would be recorded
as if it had been used, and its run-cache would repeat the lie for ever. So the stage remembers what it
started with, and fails, leaving no outputs, if any of it has changed by the end.
"""

import hashlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tasks.runtime import config
from tasks.runtime.errors import PalmsError, WorkError
from tasks.runtime.files import remove

CODE = {".py", ".j2", ".css"}
HASHED_BYTES = 4_000_000  # larger files are told apart by size, time and inode: hashing them takes too long


@dataclass(frozen=True)
class Guard:
    """What a stage started with: fingerprints of its modules and inputs, and its parameters."""

    params: Mapping[str, Any]
    modules: Mapping[Path, str]
    inputs: tuple[Path, ...] = ()
    files: Mapping[Path, str] = field(default_factory=dict)
    keys: tuple[str, ...] = ()

    @classmethod
    def of_modules(cls, package: Path, params: Mapping[str, Any]) -> "Guard":
        """Fingerprints of every module of `package` and of its templates, before any of them is imported."""
        files = sorted(path for path in package.rglob("*") if path.suffix in CODE)
        return cls(params, {path: fingerprint(path) for path in files})

    def watching(self, inputs: Sequence[Path], keys: Sequence[str]) -> "Guard":
        """The same guard that also watches the input files and the dotted keys of params.yaml."""
        return replace(self, inputs=tuple(inputs), files=_fingerprints(inputs), keys=tuple(keys))

    def verify(self, outputs: Sequence[Path]) -> None:
        """Raises WorkError, after removing `outputs`, if anything that the stage read has changed."""
        if changed := self._changed():
            for path in outputs:
                remove(path)
            raise WorkError(
                f"{changed} changed while the stage was running: its result would be recorded under values "
                "it did not use, so nothing is kept; run it again"
            )

    def _changed(self) -> str | None:
        loaded = {Path(file) for m in list(sys.modules.values()) if (file := getattr(m, "__file__", None))}
        code = {path: seen for path, seen in self.modules.items() if _module(path) in loaded}
        before = {**code, **self.files}
        after = {**{path: fingerprint(path) for path in before}, **_fingerprints(self.inputs)}
        for path in sorted(after):
            if after[path] != before.get(path):
                return str(_relative(path))
        try:
            now = config.read_params()
        except PalmsError:
            return str(config.PARAMS_FILE)
        for key in self.keys:
            if _lookup(now, key) != _lookup(self.params, key):
                return f"{config.PARAMS_FILE}: {key}"
        return None


def fingerprint(path: Path) -> str:
    """A text that changes when the file does; 'absent' if it is not there."""
    try:
        stat = path.stat()
        if stat.st_size > HASHED_BYTES:
            return f"{stat.st_size}:{stat.st_mtime_ns}:{stat.st_ino}"
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return "absent"


def _module(path: Path) -> Path:
    """The module that reads the file: itself, or for a template the nearest package that it lies in."""
    packages = (folder / "__init__.py" for folder in path.parents)
    return path if path.suffix == ".py" else next(filter(Path.is_file, packages), path)


def _fingerprints(inputs: Sequence[Path]) -> dict[Path, str]:
    return {file: fingerprint(file) for path in inputs for file in _files(path)}


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(p for p in path.rglob("*") if p.is_file() and p.suffix != ".tmp")
    return [path]


def _relative(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _lookup(params: Mapping[str, Any], key: str) -> Any:
    value: Any = params
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
