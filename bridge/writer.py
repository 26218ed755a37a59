"""Writing Datasets some cells at a time: new files, or cells added to an existing one without writing it anew."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
import pandas as pd

from bridge.command import replacing
from bridge.formats.hdf5 import open_hdf5
from bridge.journal import Overlay, appending, recover
from bridge.records import SCHEMA_VERSION, Dataset, DatasetError

_ROWS = 512  # of a column, in one chunk
_SAMPLES = 4096  # of tracks, in one chunk
_PACKED = {"compression": "gzip", "compression_opts": 4, "shuffle": True, "fletcher32": True}
_TEXT = h5py.string_dtype()


class Writer:
    """An opened dataset file that cells are added to.

    Parameters
    ----------
    file
        Opened for writing: empty, or a dataset.
    path
        Opens the message of a failure.
    """

    def __init__(self, file: h5py.File, path: Path) -> None:
        self._file, self._path = file, path
        if "table" not in file:
            file.create_group("table", track_order=True)
        self._table: Any = file["table"]
        self._meta: dict[str, Any] = {}
        self.cells: set[str] = set()
        """Names of the cells that are there."""
        if "meta" in file:
            self._meta = json.loads(_text(file["meta"][()]))  # type: ignore[index]
            self.cells.update(map(_text, self._table["cell_id"][()]))

    def append(self, dataset: Dataset) -> None:
        """Add cells; what they lack of the others, or the others of them, is missing.

        Raises
        ------
        DatasetError
            If a cell is there already, or units, picture sizes or provenance contradict what is there.
        """
        self._check_cells(dataset)
        self._check_units(dataset)
        meta = _joined_meta(self._meta, dataset, self._path)
        meta["views"] = self._views(dataset)
        start = self._table["cell_id"].shape[0] if "cell_id" in self._table else 0
        self._write_pictures(dataset, start, meta["views"])
        self._write_table(dataset, start)
        self._write_tracks(dataset, start)
        self.cells.update(dataset.table["cell_id"])
        self._meta = meta
        if "meta" in self._file:
            del self._file["meta"]
        self._file.create_dataset("meta", data=json.dumps(meta, sort_keys=True), dtype=_TEXT)

    def _views(self, dataset: Dataset) -> list[str]:
        """Return the views of the file with `dataset` added; those of cells without pictures mean nothing."""
        there = list(self._meta.get("views", []))
        if "images" not in self._file:
            return list(dataset.views) if dataset.images is not None or not there else there
        return [*there, *(view for view in dataset.views if view not in there)] if dataset.images is not None else there

    def _check_cells(self, dataset: Dataset) -> None:
        twice = next((name for name in dataset.table["cell_id"] if name in self.cells), None)
        if twice is not None:
            raise DatasetError(f"{self._path}: cell {twice!r} occurs in two sources; rename it or give one source only")

    def _check_units(self, dataset: Dataset) -> None:
        for name in map(str, dataset.table):
            if name in self._table:
                there, new = _text(self._table[name].attrs.get("unit", "")), dataset.units.get(name, "")
                if there != new:
                    raise DatasetError(
                        f"{name} is in {there!r} in one source and {new!r} in another; "
                        "put them into files of their own, and train on each alone"
                    )

    def _write_table(self, dataset: Dataset, start: int) -> None:
        stop = start + len(dataset)
        for name in map(str, dataset.table):
            column = dataset.table[name]
            numeric = pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column)
            kind = _TEXT if not numeric else np.dtype(np.int64) if name == "fold" else np.dtype(np.float64)
            if name not in self._table:
                fill = {} if not numeric else {"fillvalue": -1 if name == "fold" else np.nan, **_PACKED}
                made = self._table.create_dataset(name, (start,), kind, maxshape=(None,), chunks=(_ROWS,), **fill)
                made.attrs["unit"] = dataset.units.get(name, "")
                made.attrs["description"] = dataset.descriptions.get(name, "")
            there = self._table[name]
            if (there.dtype.kind == "O") == numeric:
                raise DatasetError(f"{name} is text in one source and numbers in another; name it differently in one")
            there.resize((stop,))
            there[start:] = column.to_numpy(kind) if numeric else column.astype(str).to_list()
        for name in self._table:
            self._table[name].resize((stop,))

    def _write_pictures(self, dataset: Dataset, start: int, views: Sequence[str]) -> None:
        stop = start + len(dataset)
        if dataset.images is not None and "images" not in self._file:
            self._new_pictures("images", start, views, dataset.images)
            self._file.create_dataset(
                "views_present", (start, len(views)), bool, maxshape=(None, None), chunks=(_ROWS, 1)
            )
        if dataset.masks is not None and "masks" not in self._file:
            self._new_pictures("masks", start, views, dataset.masks)
        named: dict[str, Any] = {
            "images": dataset.images,
            "masks": dataset.masks,
            "views_present": dataset.views_present,
        }
        for name, values in named.items():
            if name not in self._file:
                continue
            there: Any = self._file[name]
            if values is not None and (values.shape[2:] != there.shape[2:] or values.dtype != there.dtype):
                kinds = [f"{a.dtype} {a.shape[-1]} x {a.shape[-2]} px" for a in (there, values)]
                raise DatasetError(
                    f"pictures of different sizes or depths: {' and '.join(kinds)}; bring all to one, or write apart"
                )
            there.resize((stop, len(views), *there.shape[2:]))
            if values is None:
                continue
            for j, view in enumerate(dataset.views):
                there[start:stop, views.index(view)] = values[:, j]

    def _new_pictures(self, name: str, start: int, views: Sequence[str], like: np.ndarray) -> None:
        shape = like.shape[2:]
        most = (None, None, *shape)
        self._file.create_dataset(
            name, (start, len(views), *shape), like.dtype, maxshape=most, chunks=(1, 1, *shape), **_PACKED
        )

    def _write_tracks(self, dataset: Dataset, start: int) -> None:
        if dataset.tracks is None:
            return
        from sim.trace import COLUMNS

        tracks: Any = self._file.require_group("tracks")
        before = tracks["cell"].shape[0] if "cell" in tracks else 0
        for name, values in dataset.tracks.items():
            kind = np.dtype(np.int64) if name == "cell" else np.dtype(np.float32)
            if name not in tracks:
                fill = {} if name == "cell" else {"fillvalue": np.nan}
                tracks.create_dataset(name, (before,), kind, maxshape=(None,), chunks=(_SAMPLES,), **fill, **_PACKED)
                tracks[name].attrs["unit"] = COLUMNS[name][0] if name in COLUMNS else ""
            tracks[name].resize((before + len(values),))
            tracks[name][before:] = np.asarray(values, kind) + (start if name == "cell" else 0)
        for name in tracks:
            tracks[name].resize(tracks["cell"].shape)


@contextlib.contextmanager
def new_dataset(path: Path | str) -> Iterator[Writer]:
    """Yield a writer of a new file, which takes its name when the block succeeds; the same cells give the same bytes.

    Raises
    ------
    DatasetError
        If no cell was added.
    OSError
        If the file cannot be written; an earlier file of that name is kept.
    """
    path = Path(path)
    recover(path)
    with replacing(path) as part, part.open("w+b") as raw:
        overlay = Overlay(raw, 0)
        with _opened(overlay, "w", path) as file:
            writer = Writer(file, path)
            yield writer
            if not writer.cells:
                raise DatasetError("dataset holds no cell")
        overlay.commit(path)


@contextlib.contextmanager
def add_to_dataset(path: Path | str) -> Iterator[Writer]:
    """Yield a writer that adds to a dataset in place: all of what the block adds, or nothing.

    Raises
    ------
    DatasetError
        If the file is no dataset, of another schema, or of a version that cannot be added to.
    OSError
        If the file cannot be written.
    """
    with editing(path) as file:
        yield Writer(file, Path(path))


@contextlib.contextmanager
def editing(path: Path | str) -> Iterator[h5py.File]:
    """Yield a dataset file for changes in place; they are made together if the block succeeds.

    Raises
    ------
    DatasetError
        If the file is no dataset, of another schema, or of a version that cannot be added to.
    OSError
        If the file cannot be written.
    """
    from bridge.stored import open_dataset

    path = Path(path)
    with open_dataset(path):
        pass  # refuses what is none, or is damaged
    with open_hdf5(path, "dataset", "build or ingest it again") as file:
        if file["table/cell_id"].maxshape != (None,):  # type: ignore[union-attr]
            raise DatasetError(f"{path}: written by a version whose files cannot be added to; build or ingest it again")
    with appending(path) as overlay, _opened(overlay, "r+", path) as file:
        yield file


@contextlib.contextmanager
def _opened(overlay: Overlay, mode: Literal["w", "r+"], path: Path) -> Iterator[h5py.File]:
    """Yield the HDF5 file of an overlay; what went wrong in writing comes before what HDF5 says of it."""
    try:
        with h5py.File(overlay, mode) as file:
            yield file
    except OSError as error:
        if overlay.error is None:
            raise
        raise OSError(overlay.error.errno, overlay.error.strerror, str(path)) from error


def _text(value: Any) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def _joined_meta(old: Mapping[str, Any], dataset: Dataset, path: Path) -> dict[str, Any]:
    """Return what is known of the file with `dataset` added.

    Raises
    ------
    DatasetError
        If the new cells were made in another way than those there.
    """
    meta: dict[str, Any] = {**old, "schema_version": SCHEMA_VERSION}
    for key, new in dataset.meta.items():
        there = old.get(key, new)
        if key in ("sources", "appended"):
            meta[key] = [*old.get(key, []), *(one for one in new if one not in old.get(key, []))]
        elif key == "provenance" and key in old:
            if new != there:
                meta["appended"] = [*meta.get("appended", []), new]
        elif isinstance(there, dict) and isinstance(new, dict) and _agree(there, new):
            meta[key] = there | new
        elif there == new:
            meta[key] = new
        else:
            raise DatasetError(f"{path}: its cells were made with another {key} than these; build a file of their own")
    return meta


def _agree(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(json.dumps(one[key]) == json.dumps(value) for key, value in other.items() if key in one)
