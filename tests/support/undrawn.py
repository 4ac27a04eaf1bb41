"""Figures as their words alone: to lay out and draw them takes most of a report's time, and few tests look at them."""

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.text import Text

SVG = "http://www.w3.org/2000/svg"
Kind = Literal["svg", "png"]


@contextmanager
def undrawn(*drawn: Kind) -> Iterator[None]:
    """Every figure is made as ever, but unless `drawn`, an SVG is saved as its words alone and a PNG is empty."""
    with pytest.MonkeyPatch.context() as patch:
        if "svg" not in drawn:
            patch.setattr(FigureCanvasSVG, "print_svg", _words)
        if "png" not in drawn:
            patch.setattr(FigureCanvasAgg, "print_png", lambda *_, **__: None)
        yield


def _words(canvas: FigureCanvasSVG, file: Any, **_: object) -> None:
    root = ET.Element(f"{{{SVG}}}svg")
    for text in canvas.figure.findobj(Text):
        ET.SubElement(root, f"{{{SVG}}}text").text = text.get_text()
    file.write(ET.tostring(root, encoding="unicode"))
