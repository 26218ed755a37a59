"""The channel in a recording: two walls, seen as dark lines in the background, and the constriction between them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bridge.records import DatasetError

_FITS = 0.75  # of the columns must lie within `_OFF` of the fitted walls
_OFF = 0.5e-6  # m
_AGAIN = 2  # times that the walls are looked for near those that were fitted
_LONE = 1.5e-6  # m: what is narrower along the channel than twice this is no wall


class Constriction(NamedTuple):
    """A constriction in the frame, in pixels; the pixel in column 0 spans 0 to 1."""

    entry: float
    """Column of its entry plane."""
    exit: float
    """Column of its exit plane."""
    centre: float
    """Row of its centre line."""
    gap: float
    """Distance between its walls; NaN where it is not known."""

    def mirrored(self, columns: int) -> Constriction:
        """Return the constriction in a frame of so many columns turned left to right."""
        return self._replace(entry=columns - self.exit, exit=columns - self.entry)


class Walls(NamedTuple):
    """A channel in the frame, in pixels."""

    constriction: Constriction
    upper: np.ndarray
    """Row of the wall at smaller rows in the middle of each column (columns,)."""
    lower: np.ndarray
    """Row of the other wall (columns,)."""
    tapers: tuple[float, float]
    """Columns where the taper before the constriction begins and where the one after it ends."""

    def within(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return which points, in pixels, lie between the walls."""
        column = np.clip(x.astype(int), 0, len(self.upper) - 1)
        return (y > self.upper[column]) & (y < self.lower[column])


def find_walls(level: np.ndarray, pixel_size: float) -> Walls:
    """Return the walls of a channel with a constriction that runs along the frame.

    Parameters
    ----------
    level
        Picture of the empty channel (rows, columns).
    pixel_size
        Pixel at the sample (m).

    Raises
    ------
    DatasetError
        If the background does not show two walls that come together and part again.

    Notes
    -----
    In each column the darkest pixel on either side of the axis of symmetry is a wall; the distance between
    both is fitted by wide, taper, gap, taper, wide, straight pieces all. What is darker than a wall, a cell that rests
    or debris, leads astray at first: the walls are looked for again near those that were fitted.
    """
    dark = _darkness(level, pixel_size)
    axis = _axis(dark)
    upper, lower = _deepest(dark[:axis]), axis + _deepest(dark[axis:])
    off = _OFF / pixel_size
    seen = lower - upper
    start = _start(seen, pixel_size)
    for _ in range(_AGAIN):
        start, tilt, half = _fitted(upper, lower, start, off)
        upper, lower = (_deepest(dark, wall, off) for wall in (tilt - half, tilt + half))
    fit, tilt, half = _fitted(upper, lower, start, off)
    if (np.abs(seen - 2 * half) < off).mean() < _FITS or not fit[1] < fit[2] or fit[5] < 2:
        raise _refused()
    columns = np.arange(level.shape[1]) + 0.5
    inside = (columns > fit[1]) & (columns < fit[2])
    middle = float(np.median((upper + lower)[inside]) / 2)
    constriction = Constriction(float(fit[1]), float(fit[2]), middle, float(fit[5]))
    return Walls(constriction, tilt - half, tilt + half, (float(fit[0]), float(fit[3])))


def _refused() -> DatasetError:
    return DatasetError(
        "no constriction found in the background: no two dark walls that come together and part again; "
        "give its entry and exit with --constriction COLUMN COLUMN (px)"
    )


def _start(apart: np.ndarray, pixel_size: float) -> np.ndarray:
    """Return a guess of four corners, wide distance and gap (6,) from the distance of the walls in each column, px."""
    from scipy.ndimage import median_filter

    apart = median_filter(apart, 2 * round(_LONE / pixel_size) + 1, mode="nearest")
    gap, wide = (float(np.percentile(apart, p)) for p in (4, 96))
    narrow = np.flatnonzero(apart < gap + 0.2 * (wide - gap))
    if (wide - gap) * pixel_size < 1e-6 or len(narrow) < 5:
        raise _refused()
    middle = int(np.median(narrow))
    far = np.flatnonzero(apart >= wide - 0.2 * (wide - gap))
    left = int(far[far < middle].max(initial=0))
    right = int(far[far > middle].min(initial=len(apart) - 1))
    narrow = narrow[(narrow >= left) & (narrow <= right)]
    return np.array([left, narrow[0], narrow[-1], right, wide, gap]) + np.array([0.5] * 4 + [0, 0])


def _fitted(
    upper: np.ndarray, lower: np.ndarray, start: np.ndarray, off: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return fitted corners, wide distance and gap (6,), and each column's middle and half distance, px."""
    from scipy.optimize import least_squares

    columns = np.arange(len(upper)) + 0.5

    def distance(p: np.ndarray) -> np.ndarray:
        return np.interp(columns, np.maximum.accumulate(p[:4]), [p[4], p[5], p[5], p[4]])

    def missed(p: np.ndarray) -> np.ndarray:
        return distance(p) - (lower - upper)

    fit = least_squares(missed, start, loss="soft_l1", f_scale=0.5 * off, x_scale=[10, 10, 10, 10, 1, 1]).x
    return fit, _line(columns, (upper + lower) / 2), distance(fit) / 2


def _line(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the straight line through points (n,) that are mostly good, at their `x`."""
    from scipy.stats import theilslopes

    every = max(1, len(y) // 200)
    slope, start = theilslopes(y[::every], x[::every])[:2]
    return start + slope * x


def _darkness(level: np.ndarray, pixel_size: float) -> np.ndarray:
    from scipy.ndimage import gaussian_filter, median_filter

    smooth = gaussian_filter(level.astype(np.float32), max(0.5, 0.08e-6 / pixel_size))
    around = median_filter(smooth, size=(2 * round(1.5e-6 / pixel_size) + 1, 1), mode="nearest")
    return np.maximum(around - smooth, 0)


def _axis(dark: np.ndarray) -> int:
    """Return the row about which the walls lie most symmetrically."""
    rows = len(dark)
    root = np.sqrt(dark)
    scores = [
        (root[max(0, 2 * c - rows) : c] * root[c : min(rows, 2 * c)][::-1]).sum()
        for c in range(rows // 4, 3 * rows // 4)
    ]
    return rows // 4 + int(np.argmax(scores))


def _deepest(dark: np.ndarray, wall: np.ndarray | None = None, reach: float = 0.0) -> np.ndarray:
    """Return the darkest place of each column, to a part of a pixel; the middle of row 0 lies at 0.5.

    With the rows of a `wall` (columns,) only what lies within `reach` of it is looked at.
    """
    looked_at = dark
    if wall is not None:
        rows = np.arange(len(dark))[:, None] + 0.5
        looked_at = np.where(np.abs(rows - wall) <= max(reach, 1.0), dark, -1)
    row = np.clip(np.argmax(looked_at, axis=0), 1, len(dark) - 2)
    column = np.arange(dark.shape[1])
    before, here, after = (dark[row + k, column] for k in (-1, 0, 1))
    bend = before - 2 * here + after
    return row + 0.5 + np.where(bend < -1e-6, 0.5 * (before - after) / np.minimum(bend, -1e-6), 0).clip(-0.5, 0.5)
