"""The light that reaches the camera: the empty channel, and what a cell changes of it."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from bridge.body import Grid
    from bridge.microscope import Microscope
    from bridge.path import Pose
    from bridge.scene import Scene
    from sim.config import ChannelConfig

_MARGIN = 32  # pixels around the empty channel: keep the periodic field's seam out of it
_DIRECTIONS = 91  # of the light on the empty channel: fewer leave fringes along the walls that no condenser shows
_COHERENCE = 1.5  # λ over the condenser's aperture: beyond, what a cell changes has faded
_REACH = 12e-6  # m: the most that a patch reaches beyond a cell
_FADE = 0.5  # of the reach over which the change is faded out
_STEP = 16  # pixels that a patch's edges are a multiple of: few sizes, each with its aperture kept


class Look(NamedTuple):
    """What is looked through and at: the same for all cells of a recording."""

    channel: ChannelConfig
    microscope: Microscope
    grid: Grid
    """The camera's pixels."""


def empty_channel(channel: ChannelConfig, microscope: Microscope, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Return the intensity of the empty channel under even light, without shade, and the walls' shade.

    Both (rows, columns) float32, 1 = nothing in the way. Kept for the next call with the same arguments.
    """
    key: Any = channel  # frozen, and so hashable, which its type does not say
    return _kept(key, microscope, grid)


@functools.lru_cache(maxsize=4)
def _kept(channel: Any, microscope: Microscope, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    from scipy.fft import next_fast_len

    from bridge.body import Grid
    from bridge.field import wall_field, wall_shade
    from bridge.optics import bright_field

    fine = microscope.oversampling
    pixel = grid.pixel_size / fine
    rows, columns = (2 * int(next_fast_len((n * fine + 1) // 2 + _MARGIN) or 0) for n in grid.shape)
    top, left = ((big - small * fine) // 2 for big, small in zip((rows, columns), grid.shape, strict=True))
    wide = Grid(grid.x0 - left * pixel, grid.y0 - top * pixel, pixel, (rows, columns))
    defocus = microscope.defocus if microscope.has("defocus") else 0.0
    field = wall_field(channel, wide, microscope)
    light = bright_field(field, pixel, microscope, defocus, max(_DIRECTIONS, microscope.directions))
    light = light[top : top + grid.shape[0] * fine, left : left + grid.shape[1] * fine]
    shade = wall_shade(channel, Grid(grid.x0, grid.y0, pixel, light.shape), microscope)
    light, shade = (camera_pixels(one, grid.shape, fine) for one in (light, shade))
    light.setflags(write=False)
    shade.setflags(write=False)
    return light, shade


def camera_pixels(light: np.ndarray, shape: tuple[int, int], fine: int) -> np.ndarray:
    """Return light on fine pixels averaged over the camera's pixels (rows, columns)."""
    return light.reshape(shape[0], fine, shape[1], fine).mean(axis=(1, 3), dtype=np.float32)


def change(
    cell: Pose, scene: Scene, look: Look, velocity: tuple[float, float] = (0.0, 0.0)
) -> tuple[np.ndarray, tuple[slice, slice]]:
    """Return what a cell changes of the empty channel's intensity, and which of the camera's pixels that concerns.

    Parameters
    ----------
    cell
        Its membranes; it may reach beyond the camera's pixels.
    scene
        Its look.
    look
        Channel, microscope and pixels.
    velocity
        Of the centroid along x and y (m/s): blurs the change along the way during the exposure.

    Notes
    -----
    A patch around the cell is propagated with and without it; the difference is what it changes. Both have the same
    seam where the patch ends, so that it cancels. Fringes beyond the coherence length are the pattern of the few
    directions that are summed; the change is faded out there.
    """
    from bridge.body import Grid
    from bridge.field import add_cell, wall_field
    from bridge.optics import bright_field
    from bridge.path import optical_path

    microscope, grid = look.microscope, look.grid
    shift = np.array(velocity) * (microscope.exposure * microscope.has("motion-blur") / grid.pixel_size)
    reach = _reach(microscope, scene.defocus) / grid.pixel_size + np.abs(shift) / 2
    low, high = _box(cell, grid)
    first = np.floor(low - reach).astype(int)
    size = -(-(np.ceil(high + reach).astype(int) - first) // _STEP) * _STEP
    window = tuple(
        slice(max(0, min(a, n)), max(0, min(a + s, n)))
        for a, s, n in zip(first[::-1], size[::-1], grid.shape, strict=True)
    )
    if any(part.start >= part.stop for part in window):
        return np.zeros((0, 0), np.float32), (slice(0, 0), slice(0, 0))
    fine = microscope.oversampling
    pixel = grid.pixel_size / fine
    x0, y0 = np.array([grid.x0, grid.y0]) + first * grid.pixel_size
    patch = Grid(x0, y0, pixel, (size[1] * fine, size[0] * fine))
    walls = wall_field(look.channel, patch, microscope)
    path = optical_path(scene.body, cell, patch, microscope.medium_index)
    seen = add_cell(walls, path, microscope.wavelength)
    if (walls == 1).all():
        difference = bright_field(seen, pixel, microscope, scene.defocus) - 1
    else:
        with_cell, without = bright_field(np.stack([seen, walls]), pixel, microscope, scene.defocus)
        difference = with_cell - without
    light = camera_pixels(difference, (size[1], size[0]), fine)
    ramps = (_ramp(a, s, lo, hi, r) for a, s, lo, hi, r in zip(first, size, low, high, reach, strict=True))
    along, across = ramps
    light = _blurred(light * across[:, None] * along, shift)
    y, x = (slice(part.start - a, part.stop - a) for part, a in zip(window, first[::-1], strict=True))
    return light[y, x], window  # type: ignore[return-value]


def _box(cell: Pose, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Return the lowest and the highest x, y of a cell, in pixels of a grid."""
    place = (cell.nodes[:, :2] - (grid.x0, grid.y0)) / grid.pixel_size
    return place.min(axis=0), place.max(axis=0)


def _reach(microscope: Microscope, defocus: float) -> float:
    """Return how far beyond a cell it changes the light (m)."""
    aperture = microscope.condenser_na if microscope.has("coherence") else 0.0
    coherence = _COHERENCE * microscope.wavelength / max(aperture, 1e-3)
    spread = microscope.aperture_na / np.sqrt(microscope.medium_index**2 - microscope.aperture_na**2)
    return min(coherence, _REACH) + min(abs(defocus) * spread, _REACH) + 2 * microscope.blur


def _ramp(first: int, size: int, low: float, high: float, reach: float) -> np.ndarray:
    """Return the weight (size,) of a patch's pixels along one axis: 1 near the cell, 0 beyond its reach."""
    at = first + np.arange(size) + 0.5
    apart = np.maximum(np.maximum(low - at, at - high), 0) / reach
    return (0.5 + 0.5 * np.cos(np.pi * np.clip((apart - 1 + _FADE) / _FADE, 0, 1))).astype(np.float32)


def _blurred(light: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Return a patch averaged over a uniform motion by `shift` (x, y) pixels, centred."""
    if np.abs(shift).max() < 0.05:
        return light
    from bridge.optics import fft

    fy, fx = fft.fftfreq(light.shape[0]), fft.rfftfreq(light.shape[1])
    smear = np.sinc(fy[:, None] * shift[1] + fx * shift[0]).astype(np.float32)
    return fft.irfft2(fft.rfft2(light) * smear, light.shape)
