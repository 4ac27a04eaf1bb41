"""The page that `palms compare A B --page FILE` writes: self-contained, without a script."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from flows.compare import NOTE, Compared, Figure
from tasks.runtime.files import write_text

WIDTH = 220  # of an interval's picture, in pixels


def write(found: Compared, file: Path) -> None:
    """Writes the page, whole."""
    loader = PackageLoader("flows", "templates")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    groups = {metric: [f for f in found.findings if f.metric == metric] for metric in dict.fromkeys(
        f.metric for f in found.findings)}  # fmt: skip
    sections = [(metric, [(f, _picture([f.a, f.b], _reach(findings))) for f in findings])
                for metric, findings in groups.items()]  # fmt: skip
    page = environment.get_template("compare.html").render(found=found, sections=sections, note=NOTE, width=WIDTH)
    write_text(file, page)


def _reach(findings: Sequence[Any]) -> float:
    """The largest absolute end of an interval of a metric: all its pictures have one scale."""
    ends = [abs(end) for f in findings for figure in (f.a, f.b) if figure for end in (figure.low, figure.high)]
    return max(ends, default=1.0) or 1.0


def _picture(figures: Sequence[Figure | None], reach: float) -> list[tuple[str, float, float, float] | None]:
    """For A and B where the interval begins, its mark and its end, in pixels; zero is in the middle."""

    def place(value: float) -> float:
        return round((value / reach * 0.47 + 0.5) * WIDTH, 1)

    return [
        (name, place(figure.low), place(figure.diff), place(figure.high)) if figure else None
        for name, figure in zip("ab", figures, strict=True)
    ]
