"""Tables of cells as CSV: header names, units, and errors that name the row."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from bridge.formats.text import read_text, split_rows
from bridge.formats.units import parse_unit
from bridge.records import DatasetError

SCALE_LOST = "1 (min-max, scale lost)"
"""Unit of a feature that somebody scaled to 0 … 1 without keeping the scale."""

UNKNOWN = "unknown"
"""Unit of a known feature that the file does not state."""

_ALIASES = {
    "cell_id": ("cellid", "cell", "id", "filename", "image"),
    "label": ("celltype", "label", "class", "type"),
    "group": ("group", "day", "donor", "chip"),
    "split": ("split",),
    "max_velocity": ("maxvelocity", "maximumvelocity", "vmax"),
    "transition_time": ("transitiontime", "tt"),
    # not "deform": in deformability cytometry that is 1 - circularity
    "deformation_index": ("deformability", "deformationindex", "di"),
}
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
"""A number as tables hold it; Python reads more, such as 8_5."""
_TEXT = ("cell_id", "label", "group", "split")
_UNITS = {
    "px_per_frame_above_min": ("px/frame above minimum", 1.0),
    "frames_above_min": ("frame above minimum", 1.0),
    "px_per_frame": ("px/frame", 1.0),
    "frames": ("frame", 1.0),
    "mm_per_s": ("m/s", 1e-3),
    "um_per_ms": ("m/s", 1e-3),
    "um_per_s": ("m/s", 1e-6),
    "m_per_s": ("m/s", 1.0),
    "ms": ("s", 1e-3),
    "us": ("s", 1e-6),
    "s": ("s", 1.0),
}
"""Endings of a column's name, longest first: unit, and the factor into it."""


class Column(NamedTuple):
    """A column of a table."""

    header: str
    """As the file writes it."""
    name: str
    """As a dataset calls it."""
    unit: str
    """Unit of the values after `factor`; empty where the column is none of ours."""
    factor: float
    """Brings the file's values to `unit`."""


@dataclass(frozen=True)
class Cell:
    """One row of a table."""

    row: int
    """Its number in the file; the header is row 1."""
    cell_id: str
    label: str
    group: str = ""
    split: str = ""
    values: dict[str, float | str] = field(default_factory=dict)
    """The other columns by name: numbers, or text where a column is not all numbers."""


@dataclass(frozen=True)
class Table:
    """A CSV file."""

    path: Path
    columns: list[Column]
    """All but the text columns cell_id, label, group and split."""
    cells: list[Cell]

    def header(self, name: str) -> str:
        """Return what the file calls a column."""
        return next((column.header for column in self.columns if column.name == name), name)


def read_table(path: Path, classes: Sequence[str] = (), require: Sequence[str] = ()) -> Table:
    """Read a CSV table of cells.

    Parameters
    ----------
    path
        The file: UTF-8, comma-separated, header first; names are matched without regard to case, blanks and signs.
    classes
        Labels that may occur; any, if empty.
    require
        Features that must have a column.

    Raises
    ------
    DatasetError
        With file, row, field, value and remedy.
    """
    header, rows = read_rows(path)
    columns = [_column(name) for name in header]
    names = [column.name for column in columns]
    for name in ("cell_id", "label", *require):
        if name not in names:
            raise DatasetError(
                f"{path}: row 1: no column for {name}; the header is {', '.join(header)!r}, "
                f"known names are {', '.join(_ALIASES[name])}; add the column or rename it"
            )
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        both = ", ".join(repr(column.header) for column in columns if column.name == twice)
        raise DatasetError(f"{path}: row 1: columns {both} mean the same ({twice}); remove all but one")
    measured = [column for column in columns if column.name not in _TEXT]
    numeric = {
        column.name for column in measured if _is_numeric(column, [row[names.index(column.name)] for _, row in rows])
    }
    cells = []
    for number, row in rows:
        texts = dict(zip(names, (value.strip() for value in row), strict=True))
        values = {
            column.name: _number(path, number, column, texts[column.name])
            if column.name in numeric
            else texts[column.name]
            for column in measured
        }
        _check_texts(path, number, texts, columns, classes)
        cells.append(
            Cell(number, texts["cell_id"], texts["label"], texts.get("group", ""), texts.get("split", ""), values)
        )
    return Table(path, measured, cells)


