"""What a sweep shows in Prefect beside states and logs: progress, tables, summaries, and where the report lies.

An artifact that cannot be made is a warning in the log, never a failed stage.
"""

import csv
import re
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from uuid import UUID

from prefect.artifacts import (
    Artifact,
    MarkdownArtifact,
    TableArtifact,
    create_progress_artifact,
    update_progress_artifact,
)

from flows.dag import Stage
from flows.lines import Redactor
from flows.meta import Meta

_MOST_ROWS = 1000
_PAUSE = 1.0  # seconds at least between two looks of the progress: each is a request


class Progress:
    """One progress artifact for the whole sweep."""

    def __init__(self, total: int, warn: Callable[[str], None]) -> None:
        self._total, self._warn = total, warn
        self._id = self._try(lambda: create_progress_artifact(0.0, key="sweep", description=f"0 of {total} stages"))
        self._shown = time.monotonic()

    def show(self, ended: int) -> None:
        """Show that `ended` stages have ended: all of them at once, others a second after the last ones at least."""
        if ended < self._total and time.monotonic() - self._shown < _PAUSE:
            return
        self._shown = time.monotonic()
        if isinstance(artifact := self._id, UUID):
            text = f"{ended} of {self._total} stages"
            self._try(lambda: update_progress_artifact(artifact, 100.0 * ended / self._total, description=text))

    def _try(self, call: Callable[[], object]) -> object:
        try:
            return call()
        except Exception as exc:
            self._warn(f"the progress could not be shown: {exc}")
            return None


def publish(
    root: Path, stage: Stage, meta: Meta, redact: Redactor, warn: Callable[[str], None], task_run: UUID | None = None
) -> None:
    """Publish what the `meta` of a stage that has ended well asks for: as of the task run of this thread, or of
    `task_run`."""
    kinds = ((meta.table, _table), (meta.summary, _summary), (meta.link, _page))
    for path, make in [(path, make) for paths, make in kinds for path in paths]:
        try:
            artifact = make(root, path, meta, redact)
            artifact.key, artifact.task_run_id = _key(stage.name, path), task_run
            artifact.create()
        except Exception as exc:
            warn(redact(f"{path} could not be published: {exc}"))


def publish_text(key: str, text: str, warn: Callable[[str], None]) -> None:
    """Publish a text that no stage made."""
    try:
        MarkdownArtifact(markdown=text, key=key).create()
    except Exception as exc:
        warn(f"'{key}' could not be published: {exc}")


def _table(root: Path, path: str, _meta: Meta, redact: Redactor) -> Artifact:
    with (root / path).open(encoding="utf-8", newline="") as text:
        reader = csv.DictReader(text)
        rows = [{key: _short(redact(str(value))) for key, value in row.items()} for row in islice(reader, _MOST_ROWS)]
        cut = next(reader, None) is not None
    description = f"{path}, first {_MOST_ROWS} rows" if cut else path
    return TableArtifact(table=rows, description=description)


def _summary(root: Path, path: str, _meta: Meta, redact: Redactor) -> Artifact:
    return MarkdownArtifact(markdown=redact(_list(root / path)), description=path)


def _page(root: Path, path: str, meta: Meta, redact: Redactor) -> Artifact:
    """Where a page lies, in words, and the stage's summaries: no browser follows a link from Prefect to a file."""
    file = root / path
    if not file.exists():
        raise FileNotFoundError(f"no such file: {path}")
    place = redact(str(file.resolve().parent))
    summaries = [redact(_list(root / each)) for each in meta.summary if (root / each).exists()]
    return MarkdownArtifact(markdown="\n\n".join([*summaries, f"`{file.name}` in `{place}`"]), description=path)


def _list(file: Path) -> str:
    """The lines of a text as a list in Markdown, which would make one paragraph of them."""
    return "\n".join(f"- {line}" for line in file.read_text(encoding="utf-8").splitlines() if line.strip())


def _short(text: str) -> str:
    """A number with four digits that say something, so that a table fits on a screen; other text as it is."""
    return f"{float(text):.4g}" if re.fullmatch(r"-?\d+\.\d{4,}(e-?\d+)?", text) else text


def _key(stage: str, path: str) -> str:
    """Prefect's keys hold lower-case letters, digits and dashes: report + made/tests.csv -> report-tests-csv."""
    return re.sub(r"[^a-z0-9]+", "-", f"{stage}-{Path(path).name}".lower()).strip("-")
