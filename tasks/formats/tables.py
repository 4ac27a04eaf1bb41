"""Tables for machines, in Parquet."""

from pathlib import Path

import pandas as pd

from tasks.runtime.errors import InputError
from tasks.runtime.files import atomic_write


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Writes a table, whole; the same table always gives the same bytes."""
    with atomic_write(path) as temporary:
        table.to_parquet(temporary, index=False)


def read_table(path: Path) -> pd.DataFrame:
    """Reads a table that an earlier stage made."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; `dvc repro` makes it")
    return pd.read_parquet(path)
