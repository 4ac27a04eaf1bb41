"""The completions of a sweep, as generate wrote them, with what each checkpoint was trained on."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from tasks.formats.checkpoints import Checkpoint
from tasks.formats.engines import require_one_engine
from tasks.runtime.errors import InputError
from tasks.runtime.files import read_jsonl
from tasks.text.shown import whole_characters


def read_completions(folder: Path, ladder: Sequence[Checkpoint]) -> pd.DataFrame:
    """A row a completion of every checkpoint, in the order of the ladder, with the checkpoint's dataset and seed.

    Raises InputError if there are none, or if different engines made them.
    """
    rows = [
        {**row, "completion": whole_characters(row["completion"])}
        | {"dataset": checkpoint.dataset, "seed": checkpoint.seed}
        for checkpoint in ladder
        for row in read_jsonl(folder / checkpoint.model / f"{checkpoint.arm}.jsonl")
    ]
    if not rows:
        raise InputError(f"{folder}: no completions of the ladder; `dvc repro` makes them")
    return require_one_engine(folder, pd.DataFrame(rows))
