"""Datasets as ``.rtdc`` files that dclab and DCscope open: cells as events, tracks as tables.

Written are ``cells_<view>.rtdc``, one event a cell with its picture and mask, and ``frames.rtdc``, one event for each
moment at which a cell was followed, without pictures. What the format asks for and the dataset does not know is NaN or
"unknown".
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from bridge.command import replacing
from bridge.formats.contour import contour_features
from bridge.records import Dataset, DatasetError

_BLOCK = 256  # cells read at once
_PACKED = {"compression": "gzip", "compression_opts": 5, "shuffle": True, "fletcher32": True}
_LINE = 100  # characters in a line of a log
_CONTOUR = ("area_um", "deform", "pos_x", "pos_y", "size_x", "size_y", "aspect")
USERDEF = (
    ("userdef0", "deformation_index", "deformation index (a - b)/(a + b), largest in the constriction [1]"),
    ("userdef1", "max_velocity", "largest velocity in the constriction [m/s]"),
    ("userdef2", "transition_time", "centroid through the constriction [s]"),
    ("userdef3", "", "class, counted as in miml classes [1]"),
)
"""User-defined features: name, column of the dataset, and what the file says of it."""

_UNKNOWN = {
    "experiment:date": "unknown",
    "experiment:time": "unknown",
    "experiment:run index": 1,
    "imaging:flash device": "unknown",
    "imaging:flash duration": math.nan,
    "imaging:frame rate": math.nan,
    "imaging:roi position x": 0,
    "imaging:roi position y": 0,
    "setup:channel width": math.nan,
    "setup:chip region": "channel",
    "setup:flow rate": math.nan,
    # any other medium would make readers compute a modulus of elasticity
    "setup:medium": "other",
}
_FROM_COLUMNS = {
    "imaging:pixel size": ("pixel_size", 1e6),
    "imaging:frame rate": ("condition_frame_rate", 1.0),
    "imaging:flash duration": ("condition_flash_duration", 1e6),
    "setup:channel width": ("condition_channel_width", 1e6),
    "setup:flow rate": ("condition_flow_rate", 1e9),
}
"""Metadata from a column that is the same for all cells, and the factor from SI to µm, Hz, µs, µL/s."""


def write_rtdc(folder: Path, dataset: Dataset) -> list[str]:
    """Write a dataset as a folder of ``.rtdc`` files, with a plugin for dclab beside them.

    Parameters
    ----------
    folder
        Folder to make; must not exist, or be empty.
    dataset
        In memory, or opened by `bridge.stored.open_dataset`.

    Returns
    -------
    list of str
        Names of the ``.rtdc`` files.

    Raises
    ------
    DatasetError
        If there are neither pictures nor tracks, the cells have several pixel sizes, or the folder holds something.
    OSError
        If it cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DatasetError(f"{folder}: exists and is not empty; choose another name")
    settings = _settings(dataset)
    views = {}
    if dataset.images is not None and dataset.views_present is not None:
        views = {view: np.flatnonzero(dataset.views_present[:, j]) for j, view in enumerate(dataset.views)}
    views = {view: rows for view, rows in views.items() if rows.size}
    if not views and dataset.tracks is None:
        raise DatasetError("neither pictures nor tracks: nothing that an event could be; export to miml, or build anew")
    with replacing(folder) as part:
        part.mkdir(parents=True)
        for view, rows in views.items():
            with h5py.File(part / f"cells_{view}.rtdc", "w") as file:
                _write_cells(file, dataset, view, rows, settings)
        if dataset.tracks is not None:
            with h5py.File(part / "frames.rtdc", "w") as file:
                _write_frames(file, dataset, settings)
        plugin = resources.files("bridge.formats").joinpath("miml_features.py").read_text(encoding="utf-8")
        (part / "miml_features.py").write_text(plugin, encoding="utf-8")
        names = sorted(path.name for path in part.glob("*.rtdc"))
    return names


