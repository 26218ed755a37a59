"""The reference layout of the paper's authors: ``Train/``, ``Val/`` with crops, ``train_data.csv``, ``val_data.csv``.

The CSV has one row per crop, ``cell ID,Cell Type,Max Velocity,Transition Time,Deformability``, and the
cell ID is the crop's file name. Here the two crops of a cell become one record with two views.
"""

from __future__ import annotations

import csv
import hashlib
import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from bridge.command import replacing
from bridge.formats.tables import SCALE_LOST, UNKNOWN, Cell, Table, read_table
from bridge.records import VIEWS, Dataset, DatasetError

HEADER = ("cell ID", "Cell Type", "Max Velocity", "Transition Time", "Deformability")
"""Header of the reference CSV."""

FEATURES = ("max_velocity", "transition_time", "deformation_index")
"""What its last three columns are called here."""

_SUFFIX = {"first": "_Firstcrop.png", "squeezed": "_Lastcrop.png"}
_CROP = re.compile(r"(?P<cell>[^/\\]+)_(?P<which>first|last)crop\.png", re.IGNORECASE)
_DAY = re.compile(r"(?:^|_)(day\d+)(?:_|$)", re.IGNORECASE)
_SPLITS = {
    "train": "train",
    "training": "train",
    "val": "test",
    "validation": "test",
    "test": "test",
    "testing": "test",
}
_PARTS = {"train": ("Train", "train_data.csv"), "test": ("Val", "val_data.csv"), "": ("All", "all_data.csv")}
_MAX_PIXELS = 4096 * 4096


def read_miml(folder: Path, classes: Sequence[str] = ()) -> Dataset:
    """Read a folder in the reference layout.

    Parameters
    ----------
    folder
        Holds ``*_data.csv`` files, and for each a folder of its crops (``train_data.csv``: ``Train/``).
    classes
        Labels that may occur; any, if empty.

    Raises
    ------
    DatasetError
        With file, row, field, value and remedy.
    """
    tables = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".csv" and path.is_file())
    if not tables:
        raise DatasetError(f"{folder}: no CSV file; a folder in this layout holds train_data.csv and Train/")
    records: dict[str, dict[str, Any]] = {}
    pictures: dict[str, dict[str, np.ndarray]] = {}
    units: dict[str, str] = {}
    for path in tables:
        table = read_table(path, classes, FEATURES)
        for column in table.columns:
            if column.unit and units.setdefault(column.name, column.unit) != column.unit:
                raise DatasetError(
                    f"{path}: row 1: {column.header!r} is in {column.unit!r}, in another table of {folder} in "
                    f"{units[column.name]!r}; bring both to one unit"
                )
        part = re.sub(r"_data$", "", path.stem, flags=re.IGNORECASE)
        crops = next((p for p in folder.iterdir() if p.is_dir() and p.name.lower() == part.lower()), folder)
        for cell in table.cells:
            name, view = _crop_name(table, cell)
            _add(records, name, table, cell, _SPLITS.get(part.lower(), ""))
            if view in pictures.setdefault(name, {}):
                raise DatasetError(f"{path}: row {cell.row}: {cell.cell_id} is listed twice; remove one of the rows")
            pictures[name][view] = read_picture(crops / cell.cell_id, f"{path}: row {cell.row}")
    frame = pd.DataFrame([record["row"] for record in records.values()])
    units |= _scales(frame, units) | _side_car(folder)
    listed = sum(len(views) for views in pictures.values())
    images, present = stack_pictures(pictures)
    source = {"format": "miml", "name": folder.name, "sha256": {path.name: sha256(path) for path in tables}}
    source["pictures_not_listed"] = sum(1 for path in folder.rglob("*.png")) - listed
    return Dataset(frame, units, images=images, views_present=present, meta={"sources": [source]})


