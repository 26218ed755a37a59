"""What one real frame of a channel shows: its walls, its cells, its noise, and the profiles across their edges."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bridge.body import Grid
from bridge.records import DatasetError
from bridge.segment import Background, find_cells
from bridge.walls import Walls, find_walls
from sim.config import ChannelConfig

_ACROSS = 1.8e-6  # m on either side of a wall or an edge
_STEP = 0.5  # px along a profile
_AVERAGED = 0.8e-6  # m on either side of the centre line that a profile across a cell's edge is averaged over
_WALL = 1.2e-6  # m from a taper's wall in which no cell is looked for
_CALM = 0.35  # of the columns of a part of the channel: those that are most like the empty channel
_CLEAR = 3e-6  # m that columns of a wall's profile keep from cells and tapers
_BORDER = 0.4  # of the typical grey value: a rim of the file that is darker throughout is no picture
_FEWEST = 20  # columns that a wall's profile is averaged over


class RealFrame(NamedTuple):
    """A real frame in the channel's coordinates."""

    picture: np.ndarray
    """Grey values (rows, columns) float32, 255 = white; turned so that the channel runs along the rows."""
    grid: Grid
    """Its pixels; x = 0 is the entry plane, y = 0 the centre line."""
    channel: ChannelConfig
    """The channel whose walls are the dark lines."""
    noise: float
    """Standard deviation of a pixel's noise (grey values)."""
    noise_blur: float
    """Standard deviation of the Gaussian that its noise was smoothed with (px)."""


def read_frame(picture: np.ndarray, pixel_size: float, depth: float) -> RealFrame:
    """Return a frame with its channel.

    Parameters
    ----------
    picture
        Grey values (rows, columns) uint8 or uint16.
    pixel_size
        Pixel at the sample (m).
    depth
        Of the channel, which a picture does not show (m).

    Raises
    ------
    DatasetError
        If it shows no channel with a constriction.
    """
    grey = _without_rim(picture.astype(np.float32) * np.float32(255 / _white(picture)))
    walls = find_walls(grey, pixel_size)
    noise, noise_blur = _noise(grey, walls)
    grey = _straightened(grey, (walls.upper + walls.lower) / 2)
    walls = find_walls(grey, pixel_size)
    entry, exit_, centre, gap = walls.constriction
    first, last = walls.tapers
    lengths = np.array([gap, float((walls.lower - walls.upper).max()), exit_ - entry, entry - first, last - exit_])
    names = ("gap", "width", "constriction_length", "entry_taper", "exit_taper")
    known = dict(zip(names, (lengths * pixel_size).tolist(), strict=True))
    ends = {"inlet_length": max(first, 1) * pixel_size, "outlet_length": max(grey.shape[1] - last, 1) * pixel_size}
    channel = ChannelConfig(kind="constriction", depth=depth, **known, **ends)
    grid = Grid(-entry * pixel_size, -centre * pixel_size, pixel_size, (grey.shape[0], grey.shape[1]))
    return RealFrame(grey, grid, channel, noise, noise_blur)


def _white(picture: np.ndarray) -> int:
    """Return the grey value of a full pixel: of the fewest bits that cameras have and that hold the picture."""
    bits = next(bits for bits in (8, 10, 12, 14, 16) if int(picture.max()) < 2**bits)
    return 2**bits - 1


