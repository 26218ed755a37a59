"""The picture of a sweep: families of DI(x) and v(x) as in the paper's Fig. 9 e and f, and features over the design."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from sim.sweep_table import CAME_THROUGH, Column

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

CURVES = 40
"""At most so many curves in a family."""
SCALES = {
    "cell.ks": ("Ks (mN/m)", 1e3),
    "cell.kb": ("Kb (10⁻¹⁶ J)", 1e16),
    "cell.diameter": ("diameter (µm)", 1e6),
    "cell.start_y": ("start off the centre line (µm)", 1e6),
    "fluid.pressure_drop": ("pressure drop (kPa)", 1e-3),
}
"""Label and factor of the parameters that cells are usually swept over."""
FEATURES = {
    "transition_time": ("transition time (ms)", 1e3),
    "max_velocity": ("maximum velocity (mm/s)", 1e3),
    "deformation_index": ("deformation index", 1.0),
}
MARKERS = "os^Dvp*h"
NO_PASSAGE = {
    "STUCK": ("x", "#D55E00"),
    "MAX_STEPS": ("+", "#D55E00"),
    "UNSTABLE": ("1", "#CC79A7"),
    "REFUSED": (".", "#999999"),
}


def draw_sweep(path: Path, folder: Path, table: pd.DataFrame, columns: Mapping[str, Column]) -> None:
    """Draw a sweep to a PNG.

    Parameters
    ----------
    path
        Where to write.
    folder
        With the run folders.
    table, columns
        As `sim.sweep_table.read_sweep` returns them.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    varied = _varied(table, columns)
    passed = cast("pd.DataFrame", table[table["outcome"].isin(CAME_THROUGH)])
    figure = Figure(figsize=(13, 11), layout="constrained")
    FigureCanvasAgg(figure)
    families, maps = figure.add_gridspec(2, 1, height_ratios=[2, 1.15])
    grid = families.subgridspec(2, 2)
    for column, name in enumerate(("cell.ks", "cell.kb")):
        _draw_families(figure, [figure.add_subplot(grid[row, column]) for row in (0, 1)], folder, passed, name, varied)
    row = maps.subgridspec(1, 3)
    for index, feature in enumerate(FEATURES):
        _draw_map(figure, figure.add_subplot(row[index]), table, feature, varied, index == 0)
    counts = table["outcome"].value_counts()
    told = ", ".join(f"{counts[name]} {name}" for name in sorted(counts.index))
    figure.suptitle(f"{len(table)} runs of {', '.join(sorted(set(table['class'])))}: {told}", fontsize=11)
    figure.savefig(path, dpi=130, format="png", metadata={"Software": None})


def _varied(table: pd.DataFrame, columns: Mapping[str, Column]) -> list[str]:
    """Return the parameters that differ between runs and are numbers, those that cells are usually swept over first."""
    names = [name for name, one in columns.items() if one.role == "parameter" and one.unit and name != "seed"]
    names = [name for name in names if len(set(table[name])) > 1]
    return [name for name in SCALES if name in names] + [name for name in names if name not in SCALES]


def _label(name: str) -> tuple[str, float]:
    return SCALES.get(name, (f"{name} (SI)", 1.0))


