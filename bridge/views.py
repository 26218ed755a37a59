"""The pictures of a run that a dataset keeps: which moments, and the crops around the cell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from bridge.light import Look, change, empty_channel
from bridge.scene import MOMENTS, Scene, pose
from bridge.shot import Shot, mask_of, seen

if TYPE_CHECKING:
    from bridge.body import Grid
    from bridge.microscope import Microscope
    from sim.config import ChannelConfig
    from sim.trace import Trace

FIELD = 288 / 6 * 1e-6
"""Edge of a crop: 288 camera pixels; a cell of 14.2 µm squeezed in two dimensions is about 40 µm long (m)."""
UNDEFORMED = 0.02
"""Largest |DI| of a cell that counts as not yet deformed (1)."""
VIEW_TRUTH = ("x", "y", "vx", "vy", "major_axis", "minor_axis", "di")
"""What a dataset keeps of the truth of each picture, beside its mask: columns of `bridge.shot.TRUTH`."""
_SURROUNDINGS = 5e-6  # m of wall that a frame of the whole channel shows, both sides together


class View(NamedTuple):
    """One crop of a cell."""

    image: np.ndarray
    """Picture (size, size) uint8, or uint16 beyond 8 bits."""
    mask: np.ndarray
    """The outline, filled (size, size) uint8, 0 or 255."""
    truth: dict[str, float]
    """Columns `VIEW_TRUTH` of the run at that moment."""


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
        Edge of the picture (px); its pixels measure `FIELD` / `size`, to within a camera pixel in `FIELD`.
    """
    from PIL import Image

    from bridge.body import Grid
    from bridge.path import silhouette

    index = moment(trace, which)
    if index is None:
        return None
    edge = round(FIELD / microscope.pixel_size)
    field = _field_of_crops(trace.config.channel, microscope.pixel_size)
    x, y = _centroid(trace, index)
    left, top = (round((a - b) / field.pixel_size - edge / 2) for a, b in ((x, field.x0), (y, field.y0)))
    left, top = (min(max(a, 0), n - edge) for a, n in ((left, field.shape[1]), (top, field.shape[0])))
    camera_pixels = _seen(trace, index, which, scene, Look(trace.config.channel, microscope, field), (top, left, edge))
    kind = Image.Resampling.BOX if size <= edge else Image.Resampling.BICUBIC
    resized = np.asarray(Image.fromarray(camera_pixels.astype(np.float32)).resize((size, size), kind))
    x0, y0 = field.x0 + left * field.pixel_size, field.y0 + top * field.pixel_size
    grid = Grid(x0, y0, edge * field.pixel_size / size, (size, size))
    covered = silhouette(trace.snapshots[index], trace.faces, grid)
    image = np.clip(np.rint(resized), 0, np.iinfo(camera_pixels.dtype).max).astype(camera_pixels.dtype)
    truth = {name: float(np.interp(trace.snapshot_time[index], trace["time"], trace[name])) for name in VIEW_TRUTH}
    return View(image, mask_of(covered), truth)


def _seen(
    trace: Trace,
    index: int,
    which: str,
    scene: Scene,
    look: Look,
    part: tuple[int, int, int] | None = None,
    others: Sequence[Scene] = (),
) -> np.ndarray:
    """Return what the camera shows of a snapshot, on all its pixels or on a square (top, left, edge) of them."""
    from bridge.body import Grid
    from bridge.camera import camera

    grid = look.grid
    top, left, rows, columns = (0, 0, *grid.shape) if part is None else (part[0], part[1], part[2], part[2])
    light, shade = (a[top : top + rows, left : left + columns] for a in empty_channel(*look))
    here = Grid(grid.x0 + left * grid.pixel_size, grid.y0 + top * grid.pixel_size, grid.pixel_size, (rows, columns))
    light = light.copy()
    for one, its in zip(trace.together, (scene, *others), strict=False):  # without their looks, not the others
        added, window = change(pose(one, index), its, look._replace(grid=here), velocity(one, index))
        light[window] += added
    rng = np.random.default_rng(scene.noise[MOMENTS.index(which)])
    return camera(light * shade * scene.lamp.on(here), look.microscope, rng)


def velocity(trace: Trace, index: int) -> tuple[float, float]:
    """Return the velocity of the centroid in a snapshot along x and y (m/s)."""
    x, y = (float(np.interp(trace.snapshot_time[index], trace["time"], trace[name])) for name in ("vx", "vy"))
    return x, y


def whole_channel(channel: ChannelConfig, pixel_size: float) -> Grid:
    """Return the camera's pixels over a whole channel and a little of its walls; rows and columns are even."""
    from bridge.body import Grid

    height = channel.height + _SURROUNDINGS
    shape = (2 * round(height / pixel_size / 2), 2 * round(channel.length / pixel_size / 2))
    return Grid.centred((channel.x_start + channel.x_end) / 2, 0.0, pixel_size, shape)


def _field_of_crops(channel: ChannelConfig, pixel_size: float) -> Grid:
    """Return the camera's pixels of `whole_channel` and so many around them that every crop lies within."""
    grid = whole_channel(channel, pixel_size)
    more = round(FIELD / pixel_size / 2) + 1
    x0, y0 = grid.x0 - more * pixel_size, grid.y0 - more * pixel_size
    return grid._replace(x0=x0, y0=y0, shape=(grid.shape[0] + 2 * more, grid.shape[1] + 2 * more))


def frame(trace: Trace, which: str, scene: Scene, microscope: Microscope, others: Sequence[Scene] = ()) -> Shot | None:
    """Return the camera frame of the whole channel at a moment and its truth, or None if the run lacks it.

    Parameters
    ----------
    trace
        The run.
    which
        One of `MOMENTS`, of several cells that of the first.
    scene, microscope
        The cell's look and what it is looked at with.
    others
        The looks of the other cells of the run, which are left out without.
    """
    index = moment(trace, which)
    if index is None:
        return None
    channel = trace.config.channel
    grid = whole_channel(channel, microscope.pixel_size)
    image = _seen(trace, index, which, scene, Look(channel, microscope, grid), others=others)
    shown = [seen(pose(one, index), velocity(one, index), grid) for one in trace.together[: 1 + len(others)]]
    about = {"frame": 0, "time": float(trace.snapshot_time[index])}
    truth = [about | {"cell": number} | one.row for number, one in enumerate(shown)]
    covered = np.max([one.covered for one in shown], axis=0)
    return Shot(image, mask_of(covered), truth, [one.outline for one in shown])
