"""The Dataset: one row per cell, its pictures and its features, in one HDF5 file.

Layout of ``cells.h5`` (schema `SCHEMA_VERSION`)::

    /images           (N, views, H, W) uint8 or uint16, one chunk a picture; absent without pictures
    /masks            (N, views, H, W) uint8, 0 or 255; absent where no outline is known
    /views_present    (N, views) bool: which views of a cell exist
    /table/<column>   (N,) with attributes ``unit`` and ``description``; text columns are UTF-8
    /tracks/<column>  (samples,) float32 with attribute ``unit``, and ``cell``, the row of the table, int64 in order:
                      how each cell went through the channel; absent where nothing was followed
    /meta             attribute-free scalar string: JSON with schema_version, views, sources, provenance; what was added
                      later has its provenance under ``appended``

Missing numbers are NaN, missing text is the empty string. All arrays may grow along the cells and samples.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sim.command import InputError

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

TRACK = ("time", "x", "y", "vx", "rear_x", "front_x", "length", "height", "di", "di_ellipse", "area", "perimeter")
"""Columns of a track, as `sim.trace.COLUMNS` defines them."""

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
    tracks
        How the cells went through the channel: ``cell``, the row of the table (samples,), in order, and columns of
        `TRACK` in SI (samples,); None where nothing was followed.
    """

    table: pd.DataFrame
    units: Mapping[str, str] = field(default_factory=dict)
    descriptions: Mapping[str, str] = field(default_factory=dict)
    images: np.ndarray | None = None
    masks: np.ndarray | None = None
    views_present: np.ndarray | None = None
    views: Sequence[str] = VIEWS
    meta: Mapping[str, Any] = field(default_factory=dict)
    tracks: Mapping[str, np.ndarray] | None = None

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
    from bridge.writer import new_dataset

    with new_dataset(path) as writer:
        writer.append(dataset)


def read_dataset(path: Path | str) -> Dataset:
    """Read a dataset into memory, all but its tracks; `bridge.stored.open_dataset` leaves the pictures on disk.

    Raises
    ------
    DatasetError
        If the file is missing, is no dataset, has another schema, is damaged, or links outside itself.
    """
    from bridge.stored import open_dataset

    with open_dataset(path) as stored:
        try:
            return loaded(stored)
        except DatasetError as error:
            raise DatasetError(f"{path}: {error}") from error


def loaded(dataset: Dataset, rows: slice = slice(None)) -> Dataset:
    """Return some cells of a dataset, with their pictures in memory and without tracks.

    Raises
    ------
    DatasetError
        If pictures take more than `MAX_BYTES`.
    """
    pictures: dict[str, Any] = {}
    for name in ("images", "masks", "views_present"):
        values = getattr(dataset, name)
        if values is not None:
            count = len(range(*rows.indices(len(dataset))))
            size = count * math.prod(values.shape[1:]) * values.dtype.itemsize
            if size > MAX_BYTES:
                raise DatasetError(
                    f"{name} of {count} cells take {size / 2**30:.1f} GiB, more than {MAX_BYTES >> 30} GiB; "
                    "split the dataset"
                )
            pictures[name] = np.asarray(values[rows])
    table = dataset.table.iloc[rows].reset_index(drop=True)
    return replace(dataset, table=table, tracks=None, **pictures)