def read_rows(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Return the header and the numbered rows of a comma-separated table, all of the header's length."""
    text = read_text(path)
    first = next((line for line in text.splitlines() if line.strip(", \t")), "")
    if first and "," not in first:
        sign = next((s for s in (";", "\t", "|") if s in first), None)
        found = f"separated by {sign!r}" if sign else f"one column only, {first.strip()!r}"
        remedy = "export it comma-separated, with decimal points, or describe it by a column map (--columns)"
        raise DatasetError(f"{path}: row 1: {found}; {remedy}")
    return split_rows(path, text, "comma")


def _column(header: str) -> Column:
    text = re.sub(r"\s*[\[(](.+?)[\])]\s*$", lambda match: "_" + match[1].replace("/", "_per_"), header.strip())
    text = re.sub(r"[^a-z0-9]+", "_", text.replace("µ", "u").lower()).strip("_")
    bracket = re.fullmatch(r"(.+?)\s*[\[(](.+?)[\])]\s*", header.strip())
    for ending, (unit, factor) in _UNITS.items():
        base = text.removesuffix(f"_{ending}")
        name = _canonical(base)
        if base != text and name not in (None, *_TEXT):
            return Column(header, str(name), unit, factor)
    name = _canonical(text)
    base = _canonical(re.sub(r"[^a-z0-9]+", "", bracket[1].lower())) if bracket else None
    if name is None and bracket and base not in (None, *_TEXT):
        try:
            return Column(header, str(base), *parse_unit(bracket[2]))
        except DatasetError as error:
            raise DatasetError(f"column {header!r}: {error}") from None
    if name is None:
        return Column(header, text or header, "", 1.0)
    unit = "" if name in _TEXT else "1" if name == "deformation_index" else UNKNOWN
    return Column(header, name, unit, 1.0)


def _canonical(text: str) -> str | None:
    squeezed = text.replace("_", "")
    return next((name for name, aliases in _ALIASES.items() if squeezed in aliases), None)


def _is_numeric(column: Column, texts: list[str]) -> bool:
    """Return whether a column is numbers: known features must be, others are if every value is one."""
    if column.unit:
        return True
    filled = [text.strip() for text in texts if text.strip()]
    return bool(filled) and all(NUMBER.fullmatch(text) for text in filled)


def _number(path: Path, row: int, column: Column, text: str) -> float:
    if text.lower() in ("", "nan", "na"):
        return math.nan
    value = float(text) if NUMBER.fullmatch(text) else math.inf
    if not math.isfinite(value):
        raise DatasetError(
            f"{path}: row {row}: {column.header} = {text!r} is no number; write it with a decimal point, "
            "or leave it empty if it was not measured"
        )
    return value * column.factor


def _check_texts(path: Path, row: int, texts: dict[str, str], columns: list[Column], classes: Sequence[str]) -> None:
    headers = {column.name: column.header for column in columns}
    for name in ("cell_id", "label"):
        if not texts[name]:
            raise DatasetError(f"{path}: row {row}: {headers[name]} is empty; fill it in or remove the row")
    if classes and texts["label"] not in classes:
        raise DatasetError(
            f"{path}: row {row}: {headers['label']} = {texts['label']!r} is none of {', '.join(classes)}; "
            "correct the row or name the class with --classes"
        )
    if texts.get("split", "") not in ("", "train", "test"):
        raise DatasetError(
            f"{path}: row {row}: {headers['split']} = {texts['split']!r}; write train, test or leave it empty"
        )
