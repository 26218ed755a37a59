"""``.rtdc``, the HDF5 files of deformability cytometry: events in, scores out.

An event is one cell in one frame. What needs several frames (maximum velocity, transition time, the deformation index
in a constriction) is not in such a file, and stays missing.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd

from bridge.command import replacing
from bridge.formats.hdf5 import check_size
from bridge.formats.miml_csv import sha256
from bridge.formats.rtdc_events import Events, open_events
from bridge.formats.rtdc_features import MEANINGS, OUTLINE, SETTINGS
from bridge.records import Dataset, DatasetError

VIEW = "event"
"""The only view of an event."""

_BLOCK = 128  # events read at once
_SCORE = re.compile(r"(?:ml_score_)?([0-9a-z]{3})")
_ONE_FRAME = (
    "one frame an event: deformation_index, max_velocity and transition_time cannot be measured, and stay missing"
)
_KELVIN = 273.15
_SMALLEST = 4  # px of a mask that has an outline worth measuring


def read_rtdc(
    path: Path,
    label: str = "",
    group: str = "",
    pixel_size: float | None = None,
    crop: int | None = None,
    pictures: bool = True,
) -> Dataset:
    """Return the events of a ``.rtdc`` file, one record each.

    Parameters
    ----------
    path
        The file; basins beside it are followed.
    label
        Class of the cells.
    group
        What they have in common; by default the file's name.
    pixel_size
        Pixel at the sample (m), where the file does not state it.
    crop
        Edge of the square cut out around each event (px); by default the height of the frames. Whole frames are taken
        where neither masks nor positions say where in them the events are.
    pictures
        Whether to take pictures and masks, or features alone.

    Raises
    ------
    DatasetError
        If the file is none, damaged, without pictures that are asked for, or without any feature.
    """
    with open_events(path) as events:
        if pictures:
            _check_pictures(events)
        stated = events.number("imaging:pixel size") * 1e-6
        pixel = stated if stated > 0 else (pixel_size or np.nan)
        if not (np.isnan(pixel) or 1e-9 <= pixel <= 1e-4):
            raise DatasetError(f"{path}: imaging:pixel size = {pixel * 1e6:g} µm: 0.001 to 100 µm is expected; mend it")
        columns, units, descriptions = _columns(events, pixel)
        images = masks = present = None
        if pictures:
            images, masks, measured = _cut(events, pixel, crop)
            present = np.ones(images.shape[:2], bool)
            columns |= measured
            units |= {name: OUTLINE[name][0] for name in measured}
            descriptions |= {name: OUTLINE[name][1] for name in measured}
        table: dict[str, Any] = {"cell_id": [f"{path.stem}-{i:06d}" for i in range(events.count)]}
        table |= {"source": "experimental", "label": label, "group": group or path.stem, "split": "", "fold": -1}
        source = _source(events, path)
    dataset = Dataset(
        pd.DataFrame(table | columns), units, descriptions, images, masks, present, (VIEW,), {"sources": [source]}
    )
    if not pictures and not dataset.features:
        held = ", ".join(source["features_left_out"]) or "nothing"
        raise DatasetError(f"{path}: no feature that is known here, it holds {held}; take the pictures instead")
    return dataset


def _check_pictures(events: Events) -> None:
    if "image" not in events.arrays:
        why = f" ({'; '.join(events.notes)})" if events.notes else ""
        raise DatasetError(
            f"{events.path}: no pictures of the events{why}; put the file that has them beside it, or take the "
            "features alone with --without-pictures"
        )
    image = events.arrays["image"][0]
    if image.dtype not in (np.uint8, np.uint16) or 0 in image.shape:
        raise DatasetError(f"{events.path}: pictures are {image.dtype} {image.shape}; 8 or 16 bits are expected")
    if "mask" in events.arrays and events.arrays["mask"][0].shape[1:] != image.shape[1:]:
        mask = events.arrays["mask"][0]
        raise DatasetError(f"{events.path}: pictures are {image.shape[1:]} px, masks {mask.shape[1:]}; write it again")


def _columns(events: Events, pixel: float) -> tuple[dict[str, Any], dict[str, str], dict[str, str]]:
    """Return features and settings of the events, with units and meanings."""
    columns: dict[str, Any] = {}
    units, descriptions = {}, {}
    for own, meaning in MEANINGS.items():
        if own in events.arrays:
            values = events.scalar(own) * meaning.factor
            columns[meaning.name] = np.where(np.isfinite(values), values, np.nan)
            units[meaning.name], descriptions[meaning.name] = meaning.unit, f"{own}: {meaning.description}"
    for key, (name, unit, factor, meaning) in SETTINGS.items():
        value = events.number(key)
        if not np.isnan(value):
            columns[name] = value + _KELVIN if unit == "K" else value * factor
            units[name], descriptions[name] = unit, f"{key}: {meaning}"
    columns["pixel_size"], units["pixel_size"] = pixel, "m"
    return columns, units, descriptions


def _cut(events: Events, pixel: float, crop: int | None) -> tuple[np.ndarray, np.ndarray | None, dict[str, np.ndarray]]:
    """Return crops and masks (events, 1, edge, edge) around each event, and what is measured of the masks."""
    data = events.arrays["image"][0]
    height, width = data.shape[1:]
    masked = "mask" in events.arrays
    if not masked and "pos_x" not in events.arrays:
        return _whole(events, crop), None, {}
    edge = crop or height
    check_size((events.count, edge, edge), data.dtype, f"{events.path}: pictures")
    images = np.zeros((events.count, 1, edge, edge), data.dtype)
    masks = np.zeros(images.shape, np.uint8) if masked else None
    measured = {name: np.full(events.count, np.nan) for name in OUTLINE if masked}
    down, along = (_place(events, name, pixel) for name in ("pos_y", "pos_x"))
    for start in range(0, events.count, _BLOCK):
        stop = min(start + _BLOCK, events.count)
        block = events.rows("image", start, stop)
        shapes = events.rows("mask", start, stop) != 0 if masked else None
        for i in range(start, stop):
            middle = (
                down[i] if 0 <= down[i] < height else height / 2,
                along[i] if 0 <= along[i] < width else width / 2,
            )
            if shapes is not None and masks is not None and shapes[i - start].any():
                shape = shapes[i - start]
                middle = _middle(shape)
                for name, value in _measures(shape, pixel).items():
                    measured[name][i] = value
                masks[i, 0] = _window(shape, middle, edge, "constant") * np.uint8(255)
            images[i, 0] = _window(block[i - start], middle, edge, "edge")
    known = {name: values for name, values in measured.items() if not np.isnan(values).all()}
    return images, masks, known


def _place(events: Events, name: str, pixel: float) -> np.ndarray:
    """Return a position of the events (events,) in pixels from the frame's edge; in files a pixel's middle is whole."""
    if name not in events.arrays:
        return np.full(events.count, np.nan)
    return events.scalar(name) / (1e6 * pixel) + 0.5


def _whole(events: Events, crop: int | None) -> np.ndarray:
    """Return whole frames (events, 1, rows, columns), where the file does not say where in them the events are."""
    if crop is not None:
        raise DatasetError(f"{events.path}: neither masks nor positions, so that nothing can be cut out; omit --crop")
    return events.rows("image", 0, events.count)[:, None]


def _middle(shape: np.ndarray) -> tuple[float, float]:
    """Return the middle (row, column) of what a mask (rows, columns) marks."""
    rows, columns = np.flatnonzero(shape.any(axis=1)), np.flatnonzero(shape.any(axis=0))
    return (rows[0] + rows[-1] + 1) / 2, (columns[0] + columns[-1] + 1) / 2


def _window(picture: np.ndarray, middle: tuple[float, float], edge: int, beyond: str) -> np.ndarray:
    """Return a square of a picture; where it reaches beyond, the last pixels go on, or nothing is."""
    top, left = (round(m - edge / 2) for m in middle)
    rows, columns = np.arange(top, top + edge), np.arange(left, left + edge)
    height, width = picture.shape
    window = picture[rows.clip(0, height - 1)[:, None], columns.clip(0, width - 1)]
    if beyond == "edge":
        return window
    inside = ((rows >= 0) & (rows < height))[:, None] & (columns >= 0) & (columns < width)
    return np.where(inside, window, False)


def _measures(shape: np.ndarray, pixel: float) -> dict[str, float]:
    """Return what is measured of the outline of a mask (rows, columns), lengths in m; nothing of a speck."""
    from bridge.segment import outline_of
    from sim.observe import outline_measures

    if shape.sum() < _SMALLEST:
        return {}
    measures = outline_measures(outline_of(shape))
    return {
        "deformation_index_event": measures["di"],
        "deformation_index_event_ellipse": measures["di_ellipse"],
        "area_outline": measures["area"] * pixel**2,
        "perimeter_outline": measures["perimeter"] * pixel,
    }


def _source(events: Events, path: Path) -> dict[str, Any]:
    known = {*MEANINGS, "image", "mask", "image_bg", "frame", "time", "pos_x", "pos_y", "index"}
    kept = ("experiment:date", "experiment:sample", "experiment:run index", "setup:medium", "setup:chip region")
    left_out = sorted(name for name in events.arrays if name not in known)
    settings = {key: events.settings[key] for key in (*kept, *SETTINGS) if key in events.settings}
    return {
        "format": "rtdc",
        "name": path.name,
        "sha256": {path.name: sha256(path)},
        "settings": {key: value.item() if isinstance(value, np.generic) else value for key, value in settings.items()},
        "features_left_out": left_out,
        "notes": [*events.notes, _ONE_FRAME],
    }


def add_scores(source: Path, target: Path, scores: Mapping[str, np.ndarray]) -> None:
    """Copy a ``.rtdc`` file and add a model's scores of its events, which dclab and DCscope show.

    Parameters
    ----------
    source
        The measurement; it is not changed.
    target
        File to write.
    scores
        For each class, named by three of 0-9 and a-z, with or without ``ml_score_`` before them, one value from 0 to 1
        an event (events,), in the file's order.

    Raises
    ------
    DatasetError
        If a name, the number of the scores or a value is not what dclab reads, or the source is no such file.
    OSError
        If the target cannot be written.
    """
    if target.resolve() == source.resolve():
        raise DatasetError(f"{target}: is the measurement itself; choose another name, raw data stay as they are")
    with open_events(source) as events:
        count = events.count
    named = {}
    for name, values in scores.items():
        match = _SCORE.fullmatch(name)
        if match is None:
            raise DatasetError(f"score {name!r}: dclab reads ml_score_ and three of 0-9 and a-z, such as ml_score_hct")
        values = np.asarray(values, float)
        if values.shape != (count,):
            raise DatasetError(
                f"score {name!r}: shape {values.shape}, {source} has {count} events; give one value each"
            )
        if not ((values >= 0) & (values <= 1)).all():
            raise DatasetError(f"score {name!r}: values from {values.min():g} to {values.max():g}; 0 to 1 are expected")
        if named.setdefault(f"ml_score_{match[1]}", values) is not values:
            raise DatasetError(f"score ml_score_{match[1]} is given twice; name the classes differently")
    with replacing(target) as part:
        shutil.copyfile(source, part)
        try:
            with h5py.File(part, "r+") as file:
                for name, values in named.items():
                    if f"events/{name}" in file:
                        del file[f"events/{name}"]
                    packed = {"chunks": True, "fletcher32": True, "compression": "gzip"}
                    file.create_dataset(f"events/{name}", data=values, **packed)
        except (RuntimeError, ValueError, KeyError) as error:
            raise DatasetError(
                f"{source}: cannot be written to ({error}); copy its events with dclab-compress"
            ) from error
