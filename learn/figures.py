"""What the figures of all commands share: size, colours, how they are written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from bridge.command import replacing

OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#000000")
"""Colours that people of all colour visions tell apart (Okabe and Ito 2008)."""


def colour(index: int) -> str:
    """Return the colour of a class, model or source; they repeat after eight."""
    return OKABE_ITO[index % len(OKABE_ITO)]


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of this size in inches, drawn without a display."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save_figure(path: Path, figure: Figure) -> None:
    """Write a figure as PNG in one piece; the same figure gives the same bytes."""
    with replacing(path) as part:
        figure.savefig(part, dpi=150, metadata={"Software": None})


def label_of(name: str, unit: str) -> str:
    """Return the axis label of a feature, in two lines where it is long."""
    text = name.replace("_", " ")
    if unit in ("", "1"):
        return text
    return f"{text}{chr(10) if len(text + unit) > 24 else ' '}({unit})"


def draw_bars(axes: Axes, names: list[str], values: list[np.ndarray], colours: list[str]) -> None:
    """Draw the mean of each set of values as a bar with its standard deviation, and the values (paper, Fig. 6f)."""
    for place, (points, fill) in enumerate(zip(values, colours, strict=True)):
        spread = float(np.std(points, ddof=1)) if len(points) > 1 else 0.0
        axes.bar(place, float(np.mean(points)), yerr=spread, width=0.7, color=fill, alpha=0.55, capsize=4)
        beside = place + np.linspace(-0.2, 0.2, len(points)) if len(points) > 1 else [place]
        axes.plot(beside, points, "o", color=fill, mec="black", mew=0.5, ms=4)
    axes.set_xticks(range(len(names)), names)
    low = min(float(np.min(points)) for points in values)
    axes.set_ylim(max(0.0, np.floor(20 * low) / 20 - 0.05), min(axes.get_ylim()[1], 1.02))


def linear_width(values: np.ndarray) -> float | None:
    """Return up to which value an axis is to be linear before it turns logarithmic, or None for a linear axis.

    Values of one sign that spread over more than two orders of magnitude want such an axis; it may begin at 0.
    """
    positive = values[values > 0]
    if values.min() < 0 or not len(positive) or positive.max() < 100 * positive.min():
        return None
    return float(np.quantile(positive, 0.1))


def spaced(values: np.ndarray, points: int) -> np.ndarray:
    """Return `points` values over the range of `values`, evenly spaced on the axis that these want."""
    width = linear_width(values)
    if width is None:
        return np.linspace(values.min(), values.max(), points)
    return width * np.sinh(np.linspace(np.arcsinh(values.min() / width), np.arcsinh(values.max() / width), points))


def scale_axes(axes: Axes, x: np.ndarray, y: np.ndarray) -> None:
    """Give both axes the scale that their values want, with ticks at 0 and the powers of ten that are apart."""
    along = ((x, axes.xaxis, axes.set_xscale, axes.set_xlim), (y, axes.yaxis, axes.set_yscale, axes.set_ylim))
    for values, axis, set_scale, set_limits in along:
        width = linear_width(values)
        if width is not None:
            set_scale("asinh", linear_width=width)
            ends = np.arcsinh(np.array([values.min(), values.max()]) / width)
            set_limits(*(width * np.sinh(ends + np.array([-0.05, 0.05]) * np.ptp(ends))))
            powers = np.arange(np.ceil(np.log10(width)), np.floor(np.log10(values.max())) + 1)
            axis.set_ticks([0.0, *10.0**powers], ["0", *(f"$10^{{{power:.0f}}}$" for power in powers)])
            axis.set_minor_locator(NullLocator())
