"""A recording of cells in a constriction to a Dataset: background, outlines, tracks, features, crops."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bridge.records import VIEWS, Dataset, DatasetError
from bridge.segment import Background, Spot, find_cells, make_background
from bridge.track import Track, flows_right, link, mirrored
from bridge.video import Clip
from bridge.views import FIELD, UNDEFORMED
from bridge.walls import Constriction, find_walls

_SAMPLE = 48  # frames the background is made from, evenly spread
_FINE = 20  # samples per frame of the interpolated track
_STIFFNESS = 0.2  # of the spline through the centroids of 40 frames in the constriction, time in frames
_JUMP = 0.01  # of a cell's area within a few frames, from which on an outline is trusted less
_SHORTEST = 5  # frames a cell must be seen in
_SIZE = 64  # px of a crop
_OF_OUTLINES = ("area", "perimeter", "major_axis", "minor_axis", "di_ellipse")  # what a box does not tell

CELL_COLUMNS = {
    "frames": ("1", "frames the cell is seen in"),
    "frames_in_constriction": ("1", "frames in which its centroid is in the constriction"),
    "diameter": ("m", "diameter of the circle of the cell's area before the squeeze"),
}
"""Further columns of a cell from a recording: unit and meaning."""


@dataclass(frozen=True)
class Recorder:
    """What must be known of a recording, and what may be.

    Attributes
    ----------
    pixel_size
        Pixel at the sample (m).
    frame_rate
        Frames per second (Hz).
    constriction
        Columns of its entry and exit plane (px); None to find it in the background.
    times
        Time of each frame (s) where frames were dropped; None for a steady rate.
    label, group
        Class of the cells, and what they have in common: day, donor, chip.
    """

    pixel_size: float
    frame_rate: float
    constriction: tuple[float, float] | None = None
    times: np.ndarray | None = None
    label: str = ""
    group: str = ""


class Seen(NamedTuple):
    """What a recording shows."""

    spots: list[list[Spot]]
    """Objects in each frame, flowing to the right."""
    times: np.ndarray
    """Of the frames (s)."""
    constriction: Constriction
    mirrored: bool
    """Whether frames were turned left to right, since the cells moved to the left."""
    background: Background
    repeated: int
    """Frames that repeat the one before and were left out."""


@dataclass(frozen=True)
class Cell:
    """One cell of a recording."""

    trace: Mapping[str, np.ndarray]
    """Per frame, in SI and the channel's coordinates: time, x, y, vx, rear_x, front_x, length, height, di, …"""
    features: Mapping[str, float | None]
    track: Track
    views: dict[str, int] = field(default_factory=dict)
    """Frame that shows it at each of `VIEWS`."""


def read_recording(
    path: Path,
    recorder: Recorder,
    given: Sequence[Sequence[Spot]] | None = None,
    on_progress: Callable[[float, str], None] = lambda fraction, what: None,
) -> tuple[Dataset, list[Cell]]:
    """Return the cells of a recording.

    Parameters
    ----------
    path
        Video, image stack or folder of pictures.
    recorder
        Pixel size, frame rate and what else is known.
    given
        Objects of each frame if they were found elsewhere; None to find them.
    on_progress
        Is told the fraction done and what is done.

    Returns
    -------
    tuple
        Dataset with one row per cell that moves through the view, and the cells with their traces.

    Raises
    ------
    DatasetError
        If the recording cannot be read, shows no constriction, or no cell.
    """
    clip = Clip(path)
    seen = _look(clip, recorder, given, on_progress)
    cells = [cell for track in link(seen.spots, clip.shape[1]) if (cell := follow(track, seen, recorder)) is not None]
    if not cells:
        objects = sum(map(len, seen.spots))
        raise DatasetError(
            f"{path}: no cell moves through the view in {len(seen.spots)} frames ({objects} objects seen); check "
            "--pixel-size, or give --detections"
        )
    images, masks, present = _crops(clip, cells, seen, recorder)
    return _dataset(path, cells, seen, recorder, images, masks, present), cells