def _draw_families(
    figure: Figure, panels: list[Axes], folder: Path, passed: pd.DataFrame, name: str, varied: list[str]
) -> None:
    """Draw DI(x) and v(x) of cells that differ in one parameter, and as little as may be in the others."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LogNorm, Normalize

    passed = passed.dropna(subset=[name])
    label, factor = _label(name)
    shown = _family(passed, name, [other for other in varied if other != name])
    values = factor * shown[name].to_numpy(float)
    for axes, what in zip(panels, ("deformation index", "velocity (mm/s)"), strict=True):
        axes.grid(alpha=0.3)
        axes.set(xlabel="centroid x (µm)", ylabel=what)
    if not len(shown):
        panels[0].text(0.5, 0.5, "no cell has passed", transform=panels[0].transAxes, ha="center")
        return
    low, high = values.min(), values.max()
    if low == high:
        low, high = 0.9 * low, 1.1 * high or 1.0
    colours = ScalarMappable(LogNorm(low, high) if low > 0 else Normalize(low, high), "viridis")
    for run, value in zip(shown["run"], values, strict=True):
        x, di, velocity, length = _curves(folder / run)
        for axes, y in zip(panels, (di, 1e3 * velocity), strict=True):
            axes.plot(1e6 * x, y, color=colours.to_rgba(value), lw=0.9)
    for axes in panels:
        axes.axvspan(0, 1e6 * length, color="#eeeeee", lw=0, zorder=0)
    bar = figure.colorbar(colours, ax=panels, label=label, pad=0.01, aspect=40)
    if low > 0:
        _plain_ticks(bar.ax.yaxis, low, high)
    others = _others(shown, [other for other in varied if other != name])
    panels[0].set_title(f"{len(shown)} cells{f' of {others}' if others else ''}", fontsize=9)


def _family(passed: pd.DataFrame, name: str, others: list[str]) -> pd.DataFrame:
    """Return the cells nearest to the median of the other parameters, by rank, ordered by the one at hand.

    Of a grid these are the cells of one point of the others.
    """
    distance = np.zeros(len(passed))
    for other in others:
        rank = passed[other].rank(pct=True).to_numpy(float)
        distance += np.nan_to_num(rank - 0.5) ** 2
    nearest = np.argsort(distance, kind="stable")[:CURVES]
    points = passed.groupby(others, sort=False).ngroup().to_numpy() if others else np.zeros(len(passed))
    same = np.flatnonzero(points == points[nearest[0]]) if len(nearest) else nearest
    if len(same) > 1:
        nearest = same[:CURVES]
    return cast("pd.DataFrame", passed.iloc[np.sort(nearest)].sort_values(name, kind="stable"))


def _others(shown: pd.DataFrame, others: list[str]) -> str:
    """Return the range of the other parameters, in words."""
    words = []
    for other in others[:3]:
        label, factor = _label(other)
        what, _, unit = label.rstrip(")").partition(" (")
        values = factor * shown[other].to_numpy(float)
        low, high = values.min(), values.max()
        span = f"{low:.3g} to {high:.3g}" if high > low else f"{low:.3g}"
        words.append(f"{what} {span} {'× ' if unit.startswith('10') else ''}{unit}")
    return ", ".join(words)


def _curves(run: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Return x (m), deformation index, velocity (m/s) and the constriction's length (m) of a run."""
    import h5py

    from sim.config import load_config

    with h5py.File(run / "result.h5", "r") as file:
        x, di, velocity = (np.asarray(file[f"trace/{name}"]) for name in ("x", "di", "vx"))
    return x, di, velocity, load_config(run / "config.toml").channel.constriction_length


def _draw_map(figure: Figure, axes: Axes, table: pd.DataFrame, feature: str, varied: list[str], legend: bool) -> None:
    """Draw a feature over the first two parameters that are varied, with a mark where no cell came through."""
    label, factor = FEATURES[feature]
    names = [name for name in ("cell.ks", "cell.diameter") if name in varied]
    names += [name for name in (*varied, "cell.ks", "cell.diameter") if name not in names]
    names = names[:2]
    x, y = (_label(name)[1] * table[name].to_numpy(float) for name in names)
    seen = factor * table[feature].to_numpy(float)
    limits: dict[str, Any] = {"vmin": np.nanmin(seen), "vmax": np.nanmax(seen)} if np.isfinite(seen).any() else {}
    drawn = None
    for marker, kind in zip(MARKERS * 10, sorted(set(table["class"])), strict=False):
        mine = (table["class"] == kind).to_numpy() & np.isfinite(seen)
        drawn = axes.scatter(x[mine], y[mine], c=seen[mine], marker=marker, s=22, cmap="viridis", label=kind, **limits)
    for outcome, (marker, colour) in NO_PASSAGE.items():
        mine = (table["outcome"] == outcome).to_numpy()
        if mine.any():
            axes.scatter(x[mine], y[mine], marker=marker, color=colour, s=34, label=outcome)
    for values, axis, scale in ((x, axes.xaxis, axes.set_xscale), (y, axes.yaxis, axes.set_yscale)):
        if values.size and values.min() > 0 and values.max() > 3 * values.min():
            scale("log")
            _plain_ticks(axis, values.min(), values.max())
    axes.set(xlabel=_label(names[0])[0], ylabel=_label(names[1])[0])
    if legend and len(axes.collections) > 1:
        axes.legend(fontsize=7, framealpha=0.8)
    if drawn is not None:
        figure.colorbar(drawn, ax=axes, label=label, location="top", aspect=40)


def _plain_ticks(axis: Axis, low: float, high: float) -> None:
    """Put ticks with plain numbers on a logarithmic axis."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    powers = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    ticks = (powers[:, None] * [1, 2, 5]).ravel()
    axis.set_major_locator(FixedLocator([float(tick) for tick in ticks if 0.999 * low <= tick <= 1.001 * high]))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
