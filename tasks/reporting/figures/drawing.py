"""What all figures share: size, colours that follow the page's theme, and SVG and PNG that never change by themselves.

Drawn narrow, so that their words can be read on a phone. In the page an SVG takes the theme's colours from CSS
variables; the files beside the page have their own white ground.
"""

import io
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib

matplotlib.use("agg")

from matplotlib import pyplot as plt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG

from tasks.formats.checkpoints import BASE
from tasks.reporting.words.terms import known

WIDTH = 4.6  # inches
INK, FAINT = "#1b1b1c", "#8b8b8d"
BASE_COLOUR, CONTROL_COLOUR, TARGET_COLOUR = "#6c6c70", "#b45309", "#0b69b3"
GOOD, BAD, PAPER = "#1d6b3a", "#a32020", "#fdfdfc"
OTHERS = ("#7a3fa8", "#2f7d4f", "#a8325e")
THEME = {
    INK: "--ink",
    FAINT: "--line",
    PAPER: "--paper",
    GOOD: "--good",
    BAD: "--bad",
    BASE_COLOUR: "--base",
    CONTROL_COLOUR: "--control",
    TARGET_COLOUR: "--target",
    **dict(zip(OTHERS, ("--other-1", "--other-2", "--other-3"), strict=True)),
}
MARKERS = ("o", "s", "D", "^", "v", "P")
_STYLE: Any = {
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10.5,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "legend.frameon": False,
    "legend.fontsize": 9,
    "svg.fonttype": "none",
    "svg.hashsalt": "palms",
    "axes.unicode_minus": True,
    "text.parse_math": False,
    "lines.solid_capstyle": "round",
    "figure.constrained_layout.use": True,
}
_SVG = "http://www.w3.org/2000/svg"
_XLINK = "http://www.w3.org/1999/xlink"


@dataclass(frozen=True)
class Figure:
    """A finished figure: its file name, what it shows for those who cannot see it, its caption, its bytes."""

    name: str
    alt: str
    caption: str
    svg: str  # for the page
    svg_file: str
    png_file: bytes


@dataclass(frozen=True)
class Look:
    """Colour and marker of each dataset, told apart without colour too."""

    names: Sequence[str]

    def colour(self, dataset: str) -> str:
        """Base, control, target, and then the others."""
        return (BASE_COLOUR, CONTROL_COLOUR, TARGET_COLOUR, *OTHERS)[self.names.index(dataset) % 6]

    def style(self, dataset: str) -> dict[str, Any]:
        """Colour, marker and label, as matplotlib takes them."""
        marker = MARKERS[self.names.index(dataset) % len(MARKERS)]
        label = "base (not fine-tuned)" if dataset == BASE else dataset
        return {"color": self.colour(dataset), "marker": marker, "label": label}


@contextmanager
def canvas(height: float, rows: int = 1, **extra: Any) -> Iterator[tuple[Any, Any]]:
    """A figure and its axes (an array with several rows), closed afterwards."""
    with plt.rc_context(_STYLE):
        figure, axes = plt.subplots(rows, 1, figsize=(WIDTH, height), **extra)
        try:
            yield figure, axes
        finally:
            plt.close(figure)


def legend(axes: Any, columns: int = 2, x: float = 0.5, **extra: Any) -> Any:
    """Names the marks above the axes, where the legend hides nothing."""
    return axes.legend(loc="lower center", bbox_to_anchor=(x, 1), ncols=columns, **extra)


def shared_legend(figure: Any, panel: Any, columns: int = 3, **extra: Any) -> None:
    """Names the marks of all panels by those of one."""
    figure.legend(*panel.get_legend_handles_labels(), loc="outside upper left", ncols=columns, **extra)


def rows(axes: Any, labels: Sequence[str], unit: str, ends: tuple[float, float] = (0.5, 0.5), **text: Any) -> None:
    """A row for each label, from the top down; `ends` is the room above the first and below the last."""
    axes.set_yticks(range(len(labels)), labels, **text)
    axes.set_ylim(len(labels) - ends[1], -ends[0])
    axes.set_xlabel(unit)


