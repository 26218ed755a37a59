"""Figures of the reference cases: computed curves against the reference."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from sim.cases import Curve
from sim.files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK = "#222222"
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")  # Okabe–Ito
MARKERS = "osD^vP"


def write_figure(path: Path, title: str, curves: Iterable[Curve]) -> None:
    """Draw curves to a PNG, one panel for each panel title, the reference in black.

    Parameters
    ----------
    path
        Where to write; overwritten.
    title
        One line on top.
    curves
        In the order of the legend; equal curves are drawn once.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels: dict[str, list[Curve]] = {}
    for curve in curves:
        known = panels.setdefault(curve.panel, [])
        if curve not in known:
            known.append(curve)
    columns = min(len(panels), 2)
    rows = math.ceil(len(panels) / columns)
    figure = Figure(figsize=(6.2 * columns, 4.4 * rows + 0.4), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes, (panel, drawn) in zip(grid.flat, panels.items(), strict=False):
        _draw(axes, panel, drawn)
    for axes in list(grid.flat)[len(panels) :]:
        axes.set_visible(False)
    figure.suptitle(title, fontsize=11)
    with replacing(path) as part:
        figure.savefig(part, dpi=110, format="png", metadata={"Software": None})


def _draw(axes: Axes, panel: str, curves: list[Curve]) -> None:
    seen: set[str] = set()
    count = 0
    for curve in curves:
        # Several references of one kind share an entry of the legend.
        label = "_" + curve.label if curve.label in seen else curve.label
        seen.add(curve.label)
        if curve.reference:
            style = "x" if curve.points else "--"
            axes.plot(curve.x, curve.y, style, color=INK, ms=6, lw=1, zorder=4, label=label)
            continue
        colour, marker = COLOURS[count % len(COLOURS)], MARKERS[count % len(MARKERS)]
        style = marker if curve.points else "-"
        axes.plot(curve.x, curve.y, style, color=colour, ms=5, mfc="none", lw=1.6, label=label)
        count += 1
    labels = curves[0].axes
    for axis, label in zip("xy", labels, strict=True):
        if label.startswith("log:"):
            axes.set(**{f"{axis}scale": "log"})
    axes.set(xlabel=labels[0].removeprefix("log:"), ylabel=labels[1].removeprefix("log:"), title=panel)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7, frameon=False)
