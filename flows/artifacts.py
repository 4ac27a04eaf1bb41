"""What a sweep shows in Prefect beside states and logs: progress, tables, summaries, links.

An artifact that cannot be made is a warning in the log, never a failed stage.
"""

import csv
import re
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from uuid import UUID

from prefect.artifacts import (
    create_link_artifact,
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)

from flows.dag import Stage
from flows.lines import Redactor
from flows.meta import Meta

_MOST_ROWS = 1000


class Progress:
    """One progress artifact for the whole sweep."""

    def __init__(self, total: int, warn: Callable[[str], None]) -> None:
        self._total, self._warn = total, warn
        self._id = self._try(lambda: create_progress_artifact(0.0, key="sweep", description=f"0 of {total} stages"))

    def show(self, ended: int) -> None:
        """Show that `ended` stages have ended."""
        if isinstance(artifact := self._id, UUID):
            text = f"{ended} of {self._total} stages"
            self._try(lambda: update_progress_artifact(artifact, 100.0 * ended / self._total, description=text))

    def _try(self, call: Callable[[], object]) -> object:
        try:
            return call()
        except Exception as exc:
            self._warn(f"the progress could not be shown: {exc}")
            return None


def publish(root: Path, stage: Stage, meta: Meta, redact: Redactor, warn: Callable[[str], None]) -> None:
    """Publish what the `meta` of a stage that has ended well asks for."""
    kinds = ((meta.table, _publish_table), (meta.summary, _publish_summary), (meta.link, _publish_link))
    for path, make in [(path, make) for paths, make in kinds for path in paths]:
        try:
            make(root / path, path, _key(stage.name, path), redact)
        except Exception as exc:
            warn(redact(f"{path} could not be published: {exc}"))


def publish_text(key: str, text: str, warn: Callable[[str], None]) -> None:
    """Publish a text that no stage made."""
    try:
        create_markdown_artifact(text, key=key)
    except Exception as exc:
        warn(f"'{key}' could not be published: {exc}")


def _publish_table(file: Path, path: str, key: str, redact: Redactor) -> None:
    with file.open(encoding="utf-8", newline="") as text:
        reader = csv.DictReader(text)
        rows = [{key: redact(str(value)) for key, value in row.items()} for row in islice(reader, _MOST_ROWS)]
        cut = next(reader, None) is not None
    description = f"{path}, first {_MOST_ROWS} rows" if cut else path
    create_table_artifact(rows, key=key, description=description)


def _publish_summary(file: Path, path: str, key: str, redact: Redactor) -> None:
    create_markdown_artifact(redact(file.read_text(encoding="utf-8")), key=key, description=path)


def _publish_link(file: Path, path: str, key: str, redact: Redactor) -> None:
    """A link to a file; where the address would tell the home folder, which kills it, the place in words."""
    if not file.exists():
        raise FileNotFoundError(f"no such file: {path}")
    address = file.resolve().as_uri()
    if redact(address) == address:
        create_link_artifact(address, link_text=path, key=key, description=path)
    else:
        place = redact(str(file.resolve().parent))
        create_markdown_artifact(f"`{file.name}` in `{place}`", key=key, description=path)


def _key(stage: str, path: str) -> str:
    """Prefect's keys hold lower-case letters, digits and dashes: report + made/tests.csv -> report-tests-csv."""
    return re.sub(r"[^a-z0-9]+", "-", f"{stage}-{Path(path).name}".lower()).strip("-")