def read_csv(path: Path, classes: Sequence[str] = ()) -> Dataset:
    """Read a table of cells without pictures.

    Parameters
    ----------
    path
        CSV with columns for the cell, its class and any features.
    classes
        Labels that may occur; any, if empty.

    Raises
    ------
    DatasetError
        With file, row, field, value and remedy.
    """
    table = read_table(path, classes)
    if not any(column.unit for column in table.columns):
        raise DatasetError(f"{path}: row 1: no feature among the columns; known are {', '.join(FEATURES)}")
    records: dict[str, dict[str, Any]] = {}
    for cell in table.cells:
        if cell.cell_id in records:
            earlier = records[cell.cell_id]["where"]
            raise DatasetError(f"{path}: row {cell.row}: cell {cell.cell_id!r} stands in {earlier} too; remove one")
        _add(records, cell.cell_id, table, cell, cell.split)
    frame = pd.DataFrame([record["row"] for record in records.values()])
    units = {column.name: column.unit for column in table.columns if column.unit}
    source = {"format": "csv", "name": path.name, "sha256": {path.name: sha256(path)}}
    return Dataset(frame, units | _scales(frame, units), meta={"sources": [source]})


def _crop_name(table: Table, cell: Cell) -> tuple[str, str]:
    match = _CROP.fullmatch(cell.cell_id)
    if match is None:
        raise DatasetError(
            f"{table.path}: row {cell.row}: cell ID = {cell.cell_id!r} is no crop's file name; "
            "expected NAME_Firstcrop.png or NAME_Lastcrop.png"
        )
    return match["cell"], "first" if match["which"].lower() == "first" else "squeezed"


def _add(records: dict[str, dict[str, Any]], name: str, table: Table, cell: Cell, split: str) -> None:
    """Add a cell, or check that its second row says what the first did."""
    day = _DAY.search(name)
    row = {
        "cell_id": name,
        "source": "experimental",
        "label": cell.label,
        "group": cell.group or (day[1].capitalize() if day else ""),
        "split": split,
        "fold": -1,
        **cell.values,
        "pixel_size": math.nan,
    }
    where = f"{table.path.name} row {cell.row}"
    earlier = records.setdefault(name, {"row": row, "where": where})
    for key, value in row.items():
        before = earlier["row"].get(key)
        same = value == before or (
            isinstance(value, float) and isinstance(before, float) and math.isnan(value + before)
        )
        if not same:
            header = {"label": "Cell Type", "split": "split"}.get(key) or table.header(key)
            raise DatasetError(
                f"{table.path}: row {cell.row}: cell {name!r} has {header} = {value!r}, but {before!r} in "
                f"{earlier['where']}; correct the wrong row, or rename the cell if these are two"
            )


def read_picture(path: Path, where: str) -> np.ndarray:
    """Return a grey picture (rows, columns) uint8 or uint16; colours become grey.

    Parameters
    ----------
    path
        The file.
    where
        Opens the message of a failure.

    Raises
    ------
    DatasetError
        If the picture is missing, damaged or far too large.
    """
    if not path.is_file():
        raise DatasetError(f"{where}: no picture {path}; put it there or remove the row")
    try:
        with Image.open(path) as image:
            if image.width * image.height > _MAX_PIXELS:
                raise DatasetError(f"{path}: {image.width} x {image.height} px is no crop of a cell; crop it first")
            if image.mode in ("I;16", "I;16B", "I"):
                return np.asarray(image).astype(np.uint16)
            return np.asarray(image.convert("L"))
    except DatasetError:
        raise
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise DatasetError(f"{path}: not a readable picture ({error}); export it again") from error


