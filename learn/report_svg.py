"""Figures of a report as SVG whose colours and letters are those of the page, light or dark."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

PALETTE = {
    "ink": "#1b1f24",
    "soft": "#5b6470",
    "grid": "#d8dde3",
    "wall": "#c9ced6",
    "band": "#eef1f5",
    "c1": "#0072b2",
    "c2": "#d55e00",
    "c3": "#009e73",
    "c4": "#cc79a7",
    "c5": "#e69f00",
    "c6": "#56b4e9",
}
"""Names of the page's colours and what stands for them in a drawing; c1 to c6 are those of Okabe and Ito (2008)."""

POINTS = 500
"""Most points of a curve: more would be finer than a pixel."""

_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "mimlab",
    "font.size": 9,
    "axes.titlesize": 9,
    "text.color": PALETTE["ink"],
    "axes.labelcolor": PALETTE["ink"],
    "axes.edgecolor": PALETTE["soft"],
    "xtick.color": PALETTE["soft"],
    "ytick.color": PALETTE["soft"],
    "xtick.labelcolor": PALETTE["ink"],
    "ytick.labelcolor": PALETTE["ink"],
    "grid.color": PALETTE["grid"],
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "lines.linewidth": 1.6,
}


def series(index: int) -> str:
    """Return the colour of a class, fold or curve; they repeat after six."""
    return PALETTE[f"c{index % 6 + 1}"]


class Drawing:
    """A figure being drawn, and its SVG once `drawing` is left."""

    def __init__(self, figure: Figure) -> None:
        self.figure = figure
        self.svg = ""

    def axes(self) -> Axes:
        """Return the only axes."""
        return self.figure.subplots()


@contextlib.contextmanager
def drawing(width: float = 4.6, height: float = 3.1) -> Iterator[Drawing]:
    """Yield an empty figure of this size in inches; afterwards its `svg` is ready."""
    with rc_context(_SETTINGS):
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasSVG(figure)
        made = Drawing(figure)
        yield made
        stream = io.StringIO()
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    made.svg = _themed(stream.getvalue(), width, height)


def thinned(*columns: np.ndarray) -> list[np.ndarray]:
    """Return columns of equal length with at most `POINTS` entries, the first and the last among them."""
    kept = np.unique(np.linspace(0, len(columns[0]) - 1, POINTS).round().astype(int))
    return [column[kept] for column in columns]


def _themed(svg: str, width: float, height: float) -> str:
    """Return the drawing without prologue, in the page's colours and letters, as wide as its place."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    head = f'<svg class="drawing" viewBox="0 0 {72 * width:g} {72 * height:g}" xmlns="http://www.w3.org/2000/svg" '
    head += 'xmlns:xlink="http://www.w3.org/1999/xlink" role="img">'
    body = re.sub(r"<svg[^>]*>", head, body, count=1)
    body = re.sub(r"font: ([^;\"]*?px) [^;\"]*", r"font: \1 system-ui, sans-serif", body)
    for name, colour in PALETTE.items():
        body = re.sub(re.escape(colour), f"var(--{name})", body, flags=re.IGNORECASE)
    return body