def _settings(dataset: Dataset) -> dict[str, Any]:
    """Return the metadata of all files."""
    from importlib.metadata import version

    settings = dict(_UNKNOWN)
    for key, (column, factor) in _FROM_COLUMNS.items():
        values = np.unique(dataset.table[column].to_numpy(float)) if column in dataset.table else np.array([])
        # To six digits: two ways to compute one size differ in the last bit.
        values = np.unique([float(f"{value:.6g}") for value in values[~np.isnan(values)]])
        if key == "imaging:pixel size" and len(values) > 1:
            listed = ", ".join(f"{1e6 * value:g}" for value in values[:4])
            raise DatasetError(
                f"cells of {len(values)} pixel sizes ({listed} µm); a .rtdc file has one: export them apart"
            )
        settings.setdefault(key, math.nan)
        if len(values) == 1:
            settings[key] = float(values[0]) * factor
    rates = {source["frame_rate"] for source in dataset.meta.get("sources", []) if _has(source, "frame_rate")}
    if math.isnan(settings["imaging:frame rate"]) and len(rates) == 1:
        settings["imaging:frame rate"] = float(rates.pop())
    labels = sorted(set(dataset.table["label"]))
    settings["setup:software version"] = f"mimlab {version('mimlab')}"
    settings["user:miml source"] = ", ".join(sorted(set(dataset.table["source"])))
    settings["user:miml classes"] = ", ".join(f"{k} {label}" for k, label in enumerate(labels, start=1))
    return settings


def _has(source: Any, key: str) -> bool:
    return isinstance(source, Mapping) and key in source


def _write_cells(file: h5py.File, dataset: Dataset, view: str, rows: np.ndarray, settings: Mapping[str, Any]) -> None:
    """Write one event a cell, from its picture in one view."""
    assert dataset.images is not None
    height, width = dataset.images.shape[2:]
    shape = (len(rows), height, width)
    image = _pictures(file, "image", shape)
    masked = dataset.masks is not None
    mask = _pictures(file, "mask", shape) if masked else None
    contours = {name: np.full(len(rows), np.nan) for name in _CONTOUR if masked}
    for start in range(0, len(rows), _BLOCK):
        chosen = rows[start : start + _BLOCK]
        stop = start + len(chosen)
        image[start:stop] = _bytes(_read(dataset.images, view, dataset, chosen))
        if mask is not None:
            block = _read(dataset.masks, view, dataset, chosen)
            mask[start:stop] = np.where(block != 0, np.uint8(255), np.uint8(0))
            for i, one in enumerate(block, start=start):
                for name, value in contour_features(one != 0, settings["imaging:pixel size"]).items():
                    contours[name][i] = value
    known = {name: values for name, values in contours.items() if not np.isnan(values).all()}
    features = known | {"index_online": np.arange(1, len(rows) + 1)}
    _write_scalars(file, features | _userdef(dataset, rows))
    _write_tables(file, dataset, rows)
    size = {"imaging:roi size x": width, "imaging:roi size y": height}
    sample = {"experiment:sample": f"cells, view {view}", "experiment:event count": len(rows)}
    _write_settings(file, {**settings, **size, **sample}, dataset)


def _write_frames(file: h5py.File, dataset: Dataset, settings: Mapping[str, Any]) -> None:
    """Write one event for each moment of each track."""
    assert dataset.tracks is not None
    tracks = {name: np.asarray(values[:]) for name, values in dataset.tracks.items()}
    cell = tracks["cell"].astype(int)
    first = np.searchsorted(cell, cell)
    features = {"frame": np.arange(len(cell)) - first + 1, "index_online": np.arange(1, len(cell) + 1)}
    named = {"time": ("time", 1.0), "pos_x": ("x", 1e6), "pos_y": ("y", 1e6)}
    named |= {
        "size_x": ("length", 1e6),
        "size_y": ("height", 1e6),
        "area_um_raw": ("area", 1e12),
        "userdef0": ("di", 1.0),
    }
    features |= {own: tracks[name] * factor for own, (name, factor) in named.items() if name in tracks}
    if {"area", "perimeter"} <= tracks.keys():
        features["deform_raw"] = 1 - 2 * np.sqrt(np.pi * tracks["area"]) / tracks["perimeter"]
    if {"length", "height"} <= tracks.keys():
        features["aspect"] = tracks["length"] / tracks["height"]
    features["userdef3"] = _userdef(dataset, cell)["userdef3"]
    _write_scalars(file, features)
    _write_tables(file, dataset, np.arange(len(dataset)), samples=False)
    size = {"imaging:roi size x": 0, "imaging:roi size y": 0}
    sample = {"experiment:sample": "moments of cells followed", "experiment:event count": len(cell)}
    meaning = {"user:miml userdef0": "deformation index (a - b)/(a + b) at the moment [1]"}
    _write_settings(file, {**settings, **size, **sample}, dataset, meaning)


