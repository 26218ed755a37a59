"""Tables and arrays of other people to a Dataset, by a column map (`bridge.formats.column_map`)."""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd

from bridge.formats.arrays import Arrays
from bridge.formats.column_map import ColumnMap, Number, Pictures, Words
from bridge.formats.miml_csv import sha256
from bridge.formats.tables import NUMBER
from bridge.formats.text import read_text, split_rows, stem
from bridge.formats.units import parse_unit
from bridge.records import Dataset, DatasetError

_MISSING = ("", "nan", "na")


class _Columns(Protocol):
    """Columns of a file."""

    path: Path
    count: int

    def words(self, name: str) -> list[str]:
        """Return a column as text, one word a cell."""
        ...

    def numbers(self, name: str) -> np.ndarray:
        """Return a column as numbers (cells,), NaN where one is missing."""
        ...


class _Table:
    def __init__(self, path: Path, column_map: ColumnMap) -> None:
        layout = column_map.file
        self.path, self._decimal = path, layout.decimal
        self._missing = {*_MISSING, *(word.strip().lower() for word in layout.missing)}
        self._absent = {float(plain) for plain in map(self._plain, self._missing) if NUMBER.fullmatch(plain)}
        self._header, self._rows = split_rows(path, read_text(path, layout.encoding), layout.separator)
        self.count = len(self._rows)

    def words(self, name: str) -> list[str]:
        words = self._written(name)
        plain = [self._plain(word) for word in words]
        return [new if NUMBER.fullmatch(new) else old for new, old in zip(plain, words, strict=True)]

    def _written(self, name: str) -> list[str]:
        place = self._header.index(_known(self.path, "column", name, self._header))
        return [row[place].strip() for _, row in self._rows]

    def _plain(self, word: str) -> str:
        """Return a number with the decimal point that Python reads; with a decimal comma a point is none."""
        return word if self._decimal == "." else word.replace(".", "?").replace(",", ".", 1)

    def numbers(self, name: str) -> np.ndarray:
        values = np.empty(self.count)
        for i, word in enumerate(self._written(name)):
            plain = self._plain(word)
            values[i] = float(plain) if NUMBER.fullmatch(plain) else math.inf
            if word.lower() in self._missing or values[i] in self._absent:
                values[i] = math.nan
            if math.isinf(values[i]):
                raise DatasetError(
                    f"{self.path}: row {self._rows[i][0]}: {name} = {word!r} is no number with the decimal sign "
                    f"{self._decimal!r}; correct it, or state decimal or missing under [file] in the column map"
                )
        return values


class _Npz:
    def __init__(self, path: Path, column_map: ColumnMap) -> None:
        self.path, self._arrays = path, Arrays(path)
        entries = [number.column for number in (*column_map.features.values(), *column_map.conditions.values())]
        words = (column_map.label, column_map.group, column_map.split, column_map.cell_id)
        entries += [word.column for word in words if word and word.column]
        first = next(iter([pictures.array for pictures in column_map.images.values()] + entries), "")
        self.count = len(self.array(first)) if self.array(first).ndim else 0
        if self.count == 0:
            raise DatasetError(f"{path}: array {first!r} is empty; leave the file out")

    def array(self, name: str) -> np.ndarray:
        return self._arrays[_known(self.path, "array", name, self._arrays.names)]

    def words(self, name: str) -> list[str]:
        values = self._column(name)
        if values.dtype.kind in "SU":
            return [
                value.decode("utf-8", "replace") if isinstance(value, bytes) else value for value in values.tolist()
            ]
        return [f"{value:.17g}" if isinstance(value, float) else str(value) for value in values.tolist()]

    def numbers(self, name: str) -> np.ndarray:
        values = self._column(name)
        if values.dtype.kind not in "biuf":
            raise DatasetError(f"{self.path}: array {name!r} is {values.dtype}, no numbers; choose another one")
        return np.where(np.isfinite(values := values.astype(float)), values, np.nan)

    def _column(self, name: str) -> np.ndarray:
        values = self.array(name)
        if values.shape != (self.count,):
            raise DatasetError(f"{self.path}: array {name!r} is {values.shape}; expected ({self.count},), one a cell")
        return values

    def pictures(self, entry: Pictures) -> np.ndarray:
        """Return pictures (cells, rows, columns) uint8 or uint16."""
        values = self.array(entry.array)
        if values.ndim != 3 or len(values) != self.count or values.dtype.kind not in "uif" or 0 in values.shape:
            raise DatasetError(
                f"{self.path}: array {entry.array!r} is {values.dtype} {values.shape}; pictures are numbers of shape "
                f"({self.count}, rows, columns)"
            )
        if entry.black is None or entry.white is None:
            if values.dtype not in (np.uint8, np.uint16):
                raise DatasetError(
                    f"{self.path}: array {entry.array!r} is {values.dtype}; state its black and white in the column map"
                )
            return values
        wide = values.dtype != np.uint8
        top = 65535 if wide else 255
        stretched = (values.astype(np.float32) - entry.black) * (top / (entry.white - entry.black))
        return np.nan_to_num(stretched).clip(0, top).round().astype(np.uint16 if wide else np.uint8)


