"""Cells in the frames of a recording: the background, what differs from it, and outlines finer than a pixel.

A cell refracts the light at its rim, where its thickness falls steeply, out of the aperture: in bright field its rim is
dark. In the microscope model the steepest point of the rim's outer flank lies within 0.2 µm of the outline, mostly just
outside, whatever the focus (-2 to 2 µm) and wherever the light comes from, while the rim's darkest point, its half
height and the fringe around it all move with both. So the outline is the closed path along which the picture
brightens most steeply outwards, found by dynamic programming around a first, coarse outline.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from bridge.walls import Walls

_KEPT = 48  # frames the background is made from
_SIGNAL = 5.0  # standard deviations of the noise that a cell must differ by
_POINTS = 160  # of an outline
_STEP = 0.25  # px along the normal
_SPLINE = 8  # px around what is interpolated: beyond, a cubic spline does not look
_WALL = 1.0  # of the typical steepness that a point within a wall costs
_STIFF = 0.5  # of the typical steepness that a step aside from one point to the next costs
_OUTSIDE = 0.15e-6  # m by which the steepest point lies outside the outline, mean over the cases above
_REACH = 1.4e-6  # m along the normal, either way, in which the rim is looked for
_FAINT = 0.09  # of the darkest: changes below are diffraction rings
_CLOSE = 2.0e-6  # m: gaps in what is seen of a cell are closed up to twice this
_OPEN = 0.8e-6  # m: what is thinner than twice this is no cell
_SMALLEST = 4e-6  # m: objects smaller across are debris


class Spot(NamedTuple):
    """One object in one frame."""

    outline: np.ndarray
    """Its outline (points, 2) as x, y in pixels, counter-clockwise as seen with y down; pixel centres lie at halves."""
    whole: bool
    """Whether it lies within the frame."""
    box: bool = False
    """Whether only the extents of the outline are known."""


@dataclass(frozen=True)
class Background:
    """The empty channel as the camera sees it."""

    level: np.ndarray
    """Grey values (rows, columns) float32."""
    noise: float
    """Standard deviation of a frame about it (grey values)."""

    @cached_property
    def middle(self) -> float:
        """Median of the level."""
        return float(np.median(self.level))


def make_background(frames: Sequence[np.ndarray]) -> Background:
    """Return the background of a recording.

    Parameters
    ----------
    frames
        Some frames (rows, columns) spread over the recording, at best 20 to 50.

    Notes
    -----
    The median over the frames, and once more without what differs from it. A cell that rests longer than half of the
    recording at one place becomes background there.
    """
    stack = np.stack(frames).astype(np.float32)
    every = level = np.median(stack, axis=0)
    for _ in range(2):
        apart = np.abs(stack - level)
        noise = 1.4826 * float(np.median(apart))
        noise = max(noise, 0.5)
        far = _smeared(apart > 4 * noise)
        some = far.any(axis=0) & ~far.all(axis=0)
        level = every.copy()
        level[some] = _median_of_known(np.where(far[:, some], np.inf, stack[:, some]))
    return Background(level.astype(np.float32), noise)


def _median_of_known(values: np.ndarray) -> np.ndarray:
    """Return the medians along the first axis of what is finite; some of each column is."""
    known = np.isfinite(values).sum(axis=0)
    ordered = np.sort(values, axis=0)
    middle = (np.take_along_axis(ordered, at[None], axis=0)[0] for at in ((known - 1) // 2, known // 2))
    return np.asarray(sum(middle)) / 2


def _smeared(far: np.ndarray) -> np.ndarray:
    """Return where many pixels around differ (frames, rows, columns)."""
    from scipy.ndimage import uniform_filter

    return np.stack([uniform_filter(one.astype(np.float32), 9) > 0.2 for one in far])


def find_cells(frame: np.ndarray, background: Background, pixel_size: float, walls: Walls | None = None) -> list[Spot]:
    """Return the cells in one frame, from left to right.

    Parameters
    ----------
    frame
        Grey values (rows, columns).
    background
        The empty channel.
    pixel_size
        Pixel at the sample (m).
    walls
        Between which the cells are; None where they are not known.

    Notes
    -----
    Two cells that touch are one object.
    """
    from scipy.ndimage import gaussian_filter
    from skimage.measure import label, regionprops

    lamp = background.middle / max(_median_grey(frame), 1.0)
    change = frame.astype(np.float32) * np.float32(lamp) - background.level
    sigma = max(0.6, 0.12e-6 / pixel_size)
    smooth = gaussian_filter(change, sigma)
    noise = background.noise / (2 * np.sqrt(np.pi) * sigma)
    steep = background.noise / (np.sqrt(8 * np.pi) * sigma**2)  # of the slope of the smoothed picture
    cells = []
    for region in regionprops(label(_objects(smooth, noise, pixel_size, walls))):
        if min(region.bbox[2] - region.bbox[0], region.bbox[3] - region.bbox[1]) * pixel_size < _SMALLEST / 2:
            continue
        if np.sqrt(region.area) * pixel_size < _SMALLEST:
            continue
        top, left, bottom, right = region.bbox
        whole = top > 1 and left > 1 and bottom < frame.shape[0] - 1 and right < frame.shape[1] - 1
        coarse = outline_of(region.image, (left, top))
        cells.append(Spot(_refined(coarse, smooth, steep, pixel_size, walls) if whole else coarse, whole))
    return sorted(cells, key=lambda spot: spot.outline[:, 0].mean())


def _median_grey(frame: np.ndarray) -> float:
    """Return the median of a picture; that of integers by counting, ten times as fast."""
    if frame.dtype != np.uint8:
        return float(np.median(frame))
    up_to = np.cumsum(np.bincount(frame.ravel(), minlength=256))
    low, high = np.searchsorted(up_to, [(frame.size - 1) // 2 + 1, frame.size // 2 + 1])
    return float(low + high) / 2


def _objects(smooth: np.ndarray, noise: float, pixel_size: float, walls: Walls | None) -> np.ndarray:
    """Return the pixels (rows, columns) that differ from the background, with what they enclose."""
    from scipy.ndimage import binary_fill_holes
    from skimage.morphology import isotropic_closing, isotropic_opening

    dark = smooth < -_SIGNAL * noise
    depth = -float(np.percentile(smooth[dark], 10)) if dark.sum() > 20 else 0.0
    faint = max(_SIGNAL * noise, _FAINT * depth)
    seen = (smooth < -faint) | (smooth > 2 * faint)  # diffraction rings are brighter than they are dark
    if walls is not None:
        seen &= walls.within(np.arange(seen.shape[1]), np.arange(seen.shape[0])[:, None] + 0.5)
    result = np.zeros(seen.shape, bool)
    if not seen.any():
        return result
    radius, around = max(1, round(_CLOSE / pixel_size)), max(1, round(_OPEN / pixel_size))
    box = tuple(slice(int(at.min()), int(at.max()) + 1) for at in np.nonzero(seen))
    closed = binary_fill_holes(isotropic_closing(np.pad(seen[box], radius), radius))
    result[box] = isotropic_opening(np.asarray(closed), around)[radius:-radius, radius:-radius]
    return result


def outline_of(mask: np.ndarray, corner: tuple[int, int] = (0, 0)) -> np.ndarray:
    """Return the outline (points, 2) as x, y in pixels of the largest object of a mask.

    Parameters
    ----------
    mask
        Rows, columns; true within.
    corner
        Column and row of the mask's first pixel in the frame.
    """
    from skimage.measure import find_contours

    rings = find_contours(np.pad(mask, 1).astype(np.float32), 0.5)
    ring = max(rings, key=len)[:-1, ::-1] - 0.5
    x, y = ring.T
    turns = 1 if np.dot(x, np.roll(y, -1)) > np.dot(y, np.roll(x, -1)) else -1
    return ring[::turns] + corner


def _refined(
    coarse: np.ndarray, smooth: np.ndarray, noise: float, pixel_size: float, walls: Walls | None
) -> np.ndarray:
    """Return an outline moved along its normals to where the rim's outer flank is steepest."""
    outline = coarse
    for reach, width in ((_REACH, 3.0), (_REACH / 2, 1.5)):
        outline = _even(outline, _POINTS, width)
        along = np.roll(outline, -1, axis=0) - np.roll(outline, 1, axis=0)
        along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
        outward = np.stack([along[:, 1], -along[:, 0]], axis=1)
        offset = _smoothed(_flank(outline, outward, smooth, noise, reach / pixel_size, walls), width)
        outline = outline + offset[:, None] * outward
    return outline - (_OUTSIDE / pixel_size) * outward


