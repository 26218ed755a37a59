"""One cell in its channel under the microscope: what is drawn once per cell, and the light that reaches the camera."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from bridge.body import CellBody, Grid
    from bridge.optics import Lamp, Microscope
    from sim.config import ChannelConfig
    from sim.trace import Trace

MOMENTS = ("first", "middle", "squeezed")
"""Moments of a run that are pictured one by one; each has noise of its own."""

_MARGIN = 32  # pixels around a picture: keep the periodic field's seam out of it


class Pose(NamedTuple):
    """A membrane at one moment."""

    nodes: np.ndarray
    """Outline (V, 2) or mesh (V, 3), m."""
    rest: np.ndarray
    """The same nodes at rest, m."""
    faces: np.ndarray
    """Edges (V, 2) of an outline or triangles (F, 3) of a mesh."""


@dataclass(frozen=True)
class Scene:
    """One cell's look: what is drawn once per cell and stays the same in all its pictures."""

    body: CellBody
    lamp: Lamp
    defocus: float
    """Distance of the focal plane from the cell's middle plane (m)."""
    noise: tuple[np.random.SeedSequence, ...]
    """Seeds of the camera's noise, one for each of `MOMENTS`."""


def draw_scene(trace: Trace, microscope: Microscope, seed: int) -> Scene:
    """Draw a cell's inner structure, lamp and focus.

    Parameters
    ----------
    trace
        The run; its class chooses the optics, its digest and `seed` all that is random.
    microscope
        The microscope.
    seed
        Same seed, same pictures.
    """
    from bridge.body import OPTICS, CellOptics, draw_body
    from bridge.optics import Lamp
    from bridge.path import radius_of

    root = np.random.SeedSequence([seed, int(trace.config.digest(), 16)])
    look, *noise = root.spawn(1 + len(MOMENTS))
    rng = np.random.default_rng(look)
    radius = radius_of(trace.snapshots[0], trace.faces)
    body = draw_body(OPTICS.get(trace.config.name, CellOptics()), radius, rng)
    lamp = Lamp.draw(microscope, rng)
    return Scene(body, lamp, float(rng.normal(microscope.defocus, microscope.defocus_spread)), tuple(noise))


def pose(trace: Trace, index: int) -> Pose:
    """Return a run's membrane in one of its snapshots."""
    return Pose(trace.snapshots[index], trace.snapshots[0], trace.faces)


def picture(cell: Pose | None, channel: ChannelConfig, scene: Scene, microscope: Microscope, grid: Grid) -> np.ndarray:
    """Return the noiseless intensity on camera pixels (rows, columns) float32 under even light, 1 = empty channel.

    Parameters
    ----------
    cell
        The membrane, within the picture; None for the empty channel.
    channel, scene, microscope
        What is looked at and through.
    grid
        The camera's pixels.

    Notes
    -----
    Pixels too coarse for the aperture are averages over finer ones.
    """
    from scipy.fft import next_fast_len

    from bridge.body import Grid
    from bridge.optics import bright_field, object_field
    from bridge.path import optical_path

    fine = microscope.oversampling
    pixel = grid.pixel_size / fine
    rows, columns = (2 * int(next_fast_len((n * fine + 1) // 2 + _MARGIN) or 0) for n in grid.shape)
    top, left = ((big - small * fine) // 2 for big, small in zip((rows, columns), grid.shape, strict=True))
    wide = Grid(grid.x0 - left * pixel, grid.y0 - top * pixel, pixel, (rows, columns))
    path = np.zeros(wide.shape)
    if cell is not None:
        near, window = wide.around(cell.nodes[:, :2], _MARGIN // 4)
        path[window] = optical_path(scene.body, cell.rest, cell.nodes, cell.faces, near, microscope.medium_index)
    intensity = bright_field(object_field(path, channel, wide, microscope), pixel, microscope, scene.defocus)
    shown = intensity[top : top + grid.shape[0] * fine, left : left + grid.shape[1] * fine]
    return shown.reshape(grid.shape[0], fine, grid.shape[1], fine).mean(axis=(1, 3))
