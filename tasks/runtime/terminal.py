"""Text for a terminal of any width: broken between words, and tables that become lists where they do not fit."""

import re
import shutil
import textwrap
from collections.abc import Sequence
from typing import TextIO

GAP = 2  # spaces between columns
BAR = re.compile(r" \[([#.]+)\]")


def width_of(stream: TextIO) -> int | None:
    """The columns of the terminal that `stream` is; None where it is a file or a pipe, whose lines are left whole."""
    return shutil.get_terminal_size().columns if stream.isatty() else None


def wrapped(text: str, width: int | None) -> str:
    """The text with lines of at most `width` columns where words allow it; what belongs to a line is indented."""
    return "\n".join(line for whole in text.splitlines() for line in _wrap(whole, width))


def _wrap(line: str, width: int | None) -> list[str]:
    if width is None or len(line) <= width:
        return [line]
    indent = " " * (len(line) - len(line.lstrip()) + GAP)
    broken = textwrap.wrap(line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False,
                           drop_whitespace=True, replace_whitespace=False)  # fmt: skip
    return broken or [line]


def bar(line: str, width: int | None) -> str:
    """A line of progress in one line: with a shorter bar, then without one, then without what it says last."""
    if width is None or len(line) <= width:
        return line
    if found := BAR.search(line):
        room = len(found[1]) - (len(line) - width)
        done = round(found[1].count("#") / len(found[1]) * room)
        if room >= 4:
            return line[: found.start(1)] + "#" * done + "." * (room - done) + line[found.end(1) :]
        line = line[: found.start()] + line[found.end() :]
    while len(line) > width and ", " in line:
        line = line.rpartition(", ")[0]
    return line if len(line) <= width else f"{line[: width - 1]}…"


def table(header: Sequence[str], rows: Sequence[Sequence[str]], width: int | None) -> list[str]:
    """Lines of a table whose cells are broken between words. Where even that is too wide, a list: each row's first
    cell, and below it the others by their column's name. Without a header the columns have no names."""
    whole = [*([header] if any(header) else []), *rows]
    widths = fitted(whole, width, GAP)
    if widths is None:
        return [line for row in rows for line in _as_list(header, row, width)]
    return [line for row in whole for line in _row(row, widths)]


def fitted(rows: Sequence[Sequence[str]], width: int | None, gap: int) -> list[int] | None:
    """A width for each column, so that with `gap` between two they fill at most `width`; None where words are too
    long."""
    columns = list(zip(*rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    least = [max((len(word) for cell in column for word in cell.split()), default=0) for column in columns]
    if width is None:
        return widths
    room = width - gap * (len(columns) - 1)
    if sum(least) > room:
        return None
    while sum(widths) > room:  # the widest that can be narrower is
        widest = max((i for i in range(len(widths)) if widths[i] > least[i]), key=lambda i: widths[i])
        widths[widest] -= 1
    return widths


def _row(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    cells = [textwrap.wrap(cell, max(1, width), break_on_hyphens=False) or [""]
             for cell, width in zip(row, widths, strict=True)]  # fmt: skip
    height = max(map(len, cells))
    lines = [[cell[n] if n < len(cell) else "" for cell in cells] for n in range(height)]
    gap = " " * GAP
    return [gap.join(f"{part:<{width}}" for part, width in zip(line, widths, strict=True)).rstrip() for line in lines]


def _as_list(header: Sequence[str], row: Sequence[str], width: int | None) -> list[str]:
    named = [f"{name} {cell}".strip() for name, cell in zip(header[1:], row[1:], strict=True) if cell]
    return [*_wrap(row[0], width), *(f"  {line}" for line in _wrap(", ".join(named), width and width - GAP))]
