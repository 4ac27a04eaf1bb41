"""Items from local files, read as they are when a stage starts: the files that DVC hashes.

The cache of `datasets` knows a file by its path and time of change alone: where other content has the same time, as
after `cp -p` or from an archive, it would give the old items.
"""

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import datasets
from datasets.packaged_modules import _PACKAGED_DATASETS_MODULES as FORMATS

from tasks.harness.task_files import read_items
from tasks.runtime.errors import InputError


@contextlib.contextmanager
def read_anew(folder: Path) -> Iterator[None]:
    """While it lasts, `datasets.load_dataset` reads local files anew, and Python compiles a task's functions anew.

    Raises InputError for a file outside `folder`, since DVC would not see it change.
    """
    load, prefix = datasets.load_dataset, sys.pycache_prefix
    with tempfile.TemporaryDirectory() as cache:
        datasets.load_dataset, sys.pycache_prefix = partial(_load, load, folder, cache), cache
        try:
            yield
        finally:
            datasets.load_dataset, sys.pycache_prefix = load, prefix


def _load(load: Callable[..., Any], folder: Path, cache: str, path: str, name: str | None = None, **how: Any) -> Any:
    """`load_dataset`, but for local files: JSON lines by `read_items`, the rest without its cache."""
    by_split = _by_split(how.get("data_files"))
    files = [file for of_split in by_split.values() for file in of_split]
    if any("://" in file for file in files) or not (path in FORMATS or Path(path).exists()):
        return load(path, name, **how)
    for file in files or [path]:
        if not Path(os.path.abspath(file)).is_relative_to(Path(os.path.abspath(folder))):  # noqa: PTH100  links stay
            raise InputError(f"{file}: lies outside {folder}, the folder that DVC watches; move it there")
    lines = all(Path(file).suffix == ".jsonl" and Path(file).is_file() for file in files)  # and no pattern
    if path == "json" and how.keys() == {"data_files"} and lines:
        return datasets.DatasetDict({split: _items(of_split) for split, of_split in by_split.items()})
    return load(path, name, **(how | {"cache_dir": cache, "keep_in_memory": True}))


def _by_split(files: Any) -> dict[str, list[str]]:
    """The file names of `data_files` by split; without one they are `train`, as `datasets` has it."""
    splits = files if isinstance(files, dict) else {"train": files or []}
    return {split: [names] if isinstance(names, str) else [*names] for split, names in splits.items()}


def _items(files: list[str]) -> datasets.Dataset:
    rows = [item for file in files for _, item in read_items(Path(file))]
    fields = list(dict.fromkeys(field for row in rows for field in row))
    columns = {field: [row.get(field) for row in rows] for field in fields}
    return datasets.Dataset.from_dict(columns, on_mixed_types="use_json")
