"""Cells in the frames of a recording: the background, what differs from it, and outlines finer than a pixel.

Bright field shows a cell with a dark rim and, the farther the focus lies below it, a bright fringe around the rim. In
the microscope model the rim's outer flank crosses, on the outline, 1 - 1.1 r of the rim's depth, where r is the
fringe's height over that depth: measured at defocus -1.2, -0.9, 0, 0.15 and 1.5 µm, within 0.1 µm. That crossing is
looked for along the normals of a first, coarse outline.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

_KEPT = 48  # frames the background is made from
_RISE = (1.0, 1.1)  # where the outer flank is taken for the outline: see above
_SIGNAL = 5.0  # standard deviations of the noise that a cell must differ by
_LESS = 0.4  # of the deepest minimum nearby: what is shallower and lies outside is a diffraction ring
_WEAK = 0.12  # of the rim's median depth: where it is weaker, the outline is taken from both sides
_POINTS = 160  # of an outline
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
    level = np.median(stack, axis=0)
    for _ in range(2):
        apart = np.abs(stack - level)
        noise = 1.4826 * float(np.median(apart))
        noise = max(noise, 0.5)
        far = _smeared(apart > 4 * noise)
        masked = np.where(far, np.nan, stack)
        bare = far.all(axis=0)
        masked[:, bare] = stack[:, bare]
        level = np.nanmedian(masked, axis=0)
    return Background(level.astype(np.float32), noise)


def _smeared(far: np.ndarray) -> np.ndarray:
    """Return where many pixels around differ (frames, rows, columns)."""
    from scipy.ndimage import uniform_filter

    return np.stack([uniform_filter(one.astype(np.float32), 9) > 0.2 for one in far])


def find_cells(frame: np.ndarray, background: Background, pixel_size: float) -> list[Spot]:
    """Return the cells in one frame, from left to right.

    Parameters
    ----------
    frame
        Grey values (rows, columns).
    background
        The empty channel.
    pixel_size
        Pixel at the sample (m).

    Notes
    -----
    Two cells that touch are one object.
    """
    from scipy.ndimage import gaussian_filter
    from skimage.measure import label, regionprops

    change = frame.astype(np.float32)
    change = change * np.float32(np.median(background.level) / max(float(np.median(change)), 1.0)) - background.level
    sigma = max(0.6, 0.12e-6 / pixel_size)
    smooth = gaussian_filter(change, sigma)
    noise = background.noise / (2 * np.sqrt(np.pi) * sigma)
    cells = []
    for region in regionprops(label(_objects(smooth, noise, pixel_size))):
        if min(region.bbox[2] - region.bbox[0], region.bbox[3] - region.bbox[1]) * pixel_size < _SMALLEST / 2:
            continue
        if np.sqrt(region.area) * pixel_size < _SMALLEST:
            continue
        top, left, bottom, right = region.bbox
        whole = top > 1 and left > 1 and bottom < frame.shape[0] - 1 and right < frame.shape[1] - 1
        coarse = outline_of(region.image, (left, top))
        cells.append(Spot(_refined(coarse, smooth, pixel_size) if whole else coarse, whole))
    return sorted(cells, key=lambda spot: spot.outline[:, 0].mean())


def _objects(smooth: np.ndarray, noise: float, pixel_size: float) -> np.ndarray:
    """Return the pixels (rows, columns) that differ from the background, with what they enclose."""
    from scipy.ndimage import binary_fill_holes
    from skimage.morphology import isotropic_closing, isotropic_opening

    dark = smooth < -_SIGNAL * noise
    depth = -float(np.percentile(smooth[dark], 10)) if dark.sum() > 20 else 0.0
    faint = max(_SIGNAL * noise, _FAINT * depth)
    seen = (smooth < -faint) | (smooth > 2 * faint)  # diffraction rings are brighter than they are dark
    radius = max(1, round(_CLOSE / pixel_size))
    closed = binary_fill_holes(isotropic_closing(np.pad(seen, radius), radius))
    return isotropic_opening(np.asarray(closed)[radius:-radius, radius:-radius], max(1, round(_OPEN / pixel_size)))


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


def _refined(coarse: np.ndarray, smooth: np.ndarray, pixel_size: float) -> np.ndarray:
    """Return an outline moved along its normals to the outer flank of the dark rim."""
    outline = coarse
    reach = _REACH / pixel_size
    for width in (3.0, 1.5):
        outline = _even(outline, _POINTS, width)
        along = np.roll(outline, -1, axis=0) - np.roll(outline, 1, axis=0)
        along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
        outward = np.stack([along[:, 1], -along[:, 0]], axis=1)
        offset = _smoothed(_flank(outline, outward, smooth, reach), width)
        outline = outline + offset[:, None] * outward
        reach /= 1.6
    return outline


def _flank(outline: np.ndarray, outward: np.ndarray, smooth: np.ndarray, reach: float) -> np.ndarray:
    """Return how far outward of each point (px) the rim's outer flank is."""
    from scipy.ndimage import map_coordinates, median_filter, uniform_filter1d

    steps = np.arange(-reach, reach + 0.125, 0.25)
    x, y = (outline[:, None, :] + steps[:, None] * outward[:, None, :] - 0.5).transpose(2, 0, 1)
    profile = map_coordinates(smooth, [y, x], order=1, mode="nearest")
    profile = uniform_filter1d(median_filter(profile, size=(5, 1), mode="wrap"), 5, axis=0, mode="wrap")
    rows, place = np.arange(len(outline)), np.arange(len(steps))
    # the outermost minimum, for granules and the cell's other side may be darker than the rim
    low = np.zeros(profile.shape, bool)
    low[:, 2:-2] = profile[:, 2:-2] <= np.min([profile[:, k : len(steps) - 4 + k] for k in (0, 1, 3, 4)], axis=0)
    deepest = profile.min(axis=1)
    low &= profile < np.minimum(_WEAK * np.median(deepest), _LESS * deepest)[:, None]
    rim = len(steps) - 1 - np.argmax(low[:, ::-1], axis=1)
    depth = profile[rows, rim]
    outside = np.where(place > rim[:, None], profile, 0).max(axis=1)
    found = low.any(axis=1)
    if not found.any():
        return np.zeros(len(outline))
    fringe = float(np.median((outside / np.minimum(depth, -1e-6))[found]))
    level = np.clip(_RISE[0] + _RISE[1] * fringe, 0.4, 0.95) * depth
    beyond = (profile > level[:, None]) & (place > rim[:, None])
    found &= beyond.any(axis=1)
    if not found.any():
        return np.zeros(len(outline))
    after = np.where(found, np.argmax(beyond, axis=1), 1)
    before = profile[rows, after - 1]
    share = (level - before) / np.where(found, profile[rows, after] - before, 1)
    offset = (steps[after - 1] + 0.25 * share)[found]
    return median_filter(np.interp(rows, rows[found], offset, period=len(rows)), size=7, mode="wrap")


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