def interval(
    axes: Any, y: float, value: object, ends: tuple[Any, Any], *, colour: str, width: float, **mark: Any
) -> None:
    """A mark with its interval, `width` points wide, in the row at `y`; where there is no value, words that say so."""
    if not known(value):
        axes.text(0, y, "not tested", ha="center", va="center", style="italic", fontsize=9)
        return
    if known(ends[0]):
        axes.plot(ends, [y, y], color=colour, linewidth=width)
    axes.scatter([value], [y], zorder=3, **{"color": colour, "edgecolors": colour} | mark)


def around_zero(axes: Any, better: int, room: float = 1.08, ticks: int = 5) -> None:
    """The line of no difference in the middle, and which side of it is better: 1 right, -1 left, 0 nobody said."""
    axes.axvline(0, color=FAINT, linewidth=1, zorder=0)
    reach = room * max(abs(limit) for limit in axes.get_xlim())
    axes.set_xlim(-reach, reach)
    axes.locator_params(axis="x", nbins=ticks)
    if better:
        left, right = ("worse", "better")[::better]
        axes.text(0.0, 1.01, f"← {left}", transform=axes.transAxes, ha="left", va="bottom")
        axes.text(1.0, 1.01, f"{right} →", transform=axes.transAxes, ha="right", va="bottom")


def finish(figure: Any, name: str, alt: str, caption: str) -> Figure:
    """The figure as SVG and PNG, without dates or versions in them."""
    vector, pixels = io.StringIO(), io.BytesIO()
    with plt.rc_context(_STYLE):  # `savefig` would lay out and draw each twice
        figure.set_dpi(72)
        svg: Any = FigureCanvasSVG(figure)
        svg.print_svg(vector, metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
        figure.set_layout_engine("none")  # it is laid out already
        figure.set(dpi=160, facecolor="white")
        png: Any = FigureCanvasAgg(figure)
        png.print_png(pixels, metadata={"Software": None})
    plain = vector.getvalue()
    white = plain.replace("<defs>", '<rect width="100%" height="100%" fill="white"/>\n <defs>', 1)
    return Figure(name, alt, caption, inline(plain, name, alt), white, pixels.getvalue())


def inline(svg: str, name: str, alt: str) -> str:
    """An SVG that can stand in the page: own ids, themed colours, a text alternative, width by CSS."""
    for prefix, uri in (("", _SVG), ("xlink", _XLINK)):
        ET.register_namespace(prefix, uri)
    root = ET.fromstring(svg)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag.endswith("metadata") or child.tag == f"{{{_SVG}}}style":
                parent.remove(child)
    text = " ".join(str(value) for element in root.iter() for value in element.attrib.values())
    used = set(re.findall(r"#([\w-]+)", text))
    for element in root.iter():
        _own(element, name, used)
    for key in ("width", "height"):
        root.attrib.pop(key, None)
    root.attrib.update({"role": "img", "aria-label": alt, "class": "figure"})
    return ET.tostring(root, encoding="unicode")


def _own(element: ET.Element, name: str, used: set[str]) -> None:
    """Gives an element's ids and references the figure's name, and its colours the theme's."""
    for key, value in list(element.attrib.items()):
        if key == "id":
            if value in used:
                element.attrib[key] = f"{name}-{value}"
            else:
                del element.attrib[key]
        elif key == f"{{{_XLINK}}}href":
            del element.attrib[key]
            element.attrib["href"] = f"#{name}-{value[1:]}"
        else:
            themed = re.sub(r"url\(#([\w-]+)\)", rf"url(#{name}-\1)", value)
            for colour, variable in THEME.items():
                themed = themed.replace(colour, f"var({variable}, {colour})")
            element.attrib[key] = themed
    if element.tag == f"{{{_SVG}}}text":
        style = re.sub(r"'DejaVu Sans'[^;]*", "system-ui, sans-serif", element.attrib.get("style", ""))
        element.attrib["style"] = style if "fill" in style else f"{style}; fill: var(--ink, {INK})"