def _pictures(file: h5py.File, name: str, shape: tuple[int, ...]) -> h5py.Dataset:
    data = file.create_dataset(f"events/{name}", shape, np.uint8, chunks=(1, *shape[1:]), **_PACKED)
    for key, value in (("CLASS", b"IMAGE"), ("IMAGE_VERSION", b"1.2"), ("IMAGE_SUBCLASS", b"IMAGE_GRAYSCALE")):
        data.attrs[key] = np.bytes_(value)
    return data


def _read(pictures: Any, view: str, dataset: Dataset, rows: np.ndarray) -> np.ndarray:
    """Return the pictures of some cells in one view (cells, rows, columns)."""
    low, high = int(rows[0]), int(rows[-1]) + 1
    return np.asarray(pictures[low:high, list(dataset.views).index(view)])[rows - low]


def _bytes(pictures: np.ndarray) -> np.ndarray:
    """Return pictures of 8 bits; 65535 becomes 255."""
    return pictures if pictures.dtype == np.uint8 else np.round(pictures / 257).astype(np.uint8)


def _userdef(dataset: Dataset, rows: np.ndarray) -> dict[str, np.ndarray]:
    labels = sorted(set(dataset.table["label"]))
    numbers = np.array([labels.index(label) + 1 for label in dataset.table["label"]])
    columns = {own: dataset.table[name].to_numpy(float) for own, name, _ in USERDEF if name in dataset.table}
    return {own: values[rows] for own, values in (columns | {"userdef3": numbers}).items()}


def _write_scalars(file: h5py.File, features: Mapping[str, np.ndarray]) -> None:
    for name, values in features.items():
        if not np.isnan(np.asarray(values, float)).all():
            file.create_dataset(f"events/{name}", data=np.asarray(values, float), chunks=True, **_PACKED)


def _write_tables(file: h5py.File, dataset: Dataset, rows: np.ndarray, samples: bool = True) -> None:
    """Write what the events are, and how the cells moved: tables of which each row names its event, from 0."""
    ids, labels, groups = (dataset.table[name].astype(str).to_numpy()[rows] for name in ("cell_id", "label", "group"))
    texts = {"cell_id": ids, "label": labels, "group": groups}
    packed = {name: np.char.encode(np.asarray(values, str), "utf-8") for name, values in texts.items()}
    cells = np.zeros(len(rows), [("cell", "<i8"), *((name, values.dtype) for name, values in packed.items())])
    cells["cell"] = np.arange(len(rows))
    for name, values in packed.items():
        cells[name] = values
    file.create_dataset("tables/cells", data=cells, chunks=True, **_PACKED)
    if dataset.tracks is None:
        return
    cell = np.asarray(dataset.tracks["cell"][:])
    if not samples:
        first = np.searchsorted(cell, np.arange(len(dataset)))
        index = np.zeros(len(dataset), [("cell", "<i8"), ("first", "<i8"), ("count", "<i8")])
        index["cell"], index["first"] = np.arange(len(dataset)), first
        index["count"] = np.searchsorted(cell, np.arange(len(dataset)), side="right") - first
        file.create_dataset("tables/tracks", data=index, chunks=True, **_PACKED)
        return
    place = np.full(len(dataset), -1)
    place[rows] = np.arange(len(rows))
    kept = place[cell] >= 0
    names = [name for name in dataset.tracks if name != "cell"]
    tracks = np.zeros(int(kept.sum()), [("cell", "<i8"), *((name, "<f4") for name in names)])
    tracks["cell"] = place[cell[kept]]
    for name in names:
        tracks[name] = np.asarray(dataset.tracks[name][:])[kept]
    if len(tracks):
        file.create_dataset("tables/tracks", data=tracks, chunks=True, **_PACKED)


def _write_settings(
    file: h5py.File, settings: Mapping[str, Any], dataset: Dataset, meaning: Mapping[str, str] | None = None
) -> None:
    """Write metadata, and where the cells came from as a log."""
    stated = {f"user:miml {own}": text for own, _, text in USERDEF if f"events/{own}" in file}
    for key, value in {**settings, **(stated if meaning is None else meaning)}.items():
        file.attrs[key] = value
    text = json.dumps({"views": list(dataset.views), **dataset.meta}, sort_keys=True)
    lines = [text[i : i + _LINE] for i in range(0, len(text), _LINE)]
    file.create_dataset("logs/mimlab", data=lines, dtype=f"S{_LINE}", chunks=True, **_PACKED)
