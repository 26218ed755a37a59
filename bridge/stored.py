"""Datasets on disk: the table in memory, pictures and tracks read as they are asked for."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd

from bridge.formats.hdf5 import array, check_stored, check_words, child, refused, text
from bridge.journal import recover
from bridge.records import SCHEMA_VERSION, Dataset, DatasetError

_REMEDY = "build or ingest it again"
_UNWRITTEN = 2 * 2**30  # bytes of pictures that may be missing: of cells that have none
_MOST_PIXELS = 4096 * 4096


@contextlib.contextmanager
def open_dataset(path: Path | str) -> Iterator[Dataset]:
    """Yield a dataset whose pictures and tracks stay on disk: arrays to be indexed while the block lasts.

    Raises
    ------
    DatasetError
        If the file is missing, is no dataset, has another schema, is damaged, or links outside itself.
    """
    path = Path(path)
    if not path.is_file():
        raise DatasetError(f"{path}: no such file; make one with `python -m bridge.build` or `python -m bridge.ingest`")
    recover(path)
    with refused(path, "dataset", _REMEDY):
        file = h5py.File(path, "r")
    with file:
        with refused(path, "dataset", _REMEDY):
            dataset = _dataset(file, path)
        try:
            yield dataset
        except OSError as error:  # of HDF5, while pictures are read
            if error.errno is not None or error.filename is not None:
                raise
            raise DatasetError(f"{path}: not a readable dataset ({error}); {_REMEDY}") from error


def _dataset(file: h5py.File, path: Path) -> Dataset:
    table, meta_node = child(file, "table", path), child(file, "meta", path)
    if not isinstance(table, h5py.Group) or not isinstance(meta_node, h5py.Dataset):
        raise DatasetError(f"{path}: no /table or /meta; this is not a dataset of this project")
    if meta_node.shape != () or h5py.check_string_dtype(meta_node.dtype) is None:
        raise DatasetError(f"{path}: /meta is no text; {_REMEDY}")
    check_words(meta_node, path)
    meta = json.loads(text(meta_node[()]))
    version = meta.pop("schema_version", None)
    if version != SCHEMA_VERSION:
        raise DatasetError(f"{path}: schema version {version!r}, this program reads {SCHEMA_VERSION}; {_REMEDY}")
    views = tuple(str(view) for view in meta.pop("views"))
    columns, units, descriptions = _columns(table, path)
    pictures = {name: _pictures(file, name, path) for name in ("images", "masks", "views_present") if name in file}
    if "views_present" in pictures:
        pictures["views_present"] = pictures["views_present"][()].astype(bool)
    try:
        return Dataset(
            pd.DataFrame(columns), units, descriptions, views=views, meta=meta, tracks=_tracks(file, path), **pictures
        )
    except DatasetError as error:
        raise DatasetError(f"{path}: {error}") from error


def _columns(table: h5py.Group, path: Path) -> tuple[dict[str, np.ndarray], dict[str, str], dict[str, str]]:
    columns, units, descriptions = {}, {}, {}
    shapes = {}
    for name in map(str, table):
        data = array(table, name, path, kinds="biufOS")
        words = h5py.check_string_dtype(data.dtype) is not None
        if data.dtype.kind == "O" and not words:
            raise DatasetError(f"{path}: column {name} holds {data.dtype}; {_REMEDY}")
        shapes[name] = data.shape
        if len(data.shape) == 1:
            columns[name] = np.asarray(data.asstr()[()] if words else data[()])
        for kind, found in (("unit", units), ("description", descriptions)):
            value = data.attrs.get(kind)
            if isinstance(value, (str, bytes)) and value:
                found[name] = text(value)
    if len(set(shapes.values())) > 1 or any(len(shape) != 1 for shape in shapes.values()):
        raise DatasetError(f"{path}: columns of different lengths {shapes}; {_REMEDY}")
    return columns, units, descriptions


def _pictures(file: h5py.File, name: str, path: Path) -> Any:
    data = array(file, name, path, kinds="bu", stored=False)
    check_stored(data, path, _UNWRITTEN)
    pixels = math.prod(data.shape[2:])
    if pixels > _MOST_PIXELS:
        raise DatasetError(
            f"{path}: {name} {data.shape}: pictures of {pixels * data.dtype.itemsize / 2**30:.1f} GiB each; {_REMEDY}"
        )
    return data


def _tracks(file: h5py.File, path: Path) -> dict[str, Any] | None:
    group = child(file, "tracks", path)
    if group is None:
        return None
    if not isinstance(group, h5py.Group) or "cell" not in group:
        raise DatasetError(f"{path}: /tracks holds no column cell; {_REMEDY}")
    tracks = {name: array(group, name, path, stored=False) for name in map(str, group)}
    if len({data.shape for data in tracks.values()}) > 1 or tracks["cell"].ndim != 1:
        raise DatasetError(f"{path}: columns of /tracks have different lengths; {_REMEDY}")
    return tracks


def track_of(dataset: Dataset, row: int) -> dict[str, np.ndarray]:
    """Return the track of one cell: its columns (samples,), empty where it was not followed."""
    if dataset.tracks is None:
        return {}
    cells = dataset.tracks["cell"]
    low, high = (_search(cells, value) for value in (row, row + 1))
    return {name: np.asarray(values[low:high]) for name, values in dataset.tracks.items() if name != "cell"}


def _search(ordered: Any, value: int) -> int:
    """Return where `value` would stand in an ordered array on disk."""
    low, high = 0, len(ordered)
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if ordered[middle] < value else (low, middle)
    return low
