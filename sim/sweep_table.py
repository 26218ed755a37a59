"""The table of a sweep, one row for each run, and how it is kept: the one place that says what its columns are.

``sweep.csv`` has plain names in its header, ``sweep.units.csv`` a line for each of them (name, unit, role, meaning),
``sweep.h5`` both: ``/table/<column>`` with the attributes ``unit``, ``role`` and ``description``. Numbers are SI; the
unit of text is empty, that of a pure number 1.

=============  ======================================================================================================
role           columns
=============  ======================================================================================================
``id``         ``run``: name of the run folder; ``class``: name of the configuration
``outcome``    ``outcome``: one of `OUTCOMES`; ``reason``: why a run has no result, else empty
``parameter``  fields of the configuration by dotted name: `ALWAYS`, ``fluid.<drive>``, and what differs between runs
``resolved``   `RESOLVED`, chosen by the pre-flight check, as far as they differ between runs
``feature``    `sim.features.FEATURES`; missing where the record does not show it, or there is none
``drift``      what should be small: change of area or volume, slip; and the smallest distance from a wall
``provenance`` `PROVENANCE`: all that is not the same when a sweep is repeated
=============  ======================================================================================================
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from sim.command import InputError
from sim.config import DRIVES, fields
from sim.features import FEATURES
from sim.files import new_hdf5, replacing
from sim.trace import Outcome

if TYPE_CHECKING:
    import pandas as pd

OUTCOMES = (*(one.name for one in Outcome), "REFUSED", "FAILED")
"""Those of `sim.trace.Outcome`; refused by the pre-flight check; none, since its worker died or its files failed."""
CAME_THROUGH = tuple(one.name for one in Outcome if one.came_through)
PASSED = tuple(one.name for one in Outcome if one.passed)
ALWAYS = ("cell.diameter", "cell.ks", "cell.kb", "cell.start_y", "seed")
RESOLVED = ("numerics.inertia_scale", "numerics.friction", "numerics.max_time", "output.every", "channel.file_digest")
UNTOLD = ("name", "numerics.threads", "output.checkpoint_every")
"""Fields that are no column: the class, and what changes no result."""


class Column(NamedTuple):
    """A column: unit, role and meaning."""

    unit: str
    role: str
    description: str


_FIRST = {
    "run": Column("", "id", "name of the run folder"),
    "class": Column("", "id", "name of the configuration"),
    "outcome": Column("", "outcome", "how the run ended"),
    "reason": Column("", "outcome", "why there is no result"),
}
_DRIFT = {
    "drift_area": Column("1", "drift", "largest change of the cell's area (3-D: volume) over that at the start"),
    "drift_slip": Column("1", "drift", "largest slip of a membrane node over the mean flow velocity in the gap"),
    "drift_wall_distance": Column("m", "drift", "smallest distance between a membrane node and a wall"),
}
PROVENANCE = {
    "wall_time_s": Column("s", "provenance", "time on the clock that the run took"),
    "started": Column("", "provenance", "when it began (UTC)"),
    "host": Column("", "provenance", "where it was computed"),
    "commit": Column("", "provenance", "commit of the source tree"),
    "physics_version": Column("1", "provenance", "version of the physics"),
}


@dataclass(frozen=True)
class Table:
    """Columns by name, in order, and a row for each run; what is missing is None or not in the row."""

    columns: Mapping[str, Column]
    rows: Sequence[Mapping[str, Any]]


def make_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Return the table of some rows, each with all fields of its configuration, sorted by class and run."""
    told = ({name: _as_given(value) for name, value in row.items()} for row in rows)
    rows = sorted(told, key=lambda row: (row["class"], row["run"]))
    parameters = {name: _parameter(name, text, rows) for name, text in fields() if _is_column(name, rows)}
    ordered = sorted(parameters.items(), key=lambda item: item[1].role != "parameter")
    features = {name: Column(one.unit, "feature", one.definition) for name, one in FEATURES.items()}
    return Table(_FIRST | dict(ordered) | features | _DRIFT | PROVENANCE, rows)


def _as_given(value: Any) -> Any:
    """Return several numbers, as `cell.axes` has them, as the text that the command line takes; all else as it is."""
    return ",".join(map(repr, value)) if isinstance(value, (list, tuple)) else value


def _is_column(name: str, rows: Sequence[Mapping[str, Any]]) -> bool:
    if name in UNTOLD:
        return False
    if name in ALWAYS:
        return True
    values = {row.get(name) for row in rows}
    if name.startswith("fluid.") and name.removeprefix("fluid.") in DRIVES:
        return values - {None} != set()
    return len(values) > 1


