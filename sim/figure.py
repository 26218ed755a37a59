"""The picture of a run, after the paper's Figs. 1c, 1d and 9."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.channel import Channel, make_channel
from sim.trace import Trace
from sim.views import MARGIN, VIEWS, WALL, areal_strain, draw_view

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.gridspec import SubplotSpec

INK = "#222222"
COLOURS = ("#0072B2", "#D55E00", "#009E73")  # Okabe–Ito, told apart by colour-blind readers


def write_summary(path: Path, trace: Trace, title: str) -> None:
    """Draw the cells in the channel, DI, velocity and centroid to a PNG.

    Parameters
    ----------
    path
        Where to write; overwritten.
    trace
        A finished run.
    title
        One line on top.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    solid = trace.config.numerics.dimension == 3
    figure = Figure(figsize=(11, 13.5 if solid else 8.2), layout="constrained")
    FigureCanvasAgg(figure)
    rows = figure.add_gridspec(3, 1, height_ratios=[3.2 if solid else 1.25, 1, 1])
    if solid:
        _draw_views(figure, rows[0], trace)
    else:
        _draw_channel(figure.add_subplot(rows[0]), trace)
    panels = [figure.add_subplot(place) for k in (1, 2) for place in rows[k].subgridspec(1, 2)]
    if _sheared(trace):
        _draw_shear(panels, trace)
    else:
        _draw_deformation(panels[0], trace)
        _draw_velocity(panels[1], trace, "x")
        _draw_velocity(panels[2], trace, "time")
        _draw_centroid(panels[3], trace)
    figure.suptitle(title, fontsize=11)
    figure.savefig(path, dpi=130, format="png", metadata={"Software": None})


def _sheared(trace: Trace) -> bool:
    return trace.config.fluid.shear_rate is not None


