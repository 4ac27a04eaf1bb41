"""What the score store holds, as a file: every score with the raw answer, for the scorer `recorded`.

`python -m tasks.archive --out data/archive/2026-12.jsonl.gz [--scorer perspective] [--calibration table.csv]`

Perspective ends on 31 December 2026; a team that has its scores archived can still reproduce and extend the
analysis. The same store always gives the same bytes. Track the file with `dvc add`.
"""

import argparse
import gzip
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tasks.errors import InputError, PalmsError
from tasks.files import whole
from tasks.scorers.calibration import calibration
from tasks.scorers.recorded import FORMAT, SUFFIX
from tasks.scorers.store import FILE, Store, folder


def main(argv: Sequence[str] | None = None) -> int:
    """Writes the archive. Returns 0, 1 (the work failed) or 2 (the input is wrong)."""
    parser = argparse.ArgumentParser(prog="python -m tasks.archive", description="Archives the score store.")
    parser.add_argument("--out", type=Path, required=True, help=f"the archive to write, *{SUFFIX}")
    parser.add_argument("--scorer", help="only this scorer's scores (default: all)")
    parser.add_argument("--calibration", type=Path, help="CSV that compares the scorers of the store")
    found = parser.parse_args(argv)
    try:
        print(archive(found.out, found.scorer, found.calibration), file=sys.stderr)
        return 0
    except PalmsError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code


def archive(out: Path, scorer: str | None = None, compare: Path | None = None) -> str:
    """Writes the archive, and the table that compares scorers; returns what was written, in a sentence.

    Raises InputError if there is nothing to archive, or if the name would not be read again.
    """
    if not out.name.endswith(SUFFIX):
        raise InputError(f"{out}: expected a name that ends in {SUFFIX}")
    if not (path := folder() / FILE).is_file():
        raise InputError(f"{path}: no scores are stored here; PALMS_CACHE says where to look")
    with Store(path) as store:
        answers = [row for row in store.answers() if scorer in (None, row["scorer"])]
        cuts = [row for row in store.cuts() if scorer in (None, row["scorer"])]
        if not answers:
            raise InputError(f"{path}: no scores of '{scorer}'" if scorer else f"{path}: holds no scores")
        if compare:
            with whole(compare) as temporary:
                calibration(store.answers()).to_csv(temporary, index=False)
    write_archive(out, [*answers, *cuts])
    versions = sorted({f"{row['scorer']} ({row['version']})" for row in answers})
    return f"{out}: {len(answers)} answers of {', '.join(versions)}"


def write_archive(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Writes the lines of an archive, whole, with no time of writing in it."""
    with (
        whole(path) as temporary,
        temporary.open("wb") as file,
        gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed,
    ):
        for row in ({"format": FORMAT}, *rows):
            packed.write(json.dumps(row, ensure_ascii=False, allow_nan=False).encode("utf-8") + b"\n")


if __name__ == "__main__":
    sys.exit(main())
