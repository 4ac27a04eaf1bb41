"""Tables of scores: what a stage that measures completions or models hands to significance and the report.

Under the folder of scores a stage writes one Parquet file for all checkpoints (`<stage>.parquet`) or one for each
(`<stage>/<model>/<arm>.parquet`). A row is one score of one metric; `rater` (a row a rating) and `reason` (why a score
is null) are optional, and further columns are the stage's own.
"""

from pathlib import Path

import pandas as pd

from tasks.formats.tables import read_table, write_table
from tasks.runtime.errors import InputError

COLUMNS = ("model", "arm", "category", "prompt_id", "split", "sample", "metric", "score")


def write_scores(path: Path, table: pd.DataFrame) -> None:
    """Writes a table of scores, `COLUMNS` first. Raises InputError for a missing column."""
    _require_columns(path, table)
    write_table(path, table[[*COLUMNS, *(name for name in table if name not in COLUMNS)]])


def read_scores(path: Path) -> pd.DataFrame:
    """Reads a table of scores. Raises InputError for a missing file or column."""
    table = read_table(path)
    _require_columns(path, table)
    return table


def _require_columns(path: Path, table: pd.DataFrame) -> None:
    if absent := [name for name in COLUMNS if name not in table]:
        raise InputError(f"{path}: no column {', '.join(absent)}")