def _without_rim(grey: np.ndarray) -> np.ndarray:
    """Return a picture without dark rows and columns at its rim."""
    limit = _BORDER * np.median(grey)
    rows, columns = (np.flatnonzero(np.percentile(grey, 90, axis=axis) > limit) for axis in (1, 0))
    if not (rows.size and columns.size):
        raise DatasetError("the frame is dark throughout; give one that shows a channel")
    return grey[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _straightened(grey: np.ndarray, middle: np.ndarray) -> np.ndarray:
    """Return a picture whose columns are moved so that the channel's middle (columns,) is the same row in all."""
    from scipy.ndimage import map_coordinates

    rows, columns = np.indices(grey.shape)
    moved = map_coordinates(grey, [rows + middle - middle.mean(), columns], order=3, mode="nearest")
    return np.asarray(moved, np.float32)


def _noise(grey: np.ndarray, walls: Walls) -> tuple[float, float]:
    """Return standard deviation and blur (px) of the noise, from differences along the channel away from its walls.

    Notes
    -----
    White noise smoothed by a Gaussian of s pixels has a correlation exp(-d²/4s²) at a distance of d pixels.
    Medians over the channel, so that cells count little.
    """
    middle = ((walls.upper + walls.lower) / 2)[:, None]
    half = ((walls.lower - walls.upper) / 2)[:, None]
    far = np.abs(np.arange(len(grey)) + 0.5 - middle).T < 0.7 * half.T
    near, apart = (
        1.4826**2 * np.median(np.abs(grey[:, d:] - grey[:, :-d])[far[:, d:]]) ** 2 / 2 for d in (1, 6)
    )  # variance · (1 - correlation)
    variance = max(float(apart), 0.05)
    correlation = 1 - min(float(near) / variance, 1.0)
    return float(np.sqrt(variance)), float(0.5 / np.sqrt(-np.log(correlation))) if correlation > 0.02 else 0.0


def cells_of(frame: RealFrame, empty: np.ndarray) -> list[np.ndarray]:
    """Return the outlines (points, 2) in m of the cells of a frame, given what the model shows of the empty channel.

    Notes
    -----
    Where the channel's walls are parallel the frame's own median along each row takes the model's place, over those
    columns that differ least from the model, which are free of cells unless these fill more than that part. In tapers
    the model is brought to the frame's median, and no cell is looked for along the walls.
    """
    from scipy.ndimage import gaussian_filter1d

    grid, channel = frame.grid, frame.channel
    x, end = grid.axes()[0], channel.constriction_length
    walls = find_walls(frame.picture, grid.pixel_size)
    rows = np.arange(len(empty))[:, None] + 0.5
    inside = np.minimum(rows - walls.upper, walls.lower - rows) * grid.pixel_size
    level = empty.copy()
    differs = np.where(inside > _WALL, np.abs(frame.picture - empty), 0).sum(axis=0)
    differs = gaussian_filter1d(differs / np.maximum((inside > _WALL).sum(axis=0), 1), _WALL / grid.pixel_size)
    for part in (x < -channel.entry_taper, (x > 0) & (x < end), x > end + channel.exit_taper):
        if part.any():
            calm = part & (differs <= np.quantile(differs[part], _CALM))
            level[:, part] = np.median(frame.picture[:, calm], axis=1)[:, None]
    for part in ((x >= -channel.entry_taper) & (x <= 0), (x >= end) & (x <= end + channel.exit_taper)):
        if part.any():
            free = inside[:, part] > _WALL
            level[:, part] += np.median((frame.picture - empty)[:, part][free]) if free.any() else 0
            level[:, part] = np.where(free, level[:, part], frame.picture[:, part])
    spots = find_cells(frame.picture, Background(level, frame.noise), grid.pixel_size, walls)
    return [spot.outline * grid.pixel_size + (grid.x0, grid.y0) for spot in spots if spot.whole]


def along() -> np.ndarray:
    """Return the places of a profile's points (n,), m from the wall or the edge."""
    return np.linspace(-_ACROSS, _ACROSS, 45)


def across_wall(picture: np.ndarray, grid: Grid, columns: np.ndarray, wall: float) -> np.ndarray:
    """Return the profile (n,) across a wall at y = `wall` (m), outwards, averaged over some columns (indices)."""
    outward = np.sign(wall)
    y = (wall + outward * along() - grid.y0) / grid.pixel_size - 0.5
    return _sampled(picture[:, columns].mean(axis=1)[:, None], y[None], np.zeros((1, len(y))))


def across_edge(picture: np.ndarray, grid: Grid, x: float, y: float, outward: int) -> np.ndarray:
    """Return the profile (n,) across a cell's edge at `x`, `y` (m) along the channel, outwards; averaged over rows."""
    count = 2 * round(_AVERAGED / grid.pixel_size) + 1
    rows = (y + np.linspace(-_AVERAGED, _AVERAGED, count) - grid.y0) / grid.pixel_size - 0.5
    columns = (x + outward * along() - grid.x0) / grid.pixel_size - 0.5
    return _sampled(picture, *np.meshgrid(rows, columns, indexing="ij"))


def _sampled(picture: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return a picture at points (m, n), cubic, averaged over the first axis."""
    from scipy.ndimage import map_coordinates

    return np.asarray(map_coordinates(picture, [rows, columns], order=3, mode="nearest")).mean(axis=0)


def clear_columns(frame: RealFrame, outlines: list[np.ndarray]) -> np.ndarray:
    """Return the columns of the wide channel that neither tapers nor cells come near, before or else behind the gap.

    Raises
    ------
    DatasetError
        If there are too few.
    """
    x, channel = frame.grid.axes()[0], frame.channel
    free = np.ones(len(x), bool)
    for outline in outlines:
        free &= (x < outline[:, 0].min() - _CLEAR) | (x > outline[:, 0].max() + _CLEAR)
    ahead = free & (x < -channel.entry_taper - _CLEAR)
    behind = free & (x > channel.constriction_length + channel.exit_taper + _CLEAR)
    chosen = ahead | behind
    if chosen.sum() < _FEWEST:
        raise DatasetError("the frame shows no wide channel beside its constriction; give one with more of the channel")
    return np.flatnonzero(chosen)
