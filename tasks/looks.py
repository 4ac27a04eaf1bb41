"""looks: a log of the results on test prompts that were made, and of which version of the dataset.

`python -m tasks looks --contrasts data/made/significance/contrasts.csv --dataset data/values
--log data/looks.csv`

A dataset that was revised after a look at the test prompts is no longer judged by prompts that nobody had seen, so the
report says how often that could have been. DVC keeps the log from run to run, and git from clone to clone.
"""

import csv
import hashlib
from collections.abc import Iterable
from io import StringIO
from pathlib import Path

from tasks.runtime.command import Command, Job
from tasks.runtime.files import read_text, write_text

COMMAND = Command(
    help="Logs that results on test prompts were made, and of which dataset.",
    inputs={"contrasts": "CSV: the tests of the test prompts", "dataset": "folder of the dataset that is tested"},
    outputs={"log": "CSV: a row for each version of dataset and results; new rows are added"},
    params=(),
)
COLUMNS = ("dataset", "results")  # the first digits of their SHA-256


def main(job: Job) -> None:
    """Adds a row for the present dataset and results, unless they have one."""
    path = job.path("log")
    known = list(csv.reader(StringIO(read_text(path))))[1:] if path.exists() else []
    row = [_digest(sorted(job.path("dataset").glob("*.yaml"))), _digest([job.path("contrasts")])]
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerows([COLUMNS, *known, *([] if row in known else [row])])
    write_text(path, text.getvalue())


def _digest(paths: Iterable[Path]) -> str:
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in paths)).hexdigest()[:12]