def read_mapped(path: Path, column_map: ColumnMap, classes: Sequence[str] = (), label: str = "") -> Dataset:
    """Read a table or an ``.npz`` file by a column map.

    Parameters
    ----------
    path
        Table (CSV, tab-separated, …; packed as .gz or not) or ``.npz``.
    column_map
        What its columns mean.
    classes
        Labels that may occur; any, if empty.
    label
        Label of all cells, where the map names none.

    Raises
    ------
    DatasetError
        With file, row or column, value and remedy.
    """
    if not path.is_file():
        raise DatasetError(f"{path}: no such file; give the tables and .npz files that the column map describes")
    columns = _Npz(path, column_map) if path.suffix.lower() == ".npz" else _Table(path, column_map)
    if column_map.images and not isinstance(columns, _Npz):
        raise DatasetError(f"{path}: a table has no arrays of pictures; take [images] out of the column map")
    kept, words = np.ones(columns.count, bool), {}
    for name in ("cell_id", "label", "group", "split"):
        words[name] = _words(columns, name, getattr(column_map, name), label, kept)
    _check_labels(path, np.array(words["label"])[kept], classes)
    table: dict[str, Any] = {"cell_id": words["cell_id"], "source": column_map.source, "label": words["label"]}
    table |= {"group": words["group"], "split": words["split"], "fold": -1}
    units, descriptions = {}, {}
    named = column_map.features | {f"condition_{name}": entry for name, entry in column_map.conditions.items()}
    for name, entry in named.items():
        table[name], units[name] = _numbers(columns, entry)
        descriptions[name] = entry.description or f"column {entry.column}"
    table["pixel_size"], units["pixel_size"] = column_map.pixel(), "m"
    if not kept.any():
        raise DatasetError(f"{path}: no cell has one of the labels in the column map; add them, or leave the file out")
    frame = pd.DataFrame(table).loc[kept].reset_index(drop=True)
    images = present = None
    if isinstance(columns, _Npz) and column_map.images:
        images = _stack(columns, column_map)[kept]
        present = np.ones(images.shape[:2], bool)
    source = {"format": "column map", "name": path.name, "sha256": {path.name: sha256(path)}}
    source |= {"left_out": int((~kept).sum()), "map": column_map.model_dump(mode="json", exclude_defaults=True)}
    views = tuple(column_map.images) or ("first", "squeezed")
    return Dataset(frame, units, descriptions, images, None, present, views, {"sources": [source]})


def _words(columns: _Columns, name: str, entry: Words | None, label: str, kept: np.ndarray) -> list[str]:
    """Return one word a cell; cells to be left out are taken from `kept`."""
    if entry is None:
        if name == "cell_id":
            return [f"{stem(columns.path)}-{row:06d}" for row in range(columns.count)]
        return [{"label": label, "group": stem(columns.path), "split": ""}[name]] * columns.count
    if entry.constant:
        return [entry.constant] * columns.count
    if entry.file:
        fitting = [word for pattern, word in entry.file.items() if fnmatchcase(columns.path.name, pattern)]
        if not fitting:
            raise DatasetError(
                f"{columns.path}: {name}: no pattern fits the file's name; known are {', '.join(entry.file)}"
            )
        return fitting[:1] * columns.count
    found = columns.words(entry.column)
    if entry.names:
        found = _listed(columns, entry, found)
    renamed = {word: _renamed(word, entry.values) for word in set(found)}
    for word, other in renamed.items():
        if other is None and entry.others == "refuse" and entry.values:
            raise DatasetError(
                f"{columns.path}: {entry.column} = {word!r} is none of the values that the column map names for {name} "
                f'({", ".join(entry.values)}); add it, or state others = "leave out" or "keep"'
            )
        if other is None and entry.others == "leave out":
            kept &= np.array(found) != word
    return [word if renamed[word] is None else str(renamed[word]) for word in found]


def _listed(columns: _Columns, entry: Words, found: list[str]) -> list[str]:
    """Return the entries of an array of names that a column counts."""
    if not isinstance(columns, _Npz):
        raise DatasetError(
            f"{columns.path}: a table has no array {entry.names!r} of names; take it out of the column map"
        )
    values = columns.array(entry.names)
    names = [str(value) for value in values.tolist()] if values.ndim == 1 else []
    wrong = next((word for word in found if not (word.isdecimal() and int(word) < len(names))), None)
    if wrong is not None:
        raise DatasetError(f"{columns.path}: {entry.column} = {wrong!r} is none of the {len(names)} {entry.names}")
    return [names[int(word)] for word in found]


def _renamed(word: str, values: dict[str, str]) -> str | None:
    """Return what a word is called, numbers being compared as numbers; None where no value is named for it."""
    if word in values or not values:
        return values.get(word, word)
    if NUMBER.fullmatch(word):
        return next((new for old, new in values.items() if NUMBER.fullmatch(old) and float(old) == float(word)), None)
    return None


def _numbers(columns: _Columns, entry: Number) -> tuple[np.ndarray, str]:
    unit = parse_unit(entry.unit)
    return columns.numbers(entry.column) * unit.factor, unit.name


def _stack(columns: _Npz, column_map: ColumnMap) -> np.ndarray:
    """Return the pictures of all views (cells, views, rows, columns)."""
    views = {view: columns.pictures(entry) for view, entry in column_map.images.items()}
    kinds = {(pictures.shape, str(pictures.dtype)) for pictures in views.values()}
    if len(kinds) > 1:
        raise DatasetError(f"{columns.path}: views of different sizes or depths {sorted(kinds)}; bring all to one")
    return np.stack(list(views.values()), axis=1)


def _check_labels(path: Path, labels: np.ndarray, classes: Sequence[str]) -> None:
    unknown = sorted(set(labels.tolist()) - set(classes)) if classes else []
    if unknown:
        raise DatasetError(
            f"{path}: label {unknown[0]!r} is none of {', '.join(classes)}; correct the column map or --classes"
        )


def _known(path: Path, kind: str, name: str, known: Sequence[str]) -> str:
    if name in known:
        return name
    close = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean {close[0]!r}?" if close else f"it has {', '.join(known) or 'none'}"
    raise DatasetError(f"{path}: no {kind} {name!r}, which the column map names; {hint}")