def stack_pictures(pictures: dict[str, dict[str, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Return pictures by cell and view as one array (cells, views, rows, columns), and which exist.

    Raises
    ------
    DatasetError
        If sizes or depths differ.
    """
    cell, views = next(iter(pictures.items()))
    shown, first = next(iter(views.items()))
    images = np.zeros((len(pictures), len(VIEWS), *first.shape), first.dtype)
    present = np.zeros(images.shape[:2], bool)
    for i, (name, views) in enumerate(pictures.items()):
        for view, image in views.items():
            if image.shape != first.shape or image.dtype != first.dtype:
                raise DatasetError(
                    f"pictures differ: {name} ({view}) is {image.dtype} {image.shape[1]} x {image.shape[0]} px, "
                    f"{cell} ({shown}) {first.dtype} {first.shape[1]} x {first.shape[0]} px; bring all to one"
                )
            images[i, VIEWS.index(view)], present[i, VIEWS.index(view)] = image, True
    return images, present


def _scales(frame: pd.DataFrame, units: dict[str, str]) -> dict[str, str]:
    """Return the units of features that state none and lie within 0 … 1: somebody has scaled them."""
    unstated = [name for name in units if units[name] == UNKNOWN]
    return {name: SCALE_LOST for name in unstated if frame[name].dropna().between(0, 1).all()}


def _side_car(folder: Path) -> dict[str, str]:
    """Return the units that `write_miml` has left beside the pictures."""
    path = folder / "dataset.meta.json"
    if not path.is_file():
        return {}
    try:
        return {str(name): str(unit) for name, unit in json.loads(path.read_text(encoding="utf-8"))["units"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(f"{path}: damaged ({error!r}); remove it, units are then unknown") from error


def sha256(path: Path) -> str:
    """Return the digest of a file's content."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_miml(folder: Path, dataset: Dataset, features: Sequence[str] = FEATURES) -> None:
    """Write a dataset in the reference layout, with units and split in ``dataset.meta.json`` beside it.

    Parameters
    ----------
    folder
        Folder to make; must not exist, or be empty.
    dataset
        Has pictures; in memory, or opened by `bridge.stored.open_dataset`.
    features
        Columns from the third on; the reference's network takes the three of its own CSV.

    Raises
    ------
    DatasetError
        If pictures or features are missing, a cell's name is no file name, or the folder holds something.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DatasetError(f"{folder}: exists and is not empty; choose another name")
    if dataset.images is None or dataset.views_present is None:
        raise DatasetError("this layout needs pictures, and the dataset has none")
    lacking = [name for name in features if name not in dataset.features]
    if lacking:
        raise DatasetError(
            f"no feature {', '.join(lacking)}; name others with --features, of {', '.join(dataset.features) or 'none'}"
        )
    strange = [name for name in dataset.table["cell_id"] if not re.fullmatch(r"[^/\\\0]+", name)]
    if strange:
        raise DatasetError(f"cell {strange[0]!r} cannot be a file name; rename it")
    titles: dict[str, str] = dict(zip(FEATURES, HEADER[2:], strict=True))
    with replacing(folder) as part:
        for split, rows in dataset.table.groupby("split", sort=False).indices.items():
            name, table = _PARTS[str(split)]
            (part / name).mkdir(parents=True)
            with (part / table).open("w", newline="", encoding="utf-8") as stream:
                writer = csv.writer(stream, lineterminator="\n")
                writer.writerow([*HEADER[:2], *(titles.get(name, name) for name in features)])
                for row in rows:
                    _write_cell(part / name, writer, dataset, int(row), features)
        meta: dict[str, Any] = {"units": {name: dataset.units[name] for name in features}}
        meta["scaling"] = "none applied on writing"
        meta["pictures"] = f"{dataset.images.dtype} written as 8 bits, grey in three channels"
        meta["dataset"] = dict(dataset.meta)
        (part / "dataset.meta.json").write_text(json.dumps(meta, indent=1, ensure_ascii=False), encoding="utf-8")


def _write_cell(folder: Path, writer: Any, dataset: Dataset, row: int, features: Sequence[str]) -> None:
    assert dataset.images is not None
    assert dataset.views_present is not None
    cell = dataset.table.iloc[row]
    values = ["" if math.isnan(cell[name]) else repr(float(cell[name])) for name in features]
    for j, view in enumerate(dataset.views):
        if dataset.views_present[row, j]:
            name = cell["cell_id"] + _SUFFIX.get(view, f"_{view.capitalize()}crop.png")
            grey = np.asarray(dataset.images[row, j])
            if grey.dtype != np.uint8:  # the reference reads three channels, which have 8 bits
                grey = np.round(grey / 257).astype(np.uint8)
            Image.fromarray(grey).convert("RGB").save(folder / name)
            writer.writerow([name, cell["label"], *values])
