"""How stages end, and what a sweep says of it at its end."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Literal

from flows.dag import Stage
from flows.meta import Meta
from tasks.runtime.units import duration


@dataclass(frozen=True)
class Result:
    """How a stage ended: `seconds` of work, exit code 0 to 2, its `error:` line and last lines."""

    outcome: Literal["done", "cached", "failed", "stopped", "not run"]
    seconds: float = 0.0
    code: int = 0
    error: str = ""
    last_lines: tuple[str, ...] = ()


def in_words(result: Result) -> str:
    """How a stage ended, for its line in the progress."""
    if result.outcome == "done":
        return f"done in {duration(result.seconds)}"
    return f"{result.outcome}: {result.error}" if result.error else result.outcome


def totals(ended: Mapping[str, Result], seconds: float) -> str:
    """`13 stages in 62 s: 5 done, 8 cached`."""
    counts = Counter(result.outcome for result in ended.values())
    parts = ", ".join(f"{count} {name}" for name, count in counts.items())
    noun = "stage" if len(ended) == 1 else "stages"
    return f"{len(ended)} {noun} in {duration(seconds)}: {parts or 'none'}"


def failures(stages: Mapping[str, Stage], ended: Mapping[str, Result]) -> str:
    """Each error with the stages that met it, then the last lines of each stage; then what was not run.

    An error in the input (code 2) says all in its own lines, so that its stage's other last lines are left out.
    """
    failed = {name: ended[name] for name in stages if name in ended and ended[name].outcome == "failed"}
    met: dict[tuple[str, ...], list[str]] = {}
    for name, result in failed.items():
        met.setdefault((result.error, *_more_of(result)), []).append(name)
    heads = ["\n  ".join([f"{', '.join(names)}: {error}", *more]) for (error, *more), names in met.items()]
    blocks = [
        "\n".join([f"the last lines of {name}:", *(f"  {line}" for line in result.last_lines)])
        for name, result in failed.items()
        if result.last_lines and not _says_all(result)
    ]
    not_run = [name for name in stages if name in ended and ended[name].outcome == "not run"]
    tail = [f"not run, for want of these: {', '.join(not_run)}"] if not_run else []
    return "\n".join([*heads, *blocks, *tail])


def message(result: Result) -> str:
    """Why a stage failed, for the state of its task run: its error, then the further problems, or the last lines that
    it printed itself: DVC's stand in the log."""
    own = [line for line in result.last_lines if not line.startswith(("> ", "ERROR: ", "Running stage "))]
    return "\n".join([result.error, *(_more_of(result) if _says_all(result) else own)])


def _says_all(result: Result) -> bool:
    return result.code == 2 and result.error.startswith("error: ")


def _more_of(result: Result) -> list[str]:
    """The further lines of an input error that names several problems; DVC's own line comes after them."""
    if not _says_all(result):
        return []
    lines = list(result.last_lines)
    rest = lines[lines.index(result.error) + 1 :] if result.error in lines else lines
    return list(takewhile(lambda line: not line.startswith("ERROR: "), rest))


def ending(root: Path, metas: Iterable[Meta]) -> str:
    """The summaries that stages name in their meta, and where the linked files lie."""
    metas = list(metas)
    texts = [_text(root / path) for meta in metas for path in meta.summary]
    links = [path for meta in metas for path in meta.link if (root / path).exists()]
    return "\n".join([*filter(None, texts), *links])


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").rstrip()
    except OSError as exc:
        return f"{file.name} cannot be read: {exc.strerror}"
