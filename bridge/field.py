"""What the light meets: walls and the cell between them, as a transmission, and the shade of deep walls."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from bridge.records import DatasetError

if TYPE_CHECKING:
    from bridge.body import Grid
    from bridge.microscope import Microscope
    from sim.config import ChannelConfig

_SOFT = 0.21  # λ/NA: standard deviation of the Gaussian nearest to an aperture's spot (Zhang 2007)


def wall_field(channel: ChannelConfig, grid: Grid, microscope: Microscope) -> np.ndarray:
    """Return the transmission of the empty channel, complex64 (rows, columns).

    Notes
    -----
    A pixel on a wall mixes complex amplitudes by area: the wall's phase is several turns, so its
    mean would mean nothing.
    """
    inside = channel_coverage(channel, grid, 0.0) if microscope.has("walls") else np.ones(1)
    if inside.min() == 1:
        return np.ones(grid.shape, np.complex64)
    wave = 2 * np.pi / microscope.wavelength
    beyond = np.exp(1j * wave * (microscope.wall_index - microscope.medium_index) * channel.depth)
    wall = 1 - channel_coverage(channel, grid, microscope.wall_slope)
    return inside + wall * np.complex64(beyond)


def add_cell(field: np.ndarray, path: np.ndarray, wavelength: float) -> np.ndarray:
    """Return a field (rows, columns) after a cell of some optical path (rows, columns), m.

    The cell's phase is given to all light of its pixels, for it ends at the wall.
    """
    phase = (path * (2 * np.pi / wavelength)).astype(np.float32)
    turn = np.empty(path.shape, np.complex64)
    np.cos(phase, out=turn.real)
    np.sin(phase, out=turn.imag)
    return field * turn


def channel_coverage(channel: ChannelConfig, grid: Grid, margin: float) -> np.ndarray:
    """Return how much of each pixel lies within the channel widened by `margin` (m) on either side.

    Raises
    ------
    DatasetError
        If the channel is a drawn one.
    """
    corners, heights = _walls(channel)
    x, y = grid.axes()
    reach = np.interp(x, corners, heights) + margin - np.abs(y)[:, None]
    return np.clip(reach.astype(np.float32) / np.float32(grid.pixel_size) + np.float32(0.5), 0, 1)


def _walls(channel: ChannelConfig) -> tuple[np.ndarray, np.ndarray]:
    """Return the corners of the upper wall: their x and their distance from the centre line (corners,), m."""
    if channel.kind not in ("constriction", "straight", "couette"):
        raise DatasetError(f"channel.kind = {channel.kind!r}: only constrictions and plane channels can be pictured")
    half, wide = channel.gap / 2, channel.height / 2
    starts = channel.period * np.arange(channel.count)
    ends = starts + channel.constriction_length
    corners = np.stack([starts - channel.entry_taper, starts, ends, ends + channel.exit_taper], axis=1).ravel()
    return corners, np.tile([wide, half, half, wide], channel.count)


def wall_shade(channel: ChannelConfig, grid: Grid, microscope: Microscope) -> np.ndarray:
    """Return the share of the light (rows, columns) float32 that is left of what meets the walls on its way.

    Notes
    -----
    The walls stand as deep as the channel. A ray that runs obliquely from the channel into a wall meets it at a grazing
    angle and is bent out of the aperture; one that comes from within the wall is totally reflected and stays. In the
    focal plane the lost rays pass at up to h m from the wall, with m their slope towards it and h the depth of the wall
    on that side of the plane, so that the lost share at a distance d is the part of the condenser's disc with slope
    above d/h. Rays in a plane normal to the nearest wall are looked at alone (geometrical optics); the spot of
    the aperture softens the result.
    """
    if not (microscope.has("walls") and microscope.has("coherence")) or microscope.wall_shade == 0:
        return np.ones(grid.shape, np.float32)
    from scipy.ndimage import gaussian_filter

    x, y = grid.axes()
    corners, heights = _walls(channel)
    focus = microscope.defocus if microscope.has("defocus") else 0.0
    lost = np.zeros(grid.shape, np.float32)
    for side in (-1.0, 1.0):
        inward, along, across = _distance(corners, heights, x, side * y)
        deep = channel.depth / 2 + np.where(inward > 0, focus, -focus)
        slope = np.abs(inward) / np.maximum(deep, 1e-9) * microscope.medium_index
        centre = microscope.condenser_x * along + side * microscope.condenser_y * across  # slope towards the wall
        lost += _beyond(slope - centre, microscope.condenser_na)
    soft = _SOFT * microscope.wavelength / microscope.objective_na / grid.pixel_size
    return np.asarray(gaussian_filter(1 - np.float32(microscope.wall_shade) * lost, soft, mode="nearest"))


def _distance(
    corners: np.ndarray, heights: np.ndarray, x: np.ndarray, y: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the distance of points from the wall at positive y, positive within, and its outward normal."""
    far = 1.0
    bends = np.stack([[corners[0] - far, *corners, corners[-1] + far], [heights[0], *heights, heights[-1]]], axis=1)
    best = np.full((len(y), len(x)), np.inf, np.float32)
    nx, ny = np.zeros_like(best), np.ones_like(best)
    for start, end in itertools.pairwise(bends):
        along = end - start
        share = ((x - start[0]) * along[0] + (y[:, None] - start[1]) * along[1]) / (along @ along)
        foot = start + np.clip(share, 0, 1)[..., None] * along
        apart = np.hypot(foot[..., 0] - x, foot[..., 1] - y[:, None])
        nearer = apart < best
        nx[nearer], ny[nearer] = (-along[1], along[0]) / np.hypot(*along)
        best[nearer] = apart[nearer]
    return np.where(y[:, None] < np.interp(x, corners, heights), best, -best), nx, ny


def _beyond(distance: np.ndarray, radius: float) -> np.ndarray:
    """Return the part of a disc's area beyond a chord at some distance from its centre."""
    if radius == 0:
        return (distance < 0).astype(np.float32)
    u = np.clip(distance / radius, -1, 1)
    return ((np.arccos(u) - u * np.sqrt(1 - u**2)) / np.pi).astype(np.float32)
