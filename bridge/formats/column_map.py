"""The column map: a TOML file that says which columns of a table, or arrays of an ``.npz``, mean what.

::

    source = "experimental"            # or "simulated"
    pixel_size = "0.33 um"             # of the pictures; leave it out where it is not known

    [file]                             # tables only; all found by themselves or as given here
    separator = "tab"                  # comma, semicolon, tab, bar, space: by default what the header holds
    encoding = "latin-1"               # by default UTF-8
    decimal = ","                      # by default .
    missing = ["-999"]                 # besides nothing, nan, NaN, NA

    [label]                            # likewise [group], [split], [cell_id]; exactly one of column, constant, file
    column = "Conc"
    values = {"0" = "control", "0.1" = "softened"}   # what the file's words are called; numbers match as numbers
    others = "leave out"               # cells with another word: "refuse" (default), "leave out", "keep"
    # names = "class_names"            # .npz: the array whose entries the column counts
    # file = {"*_ctrl.txt" = "control", "*" = "softened"}   # by the file's name, the first pattern that fits

    [features.transition_time]         # a name of your choice; one of this project's features must be its unit's kind
    column = "t"
    unit = "ms"
    description = "what it means"

    [conditions.dose]                  # likewise, but a setting, not a measurement: becomes condition_dose
    column = "Conc"
    unit = "mg/l"

    [images.first]                     # .npz: a view and its array of pictures (cells, rows, columns)
    array = "images"
    black = 300                        # grey values stretched to black and white; 8 and 16 bits need none
    white = 1300
"""

from __future__ import annotations

import difflib
import re
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from bridge.formats.units import parse_unit, same_kind
from bridge.records import PARAMETERS, REQUIRED, DatasetError

_NAME = r"^[a-z][a-z0-9_]{0,63}$"


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Words(_Entry):
    """Where a word for each cell comes from."""

    column: str = ""
    constant: str = ""
    file: dict[str, str] = {}
    names: str = ""
    values: dict[str, str] = {}
    others: Literal["refuse", "leave out", "keep"] = "refuse"

    @model_validator(mode="after")
    def _consistent(self) -> Words:
        if sum(map(bool, (self.column, self.constant, self.file))) != 1:
            raise ValueError("give exactly one of column, constant and file")
        if (self.names or self.values) and not self.column:
            raise ValueError("names and values belong to a column")
        return self


class Number(_Entry):
    """Where a number for each cell comes from."""

    column: str = Field(min_length=1)
    unit: str = Field(min_length=1)
    description: str = ""


class Pictures(_Entry):
    """Where a picture of each cell comes from."""

    array: str = Field(min_length=1)
    black: float | None = None
    white: float | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Pictures:
        if (self.black is None) != (self.white is None):
            raise ValueError("give both black and white, or neither")
        if self.black is not None and self.white is not None and self.black >= self.white:
            raise ValueError(f"black = {self.black:g} must be below white = {self.white:g}")
        return self


class Layout(_Entry):
    """How a table is written."""

    separator: Literal["", "comma", "semicolon", "tab", "bar", "space"] = ""
    encoding: str = ""
    decimal: Literal[".", ","] = "."
    missing: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Layout:
        try:
            "".encode(self.encoding or "utf-8")
        except LookupError:
            raise ValueError(f"encoding {self.encoding!r} is unknown; such as utf-8, utf-16, latin-1, cp1252") from None
        if self.decimal == "," and self.separator == "comma":
            raise ValueError("separator and decimal sign are both a comma")
        return self


class ColumnMap(_Entry):
    """What the columns of a file mean."""

    source: Literal["experimental", "simulated"] = "experimental"
    pixel_size: str = ""
    file: Layout = Layout()
    cell_id: Words | None = None
    label: Words | None = None
    group: Words | None = None
    split: Words | None = None
    features: dict[str, Number] = {}
    conditions: dict[str, Number] = {}
    images: dict[str, Pictures] = {}

    @model_validator(mode="after")
    def _consistent(self) -> ColumnMap:
        from sim.features import FEATURES

        if not self.features and not self.images:
            raise ValueError("neither features nor images: nothing to learn from")
        for name, number in (*self.features.items(), *self.conditions.items()):
            unit = parse_unit(number.unit).name
            if name in self.features and name in FEATURES and not same_kind(unit, FEATURES[name].unit):
                raise ValueError(f"{name} in {number.unit!r}: its unit is {FEATURES[name].unit}; correct one of them")
        self.pixel()
        return self

    def pixel(self) -> float:
        """Return the edge of a pixel (m), NaN where it is not stated."""
        if not self.pixel_size:
            return float("nan")
        value, _, unit = self.pixel_size.strip().partition(" ")
        parsed = parse_unit(unit or "?")
        try:
            size = float(value) * parsed.factor
        except ValueError:
            size = 0.0
        if parsed.name != "m" or not 1e-9 <= size <= 1e-4:
            raise ValueError(f"pixel_size = {self.pixel_size!r}: a length from 1 nm to 100 um, such as '0.33 um'")
        return size


def read_column_map(path: Path) -> ColumnMap:
    """Read a column map.

    Raises
    ------
    DatasetError
        If the file is missing, malformed, or contradicts itself; the text names the entry.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path}: not UTF-8 text ({error}); save it as UTF-8") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise DatasetError(f"{path}: not valid TOML: {error}") from error
    for table in ("features", "conditions", "images"):
        check_names(path, table, values.get(table, {}))
    try:
        return ColumnMap.model_validate(values)
    except ValidationError as error:
        raise DatasetError("\n  ".join(f"{path}: {_explain(item)}" for item in error.errors())) from error


def check_names(path: Path, table: str, entries: Any) -> None:
    """Refuse names of columns that a dataset cannot have, or that mean something else there."""
    for name in entries if isinstance(entries, dict) else ():
        if not re.fullmatch(_NAME, name) or name in REQUIRED or (table == "features" and name.startswith(PARAMETERS)):
            raise DatasetError(
                f"{path}: {table}.{name}: choose another name, of a-z, 0-9 and _, not {', '.join(REQUIRED)}, "
                f"nor one that begins with {', '.join(PARAMETERS)}"
            )


def _explain(item: Any) -> str:
    place = ".".join(map(str, item["loc"]))
    message = item["msg"].removeprefix("Value error, ")
    if item["type"] == "extra_forbidden":
        known = [*ColumnMap.model_fields, *Words.model_fields, *Layout.model_fields, *Pictures.model_fields, "unit"]
        close = difflib.get_close_matches(str(item["loc"][-1]), known, 1)
        message = "unknown entry" + (f"; did you mean {close[0]!r}?" if close else "")
    return f"{place}: {message[0].lower()}{message[1:]}" if place else message