def _look(
    clip: Clip,
    recorder: Recorder,
    given: Sequence[Sequence[Spot]] | None,
    on_progress: Callable[[float, str], None],
) -> Seen:
    sample, count = _sample(clip)
    if recorder.times is not None and len(recorder.times) != count:
        raise DatasetError(f"{clip.path}: {count} frames, but {len(recorder.times)} times; give one for each frame")
    if given is not None and len(given) > count:
        raise DatasetError(f"{clip.path}: {count} frames, but detections in frame {len(given) - 1} (the first is 0)")
    background = make_background(sample)
    if recorder.constriction:
        walls, (entry, exit_) = None, recorder.constriction
        constriction = Constriction(entry, exit_, clip.shape[0] / 2, float("nan"))
    else:
        walls = find_walls(background.level, recorder.pixel_size)
        constriction = walls.constriction
    spots: list[list[Spot]] = []
    previous, repeated = None, 0
    for number, frame in enumerate(clip):
        on_progress(number / count, "outlines")
        if previous is not None and np.array_equal(frame, previous):
            spots.append([])  # a camera or an encoder that drops a frame shows the last one again
            repeated += 1
        elif given is not None:
            spots.append(list(given[number]) if number < len(given) else [])
        else:
            spots.append(find_cells(frame, background, recorder.pixel_size, walls))
        previous = frame
    times = np.arange(count) / recorder.frame_rate if recorder.times is None else recorder.times
    width = clip.shape[1]
    right = flows_right(spots, width)
    if not right:
        spots = [[mirrored(spot, width) for spot in frame] for frame in spots]
        constriction = constriction.mirrored(width)
    return Seen(spots, times, constriction, not right, background, repeated)