def _moments(trace: Trace) -> dict[str, int]:
    """Return the snapshots at entry, in the middle and at the exit: centroid nearest to the three planes.

    A cell in shear goes nowhere: three times of it are shown.
    """
    if _sheared(trace):
        last = len(trace.snapshots) - 1
        return {"start": 0, "half-way": last // 2, "end": last}
    centre = np.interp(trace.snapshot_time, trace["time"], trace["x"])
    length = trace.config.channel.constriction_length
    planes = {"entry": 0.0, "middle": length / 2, "exit": length}
    return {name: int(np.argmin(abs(centre - plane))) for name, plane in planes.items()}


def extent(trace: Trace, index: int) -> tuple[float, float]:
    """Return from where to where (m) the cells of a run reach along the channel in a snapshot."""
    x = np.concatenate([one.snapshots[index][:, 0] for one in trace.together])
    return float(x.min()), float(x.max())


def _draw_views(figure: Figure, place: SubplotSpec, trace: Trace) -> None:
    """Draw three views of the cell at entry, in the middle and at the exit."""
    shown = _moments(trace)
    ends = [1e6 * np.array(extent(trace, k)) for k in shown.values()]
    half = max(high - low for low, high in ends) / 2 + 1e6 * MARGIN
    across = 1e6 * max(trace.config.channel.height, trace.config.channel.depth)
    grid = place.subgridspec(3, 3, width_ratios=[2 * half, 2 * half, across])
    top = max(float(np.quantile(areal_strain(one, index), 0.99)) for one in trace.together for index in shown.values())
    panels: list[Axes] = []
    for row, (label, index) in enumerate(shown.items()):
        for column, (title, view) in enumerate(VIEWS.items()):
            axes = figure.add_subplot(grid[row, column])
            middle = ends[row].mean()
            skin = draw_view(axes, trace, index, view, top, (middle - half, middle + half))
            panels.append(axes)
            if row == 0:
                axes.set_title(title, fontsize=9)
            if column == 0:
                axes.set_ylabel(f"{label}, {1e3 * trace.snapshot_time[index]:.3g} ms\n{axes.get_ylabel()}")
    figure.colorbar(skin, ax=panels, label="areal strain of the membrane", shrink=0.5, aspect=40, pad=0.01)


def _draw_channel(axes: Axes, trace: Trace) -> None:
    draw_outline_of_channel(axes, trace, make_channel(trace.config.channel, trace.config.numerics.dx))  # pyright: ignore[reportArgumentType] (frozen, so hashable)
    moments = {"start": 0} | _moments(trace) | {"end": len(trace.snapshots) - 1}
    colours = dict(zip(_moments(trace), COLOURS, strict=True)) | {"start": "#999999", "end": "#CC79A7"}
    for label, index in moments.items():
        colour = colours[label]
        for one in trace.together:
            ring = 1e6 * np.vstack([one.snapshots[index], one.snapshots[index][:1]])
            name = f"{label}, {1e3 * trace.snapshot_time[index]:.3g} ms" if one is trace else None
            axes.plot(ring[:, 0], ring[:, 1], color=colour, lw=1.6, label=name)
            if trace.others:
                middle = ring.mean(axis=0)
                axes.text(middle[0], middle[1], str(one.number + 1), color=colour, fontsize=8, ha="center", va="center")
    axes.legend(ncols=5, loc="upper center", bbox_to_anchor=(0.5, 1.17), fontsize=8, frameon=False)


def draw_outline_of_channel(axes: Axes, trace: Trace, channel: Channel) -> None:
    """Draw the walls of a 2-D run's channel from end to end."""
    top = 1e6 * trace.config.channel.height / 2 * 1.12
    x, y = (
        1e6 * (start + channel.dx * np.arange(n)) for start, n in zip(channel.origin, channel.grid.shape, strict=True)
    )
    distance = channel.distance.reshape(channel.grid.shape, order="F").T
    axes.set_facecolor(WALL)
    axes.contourf(x, y, distance, levels=[0, 1e9], colors=["white"])
    axes.contour(x, y, distance, levels=[0], colors=[INK], linewidths=1.2)
    ends = 1e6 * np.array([trace.config.channel.x_start, trace.config.channel.x_end])
    axes.set(xlim=ends, ylim=(-top, top), aspect="equal", xlabel="x (µm)", ylabel="y (µm)")


def _shade(axes: Axes, trace: Trace) -> None:
    axes.axvspan(0, 1e6 * trace.config.channel.constriction_length, color="#eeeeee", lw=0)
    axes.grid(alpha=0.3)


def _draw_deformation(axes: Axes, trace: Trace) -> None:
    _shade(axes, trace)
    if trace.others:
        for one, style in _styles(trace):
            axes.plot(1e6 * one["x"], one["di"], **style)
    else:
        x = 1e6 * trace["x"]
        axes.plot(x, trace["di"], color=COLOURS[0], label="bounding box")
        axes.plot(x, trace["di_ellipse"], color=COLOURS[1], lw=1, ls="--", label="ellipse of equal moments")
        ceiling = stadium_index(trace.cell.diameter, trace.config.channel.gap)
        if ceiling is not None:
            axes.axhline(ceiling, color=INK, lw=0.8, ls=":", label=f"stadium filling the gap, {ceiling:.3f}")
    axes.set(xlabel="centroid x (µm)", ylabel="deformation index")
    axes.legend(fontsize=7, frameon=False)


def _styles(trace: Trace) -> Iterator[tuple[Trace, dict[str, Any]]]:
    """Yield each cell with the look of its curves: labelled where there are several."""
    for one in trace.together:
        name = f"cell {one.number + 1}, {one.label}" if trace.others else None
        dashes = "-" if one.number < len(COLOURS) else "--"
        yield one, {"color": COLOURS[one.number % len(COLOURS)], "ls": dashes, "label": name}


def stadium_index(diameter: float, gap: float) -> float | None:
    """Return the deformation index of a stadium of the cell's area that fills the gap; None if the cell is smaller.

    Notes
    -----
    Area π D²/4 = π b²/4 + (a - b) b with b the gap, so a = b + π (D² - b²)/(4 b).
    """
    if diameter <= gap:
        return None
    length = gap + np.pi * (diameter**2 - gap**2) / (4 * gap)
    return float((length - gap) / (length + gap))


def _draw_shear(panels: list[Axes], trace: Trace) -> None:
    """Draw shape, extents and what the membrane holds over the time, in which shear is counted."""
    rate = float(trace.config.fluid.shear_rate or 0.0)
    sheared = rate * trace["time"]
    for axes in panels:
        axes.grid(alpha=0.3)
        axes.set_xlabel("shear rate × time")
    solid = trace.config.numerics.dimension == 3
    name, scale, text = ("tension", 1e3, "tension (mN/m)") if solid else ("area", 1e12, "area (µm²)")
    if trace.others:
        name, scale, text = "y", 1e6, "centroid y (µm)"
    for one, style in _styles(trace):
        major, minor = one["major_axis"], one["minor_axis"]
        panels[0].plot(sheared, (major - minor) / (major + minor), **style)
        skin = one["surface" if solid else "perimeter"]
        panels[2].plot(sheared, 100 * (skin / skin[0] - 1), **style)
        panels[3].plot(sheared, scale * one[name], **style)
    panels[0].set_ylabel("Taylor's deformation of the\nellipse of equal moments")
    for extent, label, colour in zip(("length", "height"), ("along the flow", "across"), COLOURS, strict=False):
        panels[1].plot(sheared, 1e6 * trace[extent], color=colour, label=label)
    panels[1].set_ylabel("extent of cell 1 (µm)" if trace.others else "extent (µm)")
    if trace.others:
        panels[0].legend(fontsize=7, frameon=False)
    panels[1].legend(fontsize=7, frameon=False)
    panels[2].set_ylabel("growth of the membrane (%)")
    panels[3].set_ylabel(text)


def _draw_velocity(axes: Axes, trace: Trace, against: str) -> None:
    if against == "x":
        _shade(axes, trace)
    else:
        axes.grid(alpha=0.3)
    for one, style in _styles(trace):
        speed = one["vx"] / trace.flow["gap_velocity_m_per_s"]
        axes.plot(1e6 * one["x"] if against == "x" else 1e3 * one["time"], speed, **style)
    axes.set_xlabel("centroid x (µm)" if against == "x" else "time (ms)")
    axes.set_ylabel("velocity / mean flow velocity\nin the empty gap")


def _draw_centroid(axes: Axes, trace: Trace) -> None:
    unit = 1e-6 if trace.others else trace.cell.diameter
    length = trace.config.channel.constriction_length / unit
    axes.axhspan(0, length, color="#eeeeee", lw=0)
    axes.grid(alpha=0.3)
    for one, style in _styles(trace):
        axes.plot(1e3 * one["time"], one["x"] / unit, **style)
    axes.text(
        0.02, length / 2, "constriction", transform=axes.get_yaxis_transform(), va="center", fontsize=8, color="#555555"
    )
    axes.set(xlabel="time (ms)", ylabel="centroid x (µm)" if trace.others else "centroid x / cell diameter")
