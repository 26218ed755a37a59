"""The pictures of a run that a dataset keeps: which moments, and the crops around the cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from bridge.scene import MOMENTS, Scene, picture, pose

if TYPE_CHECKING:
    from bridge.body import Grid
    from bridge.optics import Microscope
    from sim.config import ChannelConfig
    from sim.trace import Trace

FIELD = 288 / 6 * 1e-6
"""Edge of a crop: 288 camera pixels; a cell of 14.2 µm squeezed in two dimensions is about 40 µm long (m)."""
UNDEFORMED = 0.02
"""Largest |DI| of a cell that counts as not yet deformed (1)."""
_SURROUNDINGS = 5e-6  # m of wall that a frame of the whole channel shows, both sides together


class View(NamedTuple):
    """One crop of a cell."""

    image: np.ndarray
    """Picture (size, size) uint8."""
    mask: np.ndarray
    """The outline, filled (size, size) uint8, 0 or 255."""


def moment(trace: Trace, which: str) -> int | None:
    """Return the snapshot that shows a moment, or None if the run does not show it.

    Parameters
    ----------
    trace
        The run.
    which
        ``first``: the last snapshot ahead of the constriction in which the cell is still round (|DI| ≤ `UNDEFORMED`),
        the start of the run where it never is; ``middle``: the centroid midway in the constriction;
        ``squeezed``: the last snapshot before the leading edge passes the exit plane, with the centroid inside,
        for from then on the cell widens again.
    """
    end = trace.config.channel.constriction_length
    front, x, di = (np.interp(trace.snapshot_time, trace["time"], trace[name]) for name in ("front_x", "x", "di"))
    if which == "first":
        shown = np.flatnonzero((front <= 0) & (np.abs(di) <= UNDEFORMED))
        return int(shown[-1]) if shown.size else 0
    inside = np.flatnonzero((x >= 0) & (x <= end))
    if which == "middle":
        return int(inside[np.argmin(np.abs(x[inside] - end / 2))]) if inside.size else None
    shown = inside[front[inside] <= end]
    return int(shown[-1]) if shown.size and front.max() > end else None


def _centroid(trace: Trace, index: int) -> tuple[float, float]:
    """Return the centroid in a snapshot (m)."""
    x, y = (float(np.interp(trace.snapshot_time[index], trace["time"], trace[name])) for name in "xy")
    return x, y


def crop(trace: Trace, which: str, scene: Scene, microscope: Microscope, size: int) -> View | None:
    """Return the crop of `FIELD` around the cell at a moment, or None if the run does not show it.

    Parameters
    ----------
    trace
        The run.
    which
        One of `MOMENTS`.
    scene, microscope
        The cell's look and what it is looked at with.
    size
        Edge of the picture (px); its pixels measure `FIELD` / `size`.
    """
    from PIL import Image

    from bridge.body import Grid
    from bridge.optics import camera
    from bridge.path import silhouette

    index = moment(trace, which)
    if index is None:
        return None
    x, y = _centroid(trace, index)
    edge = round(FIELD / microscope.pixel_size)
    grid = Grid.centred(x, y, microscope.pixel_size, (edge, edge))
    light = picture(pose(trace, index), trace.config.channel, scene, microscope, grid) * scene.lamp.on(grid)
    frame = camera(light, microscope, np.random.default_rng(scene.noise[MOMENTS.index(which)]))
    resized = Image.fromarray(frame).resize(
        (size, size), Image.Resampling.BOX if size <= edge else Image.Resampling.BICUBIC
    )
    mask = silhouette(trace.snapshots[index], trace.faces, Grid.centred(x, y, FIELD / size, (size, size))) >= 0.5
    return View(np.asarray(resized), np.where(mask, 255, 0).astype(np.uint8))


def whole_channel(channel: ChannelConfig, pixel_size: float) -> Grid:
    """Return the camera's pixels over a whole channel and a little of its walls; rows and columns are even."""
    from bridge.body import Grid

    height = channel.height + _SURROUNDINGS
    shape = (2 * round(height / pixel_size / 2), 2 * round(channel.length / pixel_size / 2))
    return Grid.centred((channel.x_start + channel.x_end) / 2, 0.0, pixel_size, shape)


def frame(trace: Trace, which: str, scene: Scene, microscope: Microscope) -> np.ndarray | None:
    """Return the camera frame (rows, columns) uint8 of the whole channel at a moment, or None if the run lacks it."""
    from bridge.optics import camera

    index = moment(trace, which)
    if index is None:
        return None
    grid = whole_channel(trace.config.channel, microscope.pixel_size)
    light = picture(pose(trace, index), trace.config.channel, scene, microscope, grid) * scene.lamp.on(grid)
    return camera(light, microscope, np.random.default_rng(scene.noise[MOMENTS.index(which)]))
