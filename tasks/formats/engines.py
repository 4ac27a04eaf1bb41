"""Which engine drew the completions: those of different engines are of one law at best, and never compared."""

from pathlib import Path

import pandas as pd

from tasks.runtime.errors import InputError

DEFAULT = "transformers"  # of rows made before there was a choice


def require_one_engine(folder: Path, completions: pd.DataFrame) -> pd.DataFrame:
    """The completions with their column `engine`. Raises InputError where a sweep's are of more than one."""
    engines = completions["engine"].fillna(DEFAULT) if "engine" in completions else DEFAULT
    table = completions.assign(engine=engines)
    first = table.drop_duplicates("engine")
    if len(first) > 1:
        made = " and ".join(f"{row.model}/{row.arm} by {row.engine}" for row in first.itertuples())
        raise InputError(
            f"{folder}: completions of different engines are not compared: {made}; "
            "make all of them with one engine, by `dvc repro`"
        )
    return table