def _parameter(name: str, text: str, rows: Sequence[Mapping[str, Any]]) -> Column:
    """Return the column of a field, whose help ends with its unit in parentheses."""
    meaning, _, unit = text.rstrip(".").removesuffix(")").rpartition(" (")
    if any(isinstance(row.get(name), str) for row in rows):
        unit = ""
    elif unit == "-":
        unit = "1"
    return Column(unit, "resolved" if name in RESOLVED else "parameter", meaning)


def write_table(folder: Path, table: Table) -> None:
    """Write ``sweep.csv``, ``sweep.units.csv`` and ``sweep.h5`` into a folder, each in one piece.

    Raises
    ------
    OSError
        If a file cannot be written.
    """
    import h5py

    header = [["column", "unit", "role", "description"]]
    _write_csv(folder / "sweep.units.csv", header + [[name, *column] for name, column in table.columns.items()])
    rows = [[_text(row.get(name)) for name in table.columns] for row in table.rows]
    _write_csv(folder / "sweep.csv", [list(table.columns), *rows])
    with replacing(folder / "sweep.h5") as part, new_hdf5(part) as file:
        group = file.create_group("table")
        group.attrs["columns"] = list(table.columns)
        for name, column in table.columns.items():
            text = {"dtype": h5py.string_dtype()} if column.unit == "" else {}
            data = group.create_dataset(name, data=_values(column, [row.get(name) for row in table.rows]), **text)
            data.attrs.update(column._asdict())


def _write_csv(path: Path, rows: Sequence[Sequence[str]]) -> None:
    with replacing(path) as part, part.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows(rows)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else repr(value)


def _values(column: Column, values: Sequence[Any]) -> list[Any]:
    if column.unit == "":
        return ["" if value is None else str(value) for value in values]
    return [math.nan if value is None else float(value) for value in values]


def read_sweep(path: Path | str) -> tuple[pd.DataFrame, dict[str, Column]]:
    """Read the table of a sweep.

    Parameters
    ----------
    path
        ``sweep.csv`` (with ``sweep.units.csv`` beside it), ``sweep.h5``, or the folder of the sweep.

    Returns
    -------
    The table (float64 with NaN where a number is missing, text empty where it is), and what is known of each column:
    ``columns["cell.ks"].unit``.

    Raises
    ------
    InputError
        If there is no table, or it is damaged.
    """
    path = Path(path)
    if path.is_dir():
        path = path / "sweep.csv"
    if not path.is_file():
        raise InputError(f"{path}: no such table; python -m sim.sweep --table --out FOLDER makes it from run folders")
    try:
        table, columns = _read_hdf5(path) if path.suffix == ".h5" else _read_csv(path)
    except (OSError, KeyError, ValueError, TypeError, RuntimeError) as error:
        raise InputError(f"{path}: damaged ({error}); make it anew with python -m sim.sweep --table") from error
    missing = [name for name in (*_FIRST, *ALWAYS, *FEATURES) if name not in columns]
    if missing:
        raise InputError(f"{path}: no table of a sweep: column {missing[0]} is missing")
    return table, columns


def _read_csv(path: Path) -> tuple[pd.DataFrame, dict[str, Column]]:
    import pandas as pd

    with path.with_suffix(".units.csv").open(encoding="utf-8", newline="") as stream:
        columns = {name: Column(*rest) for name, *rest in list(csv.reader(stream))[1:]}
    with path.open(encoding="utf-8", newline="") as stream:
        names, *rows = list(csv.reader(stream))
    if names != list(columns):
        raise ValueError(f"its columns are not those of {path.with_suffix('.units.csv').name}")
    values = {name: [] for name in names}
    for row in rows:
        for name, text in zip(names, row, strict=True):
            values[name].append(text if columns[name].unit == "" else float(text or "nan"))
    return pd.DataFrame(values).astype(_kinds(columns)), columns


def _read_hdf5(path: Path) -> tuple[pd.DataFrame, dict[str, Column]]:
    import h5py
    import numpy as np
    import pandas as pd

    values, columns = {}, {}
    with h5py.File(path, "r") as file:
        group = cast(h5py.Group, file["table"])
        for name in np.asarray(group.attrs["columns"]).tolist():
            data = cast(h5py.Dataset, group[name])
            columns[name] = Column(*(str(data.attrs[key]) for key in Column._fields))
            values[name] = data[:] if columns[name].unit else data.asstr()[:]
    return pd.DataFrame(values).astype(_kinds(columns)), columns


def _kinds(columns: Mapping[str, Column]) -> dict[str, Any]:
    return {name: "float64" if column.unit else "str" for name, column in columns.items()}
