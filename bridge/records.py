"""The Dataset: one row per cell, its pictures and its features, in one HDF5 file.

Layout of ``cells.h5`` (schema `SCHEMA_VERSION`)::

    /images           (N, views, H, W) uint8 or uint16, one chunk a cell; absent without pictures
    /masks            (N, views, H, W) uint8, 0 or 255; absent where no outline is known
    /views_present    (N, views) bool: which views of a cell exist
    /table/<column>   (N,) with attributes ``unit`` and ``description``; text columns are UTF-8
    /meta             attribute-free scalar string: JSON with schema_version, views, sources, provenance

Missing numbers are NaN, missing text is the empty string.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd

from sim.command import InputError
from sim.files import new_hdf5, replacing

SCHEMA_VERSION = 1
VIEWS = ("first", "squeezed")
"""Crops of a cell: before the squeeze and at its end (paper, section 2.1)."""

_CHOICES = {"source": ("simulated", "experimental"), "split": ("train", "test", "")}
"""What a column may hold."""

REQUIRED = ("cell_id", "source", "label", "group", "split", "fold")
"""Columns every dataset has. `group` is what must not be divided: run, donor, day or chip; `split` is train, test or
empty; `fold` is -1 or 0, 1, …"""

PARAMETERS = ("sim_", "condition_", "pixel_size", "fold", "frames")
"""How the numeric columns begin that are settings or bookkeeping, not measured features."""

MAX_BYTES = 8 * 2**30
"""Largest array that is read at once."""


class DatasetError(InputError):
    """A dataset or a recording that cannot be used."""


@dataclass(frozen=True)
class Dataset:
    """Cells in memory.

    Attributes
    ----------
    table
        One row per cell; at least the columns `REQUIRED`, then features and parameters.
    units
        Unit of each numeric column: SI (``m/s``, ``s``, ``1``), or what is known of an
        unscaled recording (``px/frame above minimum``).
    descriptions
        Meaning of each column, as far as stated.
    images
        Pictures (N, views, H, W) uint8 or uint16, or None.
    masks
        Outlines filled (N, views, H, W) uint8, 0 or 255, or None.
    views_present
        Which pictures exist (N, views) bool; None without pictures.
    views
        Names of the views, in order.
    meta
        Sources and provenance, JSON-like.
    """

    table: pd.DataFrame
    units: Mapping[str, str] = field(default_factory=dict)
    descriptions: Mapping[str, str] = field(default_factory=dict)
    images: np.ndarray | None = None
    masks: np.ndarray | None = None
    views_present: np.ndarray | None = None
    views: Sequence[str] = VIEWS
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        missing = [name for name in REQUIRED if name not in self.table]
        if missing:
            raise DatasetError(
                f"dataset lacks the columns {', '.join(missing)}; every dataset has {', '.join(REQUIRED)}"
            )
        count = len(self.table)
        if count == 0:
            raise DatasetError("dataset holds no cell")
        self._check_columns()
        if self.images is not None:
            shape = self.images.shape
            if (
                self.images.ndim != 4
                or shape[:2] != (count, len(self.views))
                or self.images.dtype not in (np.uint8, np.uint16)
            ):
                raise DatasetError(
                    f"images are {self.images.dtype} {shape}; "
                    f"expected uint8 or uint16 ({count}, {len(self.views)}, height, width)"
                )
            if self.views_present is None or self.views_present.shape != shape[:2]:
                raise DatasetError("pictures need views_present of shape (cells, views)")
        if self.masks is not None and (self.images is None or self.masks.shape != self.images.shape):
            raise DatasetError("masks must have the shape of the images")

    def __len__(self) -> int:
        return len(self.table)

    def _check_columns(self) -> None:
        for name in REQUIRED:
            numeric = pd.api.types.is_numeric_dtype(self.table[name])
            if numeric if name != "fold" else not pd.api.types.is_integer_dtype(self.table[name]):
                kind = "text" if name != "fold" else "whole numbers, -1 where there is no fold"
                raise DatasetError(f"column {name} holds {self.table[name].to_list()[0]!r}; it must be {kind}")
        for name in self.units:
            if name in self.table and not pd.api.types.is_numeric_dtype(self.table[name]):
                value = self.table[name].to_list()[0]
                raise DatasetError(f"column {name} has a unit but holds {value!r}; it must be numbers")
        for name, known in _CHOICES.items():
            odd = next((value for value in self.table[name] if value not in known), None)
            if odd is not None:
                raise DatasetError(f"column {name} holds {odd!r}; it must be one of {', '.join(map(repr, known))}")

    @property
    def features(self) -> list[str]:
        """Names of the numeric columns with a unit that are measured features (not parameters), in file order."""
        return [name for name in self.table if name in self.units and not name.startswith(PARAMETERS)]


def write_dataset(path: Path | str, dataset: Dataset) -> None:
    """Write a dataset in one piece; the same cells give the same bytes.

    Raises
    ------
    OSError
        If the file cannot be written; an earlier file of that name is kept.
    """
    with replacing(path) as part, new_hdf5(part) as file:
        table = file.create_group("table", track_order=True)
        for name in dataset.table:
            column = dataset.table[name]
            if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
                data = table.create_dataset(str(name), data=column.to_numpy())
            else:
                data = table.create_dataset(str(name), data=column.astype(str).to_list(), dtype=h5py.string_dtype())
            data.attrs["unit"] = dataset.units.get(str(name), "")
            data.attrs["description"] = dataset.descriptions.get(str(name), "")
        for name, array in (("images", dataset.images), ("masks", dataset.masks)):
            if array is not None:
                chunk = (1, *array.shape[1:])
                packed = {"compression": "gzip", "compression_opts": 4, "shuffle": True, "fletcher32": True}
                file.create_dataset(name, data=array, chunks=chunk, **packed)
        if dataset.views_present is not None:
            file.create_dataset("views_present", data=dataset.views_present)
        meta = {"schema_version": SCHEMA_VERSION, "views": list(dataset.views), **dict(dataset.meta)}
        file.create_dataset("meta", data=json.dumps(meta, sort_keys=True), dtype=h5py.string_dtype())


def read_dataset(path: Path | str) -> Dataset:
    """Read a dataset.

    Raises
    ------
    DatasetError
        If the file is missing, is no dataset, has another schema, is damaged, or links outside itself.
    """
    path = Path(path)
    if not path.is_file():
        raise DatasetError(f"{path}: no such file; make one with `python -m bridge.build` or `python -m bridge.ingest`")
    try:
        with h5py.File(path, "r") as file:
            return _read(file, path)
    except (OSError, KeyError, ValueError, TypeError, AttributeError, RuntimeError, MemoryError) as error:
        if isinstance(error, DatasetError):
            raise
        raise DatasetError(f"{path}: not a readable dataset ({error}); build or ingest it again") from error


def _read(file: h5py.File, path: Path) -> Dataset:
    _refuse_links(file, ("meta", "table", "images", "masks", "views_present"), path)
    table, meta_node = file.get("table"), file.get("meta")
    if not isinstance(table, h5py.Group) or not isinstance(meta_node, h5py.Dataset):
        raise DatasetError(f"{path}: no /table or /meta; this is not a dataset of this project")
    names = [str(name) for name in table]
    _refuse_links(table, names, path)
    meta = json.loads(str(meta_node.asstr()[()]))
    version = meta.pop("schema_version", None)
    if version != SCHEMA_VERSION:
        raise DatasetError(
            f"{path}: schema version {version!r}, this program reads {SCHEMA_VERSION}; build or ingest it again"
        )
    views = tuple(str(view) for view in meta.pop("views"))
    columns, units, descriptions = {}, {}, {}
    for name in names:
        columns[name] = _array(table, name, path)
        attributes = table[name].attrs
        if attributes.get("unit"):
            units[name] = str(attributes["unit"])
        if attributes.get("description"):
            descriptions[name] = str(attributes["description"])
    shapes = {name: column.shape for name, column in columns.items()}
    if len(set(shapes.values())) > 1 or any(len(shape) != 1 for shape in shapes.values()):
        raise DatasetError(f"{path}: columns of different lengths {shapes}; build or ingest it again")
    arrays = {name: _array(file, name, path) for name in ("images", "masks", "views_present") if name in file}
    try:
        return Dataset(pd.DataFrame(columns), units, descriptions, views=views, meta=meta, **arrays)
    except DatasetError as error:
        raise DatasetError(f"{path}: {error}") from error


def _refuse_links(group: h5py.Group, names: Sequence[str], path: Path) -> None:
    """Refuse what would make the file read another one: links, external storage, virtual datasets."""
    for name in names:
        if isinstance(group.get(name, getlink=True), (h5py.ExternalLink, h5py.SoftLink)):
            raise DatasetError(f"{path}: {name} is a link; a dataset holds its own data")
        node = group.get(name)
        if isinstance(node, h5py.Dataset) and (node.external or node.is_virtual):
            raise DatasetError(f"{path}: {node.name} keeps its data in another file; a dataset holds its own data")


def _array(group: h5py.Group, name: str, path: Path) -> np.ndarray:
    data = group[name]
    if not isinstance(data, h5py.Dataset):
        raise DatasetError(f"{path}: {data.name} is no array; build or ingest it again")
    size = int(np.prod(data.shape, dtype=object)) * data.dtype.itemsize
    if size > MAX_BYTES:
        raise DatasetError(
            f"{path}: {data.name} {data.shape} takes {size / 2**30:.1f} GiB, more than {MAX_BYTES / 2**30:.0f} GiB; "
            "split the dataset"
        )
    return np.asarray(data.asstr()[()] if h5py.check_string_dtype(data.dtype) is not None else data[()])