def _sample(clip: Clip) -> tuple[list[np.ndarray], int]:
    """Return frames spread evenly over a recording whose length is not known, and their total number."""
    kept: list[np.ndarray] = []
    every, count = 1, 0
    for frame in clip:
        if count % every == 0:
            kept.append(frame)
            if len(kept) >= 2 * _SAMPLE:
                kept, every = kept[::2], 2 * every
        count += 1
    return kept[:: max(1, len(kept) // _SAMPLE)], count


def follow(track: Track, seen: Seen, recorder: Recorder) -> Cell | None:
    """Return the cell of a track with its features, or None if it does not move through the view."""
    from sim.features import compute_features
    from sim.observe import outline_measures

    length = np.median([np.ptp(spot.outline[:, 0]) for spot in track.spots])
    if len(track.frames) < _SHORTEST or track.x[-1] - track.x[0] < length:
        return None
    origin = (seen.constriction.entry, seen.constriction.centre)
    rows = [outline_measures((spot.outline - origin) * recorder.pixel_size) for spot in track.spots]
    trace = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    if any(spot.box for spot in track.spots):
        trace |= {name: np.full(len(rows), np.nan) for name in _OF_OUTLINES}
    trace["time"] = seen.times[track.frames]
    end = (seen.constriction.exit - seen.constriction.entry) * recorder.pixel_size
    inside = int(((trace["x"] >= 0) & (trace["x"] <= end)).sum())
    fine, trace["vx"] = _between(trace, inside)
    features = compute_features(fine, end)
    cell = Cell(trace, features, track)
    cell.views.update(_moments(trace, track, end))
    return cell


def _between(trace: Mapping[str, np.ndarray], inside: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return the columns that features need, interpolated within frames, and the velocity in each frame (m/s).

    Notes
    -----
    The centroid goes through a cubic smoothing spline, edges and deformation index are linear. The spline is little
    stiffer than an interpolating one, the less the fewer frames there are `inside` the constriction: chosen on films of
    simulated cells, where cross-validation flattens the peak of the velocity by 3 to 5 %.
    """
    from scipy.interpolate import make_smoothing_spline

    time = trace["time"]
    scale = (time[-1] - time[0]) / (len(time) - 1)
    stiffness = _STIFFNESS * min(1.0, max(inside, 1) / 40) ** 2
    spline = make_smoothing_spline((time - time[0]) / scale, trace["x"] * 1e6, _trust(trace["area"]), lam=stiffness)
    fine = np.linspace(0, (time[-1] - time[0]) / scale, _FINE * (len(time) - 1) + 1)
    columns = {name: np.interp(time[0] + fine * scale, time, trace[name]) for name in ("rear_x", "front_x", "di")}
    columns["di_ellipse"] = np.interp(time[0] + fine * scale, time, trace["di_ellipse"])
    columns |= {"time": time[0] + fine * scale, "x": spline(fine) * 1e-6, "vx": spline(fine, 1) * 1e-6 / scale}
    return columns, spline((time - time[0]) / scale, 1) * 1e-6 / scale


def _trust(area: np.ndarray) -> np.ndarray:
    """Return the weight of each frame: low where the outline's area differs from that of the frames around."""
    from scipy.ndimage import median_filter

    if np.isnan(area).any():
        return np.ones(len(area))
    apart = area / median_filter(area, size=7, mode="nearest") - 1
    return 1 / (1 + (apart / _JUMP) ** 2)


def _moments(trace: Mapping[str, np.ndarray], track: Track, end: float) -> dict[str, int]:
    """Return the frames that show the moments `bridge.views.moment` speaks of."""
    front, x = trace["front_x"], trace["x"]
    round_ = np.flatnonzero((front <= 0) & (np.abs(trace["di"]) <= UNDEFORMED + 0.01))
    ahead = round_ if round_.size else np.flatnonzero(front <= 0)[:1]
    squeezed = np.flatnonzero((x >= 0) & (x <= end) & (front <= end))
    shown = {}
    if ahead.size:
        shown["first"] = track.frames[int(ahead[-1])]
    if squeezed.size and front.max() > end:
        shown["squeezed"] = track.frames[int(squeezed[-1])]
    return shown


def _crops(
    clip: Clip, cells: Sequence[Cell], seen: Seen, recorder: Recorder
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return pictures and masks (cells, views, rows, columns) of 48 µm around each cell, and which exist."""
    from PIL import Image

    from bridge.body import Grid, coverage

    wanted: dict[int, list[tuple[int, int]]] = {}
    for i, cell in enumerate(cells):
        for view, frame in cell.views.items():
            wanted.setdefault(frame, []).append((i, VIEWS.index(view)))
    edge = edge_of(recorder.pixel_size)
    images = masks = np.zeros((len(cells), len(VIEWS), _SIZE, _SIZE), np.uint8)
    masks, present = np.zeros_like(images), np.zeros(images.shape[:2], bool)
    for number, frame in enumerate(clip):
        for i, j in wanted.get(number, []):
            outline = cells[i].track.spots[cells[i].track.frames.index(number)].outline
            picture = frame[:, ::-1] if seen.mirrored else frame
            x, y = (np.floor((outline.min(axis=0) + outline.max(axis=0)) / 2 - edge / 2)).astype(int)
            window = np.pad(picture, edge, mode="edge")[y + edge : y + 2 * edge, x + edge : x + 2 * edge]
            if window.dtype != np.uint8:
                window = (window / max(1, np.percentile(seen.background.level, 50) / 150)).clip(0, 255).astype(np.uint8)
            kind = Image.Resampling.BOX if edge >= _SIZE else Image.Resampling.BICUBIC
            images[i, j] = np.asarray(Image.fromarray(window).resize((_SIZE, _SIZE), kind))
            inside = coverage(outline, Grid(float(x), float(y), edge / _SIZE, (_SIZE, _SIZE)))
            masks[i, j] = np.where(inside >= 0.5, 255, 0)
            present[i, j] = True
    return images, masks, present


def edge_of(pixel_size: float) -> int:
    """Return how many pixels of the camera (m each) a crop of `FIELD` spans."""
    return max(8, round(FIELD / pixel_size))


def _dataset(
    path: Path,
    cells: Sequence[Cell],
    seen: Seen,
    recorder: Recorder,
    images: np.ndarray,
    masks: np.ndarray,
    present: np.ndarray,
) -> Dataset:
    import pandas as pd

    from sim.features import FEATURES

    end = (seen.constriction.exit - seen.constriction.entry) * recorder.pixel_size
    rows: list[dict[str, Any]] = []
    for number, cell in enumerate(cells):
        inside = (cell.trace["x"] >= 0) & (cell.trace["x"] <= end)
        ahead = cell.trace["front_x"] <= 0
        area = np.median(cell.trace["area"][ahead]) if ahead.any() else np.nan
        row = {"cell_id": f"{path.stem}-{number:04d}", "source": "experimental", "label": recorder.label}
        row |= {"group": recorder.group or path.stem, "split": "", "fold": -1}
        row |= {name: np.nan if value is None else value for name, value in cell.features.items()}
        row |= {"frames": len(cell.track.frames), "frames_in_constriction": int(inside.sum())}
        pixel_size = edge_of(recorder.pixel_size) * recorder.pixel_size / _SIZE
        rows.append(row | {"diameter": 2 * float(np.sqrt(area / np.pi)), "pixel_size": pixel_size})
    units = {name: feature.unit for name, feature in FEATURES.items()} | {"pixel_size": "m"}
    units |= {name: unit for name, (unit, _) in CELL_COLUMNS.items()}
    descriptions = {name: f"{feature.definition} ({feature.source})" for name, feature in FEATURES.items()}
    descriptions |= {name: text for name, (_, text) in CELL_COLUMNS.items()}
    source = {
        "format": "recording",
        "name": path.name,
        "pixel_size": recorder.pixel_size,
        "frame_rate": recorder.frame_rate,
        "frames": len(seen.times),
        "frames_repeated": seen.repeated,
        "mirrored": seen.mirrored,
        "constriction": {name: float(value) for name, value in seen.constriction._asdict().items() if value == value},
    }
    return Dataset(pd.DataFrame(rows), units, descriptions, images, masks, present, VIEWS, {"sources": [source]})
