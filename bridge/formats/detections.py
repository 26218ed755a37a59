"""Objects found elsewhere: boxes of a detector as a table, masks as an image stack."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path

import numpy as np

from bridge.records import DatasetError
from bridge.segment import Spot, outline_of
from bridge.video import Clip, is_recording

_NAMES = {
    "frame": ("frame", "frameid", "image", "imageid"),
    "x0": ("xmin", "x1", "left", "x0"),
    "y0": ("ymin", "y1", "top", "y0"),
    "x1": ("xmax", "x2", "right"),
    "y1": ("ymax", "y2", "bottom"),
    "x": ("xcenter", "xcentre", "xc", "cx", "xcentrenorm"),
    "y": ("ycenter", "ycentre", "yc", "cy", "ycentrenorm"),
    "w": ("width", "w"),
    "h": ("height", "h"),
}
_MOST_FRAMES = 1_000_000


def read_detections(path: Path, shape: tuple[int, int]) -> list[list[Spot]]:
    """Return the objects of each frame.

    Parameters
    ----------
    path
        A CSV table of boxes: `frame` (from 0) with `xmin, ymin, xmax, ymax`, or `xcenter, ycenter, width, height`, in
        pixels, or, if no value exceeds 1, in fractions of the frame as YOLO writes them. Or a stack of masks
        (TIFF, folder of pictures), one for each frame: each connected area or grey value is an object.
    shape
        Rows, columns of the recording's frames.

    Raises
    ------
    DatasetError
        With file, row and remedy.
    """
    if not path.exists():
        raise DatasetError(f"{path}: no such file; give a CSV table of boxes or a stack of masks")
    if is_recording(path):
        return [_objects(mask, shape, path) for mask in Clip(path)]
    if path.suffix.lower() == ".csv":
        return _boxes(path, shape)
    raise DatasetError(f"{path}: unknown kind of detections {path.suffix!r}; give a CSV table of boxes or masks")


def _objects(mask: np.ndarray, shape: tuple[int, int], path: Path) -> list[Spot]:
    from skimage.measure import label, regionprops

    if mask.shape != shape:
        raise DatasetError(f"{path}: masks of {mask.shape[1]} x {mask.shape[0]} px, frames of {shape[1]} x {shape[0]}")
    several = len(np.unique(mask)) > 2
    regions = regionprops(mask.astype(int) if several else label(mask > 0))
    spots = []
    for region in regions:
        top, left, bottom, right = region.bbox
        whole = top > 0 and left > 0 and bottom < shape[0] and right < shape[1]
        spots.append(Spot(outline_of(region.image, (left, top)), whole))
    return spots


def _boxes(path: Path, shape: tuple[int, int]) -> list[list[Spot]]:
    from bridge.formats.tables import read_rows

    header, rows = read_rows(path)
    names = ["".join(c for c in name.lower() if c.isalnum()) for name in header]
    at = {key: names.index(known) for key, words in _NAMES.items() for known in words if known in names}
    corners = {"frame", "x0", "y0", "x1", "y1"} <= at.keys()
    if not corners and not {"frame", "x", "y", "w", "h"} <= at.keys():
        raise DatasetError(
            f"{path}: row 1: the header is {', '.join(header)!r}; boxes want frame and xmin, ymin, xmax, ymax, "
            "or frame and xcenter, ycenter, width, height"
        )
    keys = ("frame", "x0", "y0", "x1", "y1") if corners else ("frame", "x", "y", "w", "h")
    values = np.array([[_number(path, number, header[at[key]], row[at[key]]) for key in keys] for number, row in rows])
    frames, boxes = values[:, 0], values[:, 1:]
    if (frames % 1 != 0).any() or frames.min() < 0 or frames.max() >= _MOST_FRAMES:
        raise DatasetError(f"{path}: {header[at['frame']]}: frames are numbered 0, 1, 2, …")
    if boxes.max() <= 1:
        boxes = boxes * np.tile(shape[::-1], 2)
    if not corners:
        boxes = np.hstack([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2])
    if (boxes[:, 2:] <= boxes[:, :2]).any():
        row = rows[int(np.argmax((boxes[:, 2:] <= boxes[:, :2]).any(axis=1)))][0]
        raise DatasetError(f"{path}: row {row}: the box is empty; its right and lower edge must lie beyond the others")
    spots: list[list[Spot]] = [[] for _ in range(int(frames.max()) + 1)]
    for frame, (left, top, right, bottom) in zip(frames.astype(int), boxes, strict=True):
        whole = left > 0.5 and top > 0.5 and right < shape[1] - 0.5 and bottom < shape[0] - 0.5
        spots[frame].append(Spot(_ellipse(left, top, right, bottom), bool(whole), box=True))
    return spots


def _number(path: Path, row: int, name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DatasetError(f"{path}: row {row}: {name} = {text!r} is no number; write it with a decimal point")
    return value


def _ellipse(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    """Return the ellipse (points, 2) that fills a box; only its extents are used."""
    angle = 2 * np.pi * np.arange(64) / 64
    x = (left + right) / 2 + (right - left) / 2 * np.cos(angle)
    return np.stack([x, (top + bottom) / 2 + (bottom - top) / 2 * np.sin(angle)], axis=1)


def read_times(path: Path) -> np.ndarray:
    """Return the times (frames,) in s of a file with one number in each line.

    Raises
    ------
    DatasetError
        If it is missing, holds something else, or times do not increase.
    """
    if not path.is_file():
        raise DatasetError(f"{path}: no such file; give the time of each frame (s), one in each line")
    text = path.read_bytes()[: 64 * 2**20].decode("utf-8", errors="replace")
    lines = [row[0] for row in csv.reader(io.StringIO(text)) if row and row[0].strip()]
    times = np.array([_number(path, number, "time", line) for number, line in enumerate(lines, start=1)])
    if len(times) < 2 or (np.diff(times) <= 0).any():
        raise DatasetError(f"{path}: times must increase from frame to frame; give seconds, one in each line")
    return times
