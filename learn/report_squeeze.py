"""Figures of one squeeze for a report page: outlines, traces, pictures through the microscope model."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np

from bridge.runs import Trace, channel_walls, seen_outlines
from learn.report_film import FRAME_SECONDS, FRAMES, film_of, oriented
from learn.report_page import Figure, Player, number
from learn.report_svg import PALETTE, drawing, series, thinned

_SIZE = 192
_VIEWS = {
    "first": "before the squeeze",
    "middle": "midway in the constriction",
    "squeezed": "at the end of the squeeze",
}


def animation(trace: Trace) -> Player:
    """Return the animation of a run."""
    seen = "outline" if trace.config.numerics.dimension == 2 else "outline as seen along the optical axis"
    seconds = trace.snapshot_time[-1] - trace.snapshot_time[0]
    slower = number(min(FRAMES, len(trace.snapshot_time)) * FRAME_SECONDS / seconds, 1)
    caption = (
        f"The cell’s {seen} in the channel, {1e6 * trace.config.channel.length:.3g} µm long, {slower} times slower "
        "than it was; x = 0 is the constriction’s entry plane."
    )
    return Player(caption, film_of(trace))


def moments(trace: Trace) -> Figure:
    """Draw the outline at the start, at entry, middle and exit of the constriction, and at the end."""
    outlines, channel = seen_outlines(trace), trace.config.channel
    centre = np.interp(trace.snapshot_time, trace["time"], trace["x"])
    planes = {"entry": 0.0, "middle": channel.constriction_length / 2, "exit": channel.constriction_length}
    shown = {"start": 0} | {name: int(np.argmin(abs(centre - x))) for name, x in planes.items()}
    shown["end"] = len(outlines) - 1
    colours = [PALETTE["soft"], *(series(k) for k in range(4))]
    with drawing(9.6, 0.85 + 9.9 * channel.height / channel.length) as made:
        axes = made.axes()
        axes.grid(visible=False)
        _draw_walls(axes, trace)
        for (name, snapshot), colour in zip(shown.items(), colours, strict=True):
            ring = 1e6 * np.vstack([outlines[snapshot], outlines[snapshot][:1]])
            label = f"{name}, {1e3 * trace.snapshot_time[snapshot]:.3g} ms"
            axes.plot(ring[:, 0], ring[:, 1], color=colour, label=label)
        ends = 1e6 * np.array([channel.x_start, channel.x_end])
        top = 1e6 * channel.height / 2 * 1.08
        axes.set(xlim=ends, ylim=(-top, top), aspect="equal", xlabel="x (µm)", ylabel="y (µm)")
        made.figure.legend(ncols=5, loc="outside upper center")
    return Figure("Outlines of the cell in the channel, with the time since the start.", made.svg, wide=True)


def traces(trace: Trace) -> list[Figure]:
    """Draw deformation index and velocity against place, velocity and place against time (paper, Fig. 1c and d)."""
    time, x, speed, di, ellipse = thinned(*(trace[name] for name in ("time", "x", "vx", "di", "di_ellipse")))
    time, x, speed = 1e3 * time, 1e6 * x, 1e3 * speed
    length = 1e6 * trace.config.channel.constriction_length
    figures = []
    with drawing() as made:
        axes = made.axes()
        axes.axvspan(0, length, color=PALETTE["band"], lw=0)
        axes.plot(x, di, color=series(0), label="bounding box")
        axes.plot(x, ellipse, color=series(1), lw=1.1, ls="--", label="ellipse of equal moments")
        axes.set(xlabel="centroid x (µm)", ylabel="deformation index (1)")
        axes.legend()
    figures.append(Figure("Deformation index against place; the band is the constriction.", made.svg))
    with drawing() as made:
        axes = made.axes()
        axes.axvspan(0, length, color=PALETTE["band"], lw=0)
        axes.plot(x, speed, color=series(0))
        axes.set(xlabel="centroid x (µm)", ylabel="velocity (mm/s)")
    figures.append(Figure("Velocity of the centroid along the channel against place.", made.svg))
    with drawing() as made:
        axes = made.axes()
        axes.plot(time, speed, color=series(0))
        axes.set(xlabel="time (ms)", ylabel="velocity (mm/s)")
    figures.append(Figure("The same velocity against time.", made.svg))
    with drawing() as made:
        axes = made.axes()
        axes.axhspan(0, length, color=PALETTE["band"], lw=0)
        axes.plot(time, x, color=series(0))
        axes.set(xlabel="time (ms)", ylabel="centroid x (µm)")
    figures.append(Figure("Place of the centroid against time; the band is the constriction.", made.svg))
    return figures


def pictures(trace: Trace) -> list[Figure]:
    """Return one figure with the cell at up to three moments; none of a channel that cannot be pictured."""
    from bridge.microscope import MICROSCOPES
    from bridge.records import DatasetError
    from bridge.scene import draw_scene
    from bridge.views import FIELD, crop

    microscope = MICROSCOPES["te2000"]
    scene = draw_scene(trace, microscope, 0)
    try:
        found = {which: crop(trace, which, scene, microscope, _SIZE) for which in _VIEWS}
    except DatasetError:
        return []
    views = {which: view.image for which, view in found.items() if view is not None}
    strip = np.hstack([np.pad(image, 2, constant_values=255) for image in views.values()])
    caption = (
        "The cell as the microscope model pictures it (bright field, seed 0): "
        f"{', '.join(_VIEWS[which] for which in views)}. Each picture is {1e6 * FIELD:.0f} µm wide."
    )
    return [Figure(caption, image=png_uri(strip), wide=True)]


def png_uri(pixels: np.ndarray) -> str:
    """Return a grey picture (rows, columns) uint8 as a data URI."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"


def _draw_walls(axes: Any, trace: Trace) -> None:
    edge = 1e6 * trace.config.channel.height
    for line, side in zip(oriented(channel_walls(trace)), (1, -1), strict=False):
        x, y = 1e6 * line.T
        axes.fill_between(x, y, side * edge, color=PALETTE["wall"], lw=0)
        axes.plot(x, y, color=PALETTE["ink"], lw=1.1)
