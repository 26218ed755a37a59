"""Published and independently computed numbers, from `sim/reference`."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from importlib import resources

import numpy as np


@dataclass(frozen=True)
class Table:
    """A reference table.

    Attributes
    ----------
    source
        Author and year, or how it was computed.
    columns
        Values by column name: float64 (rows,) with NaN where there is none, or text if a value is no number.
    """

    source: str
    columns: dict[str, np.ndarray]

    def __getitem__(self, column: str) -> np.ndarray:
        return self.columns[column]

    def where(self, **values: str | float) -> Table:
        """Return the rows in which the named columns have the given values."""
        keep = np.ones(len(next(iter(self.columns.values()))), dtype=bool)
        for column, value in values.items():
            keep &= self.columns[column] == value
        return Table(self.source, {name: column[keep] for name, column in self.columns.items()})


def read_reference(name: str) -> Table:
    """Read ``sim/reference/<name>.csv``: a line ``# source: …``, other comments, a header, rows."""
    lines = (resources.files("sim") / "reference" / f"{name}.csv").read_text(encoding="utf-8").splitlines()
    if not lines or not lines[0].startswith("# source: "):
        raise ValueError(f"{name}.csv does not begin with its source")
    header, *rows = csv.reader(line for line in lines if not line.startswith("#"))
    columns = {column: _column([row[k] for row in rows]) for k, column in enumerate(header)}
    return Table(lines[0].removeprefix("# source: "), columns)


def _column(texts: list[str]) -> np.ndarray:
    try:
        return np.array([float(text) if text else np.nan for text in texts])
    except ValueError:
        return np.array(texts)
