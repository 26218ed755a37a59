"""Pictures of an emulator: predicted against simulated, slices, iso-stiffness lines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.emulation.crossval import HeldOut
from sim.emulation.emulator import NORMAL_95, Emulator
from sim.emulation.labels import label
from sim.emulation.lookup import Lookup
from sim.figure import COLOURS, INK
from sim.files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAP = "viridis"


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of a size in inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, the same bytes for the same figure."""
    with replacing(path) as part:
        figure.savefig(part, dpi=130, format="png", metadata={"Software": None})


def plain_ticks(axis: Any) -> None:
    """Write the numbers of a logarithmic axis out, at 1, 2 and 5 of each decade, if there are few."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    low, high = sorted(axis.get_view_interval())
    if low <= 0 or high / low > 1000:
        return
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)) if high / low > 5 else MaxNLocator(5))
    axis.set_minor_locator(LogLocator(subs=range(1, 10)))
    small = low < 1e-3
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0e}" if small else f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def draw_crossval(path: Path, emulator: Emulator, found: HeldOut) -> None:
    """Draw cross-validated predictions against simulations, one panel a feature, and the probability of passing."""
    names = list(emulator.surfaces)
    columns = 3
    figure = new_figure(4 * columns, 3.7 * -(-(len(names) + 1) // columns))
    panels = figure.subplots(-(-(len(names) + 1) // columns), columns).ravel()
    for axes, name in zip(panels, names, strict=False):
        _draw_feature(axes, emulator, found, name)
    _draw_exit(panels[len(names)], found)
    for axes in panels[len(names) + 1 :]:
        axes.set_axis_off()
    save(figure, path)


def _draw_feature(axes: Axes, emulator: Emulator, found: HeldOut, name: str) -> None:
    surface, shown, score = emulator.surfaces[name], label(name), emulator.scores[name]
    known = np.isfinite(found.truth[name])
    truth, mean, deviation = (v[name][known] for v in (found.truth, found.mean, found.deviation))
    ends = [surface.restore(mean + k * NORMAL_95 * deviation) * shown.factor for k in (-1, 0, 1)]
    x = surface.restore(truth) * shown.factor
    held = abs(truth - mean) <= NORMAL_95 * deviation
    for chosen, colour, words in ((held, COLOURS[0], "within"), (~held, COLOURS[1], "outside of its 95 % interval")):
        bars = [ends[1][chosen] - ends[0][chosen], ends[2][chosen] - ends[1][chosen]]
        axes.errorbar(x[chosen], ends[1][chosen], bars, fmt="o", ms=2.5, lw=0.6, color=colour, label=words)
    span = [x.min(), x.max()]
    axes.plot(span, span, color=INK, lw=0.8, ls="--")
    if surface.log:
        axes.set(xscale="log", yscale="log")
        ends = (span[0] / 1.25, span[1] * 1.25)
        axes.set(xlim=ends, ylim=ends)
        plain_ticks(axes.xaxis)
        plain_ticks(axes.yaxis)
    error = f"{100 * score.rmse:.2g} %" if surface.log else f"{score.rmse:.2g}"
    axes.set(xlabel=f"simulated {shown.axis}", ylabel=f"predicted {shown.axis}")
    axes.set_title(f"RMSE {error}; {100 * score.coverage:.0f} % within their 95 % interval", fontsize=9)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7, frameon=False, loc="upper left")


def _draw_exit(axes: Axes, found: HeldOut) -> None:
    order = np.argsort(found.probability)
    share = np.arange(len(order))
    for chosen, colour, words in ((found.passed, COLOURS[0], "came through"), (~found.passed, COLOURS[1], "stuck")):
        at = chosen[order]
        axes.plot(share[at], found.probability[order][at], "o", ms=3, color=colour, label=words)
    axes.axhline(0.5, color=INK, lw=0.8, ls="--")
    right = np.mean((found.probability >= 0.5) == found.passed)
    axes.set(xlabel="cell, in order", ylabel="predicted probability of coming through", ylim=(-0.03, 1.03))
    axes.set_title(f"{100 * right:.0f} % on the right side of 0.5", fontsize=9)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, frameon=False)


def draw_slices(path: Path, emulator: Emulator) -> None:
    """Draw each feature over each parameter, through three levels of the first other one, with 95 % bands."""
    design = emulator.design
    names, count = list(emulator.surfaces), len(design.inputs)
    figure = new_figure(3.1 * count + 0.6, 2.3 * len(names) + 0.4)
    panels = figure.subplots(len(names), count, squeeze=False, sharex="col", sharey="row")
    for column, item in enumerate(design.inputs):
        other = next(
            (
                k
                for k in (design.names.index("cell.ks") if "cell.ks" in design.names else 0, 0, 1)
                if k != column and k < count
            ),
            None,
        )
        for level, colour in zip((0.2, 0.5, 0.8), COLOURS, strict=True):
            points = np.full((100, count), 0.5)
            points[:, column] = np.linspace(0, 1, 100)
            words = ""
            if other is not None:
                points[:, other] = level
                held = design.inputs[other]
                shown = label(held.name, held.unit)
                words = f"{shown.words} {shown.show(float(held.unscale(level)))}"
            _draw_slice(panels[:, column], emulator, column, points, colour, words)
        shown = label(item.name, item.unit)
        panels[-1, column].set_xlabel(shown.axis)
        panels[0, column].legend(fontsize=7, frameon=False)
        if item.log:
            plain_ticks(panels[-1, column].xaxis)
    for row, name in enumerate(names):
        if emulator.surfaces[name].log:
            plain_ticks(panels[row, 0].yaxis)
        panels[row, 0].set_ylabel(label(name).axis.replace(" (", "\n("))
    figure.suptitle(
        "means with 95 % bands, the other parameters in the middle of the design; where cells come through", fontsize=10
    )
    save(figure, path)


def _draw_slice(panels: Any, emulator: Emulator, column: int, points: np.ndarray, colour: str, words: str) -> None:
    item = emulator.design.inputs[column]
    shown = label(item.name, item.unit)
    x = item.unscale(points[:, column]) * shown.factor
    there = (emulator.exit.probability(points) >= 0.5) & emulator.design.inside(points)
    for axes, (name, (value, low, high)) in zip(panels, emulator.predict(points).items(), strict=True):
        factor = label(name).factor
        value, low, high = (np.where(there, v * factor, np.nan) for v in (value, low, high))
        axes.plot(x, value, color=colour, label=words or None)
        axes.fill_between(x, low, high, color=colour, alpha=0.2, lw=0)
        axes.set(xscale="log" if item.log else "linear", yscale="log" if emulator.surfaces[name].log else "linear")
        axes.grid(alpha=0.3)


def draw_lookup(path: Path, emulator: Emulator, lookup: Lookup) -> None:
    """Draw transition time against diameter with lines of equal stiffness, one panel a pressure."""
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LogNorm

    pressures = sorted({pressure for pressure, _ in lookup.lines})
    levels = sorted({ks for _, ks in lookup.lines})
    norm = LogNorm(1e3 * levels[0], 1e3 * levels[-1])
    figure = new_figure(4.3 * len(pressures) + 1.2, 4.6)
    panels = figure.subplots(1, len(pressures), sharey=True, squeeze=False)[0]
    for axes, pressure in zip(panels, pressures, strict=True):
        for ks in levels:
            size, time, low, high = lookup.lines[(pressure, ks)]
            colour = colormaps[MAP](norm(1e3 * ks))
            axes.plot(1e6 * size, 1e3 * time, color=colour, lw=1.8)
            axes.fill_between(1e6 * size, 1e3 * low, 1e3 * high, color=colour, alpha=0.15, lw=0)
        axes.set(yscale="log", xlabel="diameter (µm)")
        if np.isfinite(pressure):
            axes.set_title(f"{pressure / 1e3:.3g} kPa", fontsize=10)
        axes.grid(alpha=0.3, which="both")
    plain_ticks(panels[0].yaxis)
    panels[0].set_ylabel("transition time (ms)")
    bar = figure.colorbar(ScalarMappable(norm, MAP), ax=panels, pad=0.01)
    bar.set_label("Ks (mN/m)")
    plain_ticks(bar.ax.yaxis)
    for ks in levels:
        bar.ax.axhline(1e3 * ks, color="white", lw=1)
    save(figure, path)
