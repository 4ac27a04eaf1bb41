"""Tables for machines, in Parquet."""

from pathlib import Path

import pandas as pd

from tasks.errors import InputError
from tasks.files import whole


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Writes a table, whole; the same table always gives the same bytes."""
    with whole(path) as temporary:
        table.to_parquet(temporary, index=False)


def read_table(path: Path) -> pd.DataFrame:
    """Reads a table that an earlier stage made."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; `dvc repro` makes it")
    return pd.read_parquet(path)