def _flank(
    outline: np.ndarray, outward: np.ndarray, smooth: np.ndarray, noise: float, reach: float, walls: Walls | None
) -> np.ndarray:
    """Return how far outward of each point (px) the rim's outer flank is steepest.

    Notes
    -----
    Steepness counts up to that of the typical rim, so that granules, darker than it, do not draw the path to them, and
    from two standard deviations of its noise on. The picture is interpolated by cubics: the slope of a linear
    interpolant has steps of a pixel's width, and an outline on them jumps from one frame to the next by a part of a
    pixel all along a wall, which moves the centroid and with it the largest velocity by 5 %.
    """
    from scipy.ndimage import uniform_filter1d

    from bridge.kernels import closed_path

    steps = np.arange(-reach, reach + _STEP / 2, _STEP)
    x, y = (outline[:, None, :] + steps[:, None] * outward[:, None, :]).transpose(2, 0, 1)
    slope = uniform_filter1d(np.gradient(_at(smooth, x, y), _STEP, axis=1), 5, axis=0, mode="wrap")
    typical = float(np.median(slope.max(axis=1)))
    if typical <= 2 * noise:
        return np.zeros(len(outline))
    gain = np.clip(slope - 2 * noise, 0, typical - 2 * noise)
    if walls is not None:
        gain = np.where(walls.within(x, y), gain, -_WALL * typical)
    at = closed_path(gain, _STIFF * (typical - 2 * noise))
    before, here, after = (slope[np.arange(len(at)), np.clip(at + k, 0, len(steps) - 1)] for k in (-1, 0, 1))
    bend = before - 2 * here + after
    aside = np.where(bend < 0, 0.5 * (before - after) / np.minimum(bend, -1e-9), 0).clip(-1, 1)
    return steps[at] + _STEP * aside


def _at(picture: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return a picture at points within it or near its edge, in pixels; cubic."""
    from scipy.ndimage import map_coordinates

    left, top = (int(max(v.min() - _SPLINE, 0)) for v in (x, y))
    part = picture[top : int(y.max()) + _SPLINE, left : int(x.max()) + _SPLINE]
    return np.asarray(map_coordinates(part, [y - top - 0.5, x - left - 0.5], order=3, mode="nearest"))


def _even(outline: np.ndarray, points: int, width: float) -> np.ndarray:
    """Return an outline with points at even distances, smoothed over `width` of them."""
    closed = np.concatenate([outline, outline[:1]])
    along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(closed, axis=0), axis=1))])
    at = np.linspace(0, along[-1], points, endpoint=False)
    even = np.stack([np.interp(at, along, closed[:, i]) for i in (0, 1)], axis=1)
    return np.stack([_smoothed(even[:, i], width) for i in (0, 1)], axis=1)


def _smoothed(values: np.ndarray, width: float) -> np.ndarray:
    """Return values around a closed outline without what varies faster than `width` points."""
    frequency = np.fft.rfftfreq(len(values))
    return np.fft.irfft(np.fft.rfft(values) * np.exp(-((frequency * 2 * width) ** 4)), len(values))
