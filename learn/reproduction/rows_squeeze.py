"""Rows about single squeezes: traces, the stiffness dependence of Fig. 9, cells in three dimensions."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from learn.reproduction.claims import SIMULATED, TEXT_ONLY, Row, without
from learn.reproduction.scales import CLASSES

FIELDS = {"ks": ("cell.ks", "Ks", "mN/m", 1e3), "kb": ("cell.kb", "Kb", "1e-16 J", 1e16)}
"""Sweeps of Fig. 9: field, symbol, unit shown, factor to it."""


def read_table(path: Path) -> list[dict[str, str]]:
    """Return the rows of a sweep's table in which the cell came through."""
    with path.open(encoding="utf-8", newline="") as stream:
        return [row for row in csv.DictReader(stream) if row["outcome"] in ("EXITED", "OUTLET")]


def rows_of_squeeze(out: Path) -> list[Row]:
    """Return the rows of what the paper shows as pictures."""
    drawn = "drawn in this report"
    rows = [
        without(figure, quantity, SIMULATED, "picture", TEXT_ONLY, drawn)
        for figure, quantity in (
            ("1c, d", "velocity over time, centroid over time"),
            ("9a, b, g", "domain and snapshots at entry, middle and exit"),
        )
    ]
    for name, (field, symbol, unit, factor) in FIELDS.items():
        found = sorted(read_table(out / f"runs-{name}" / "sweep.csv"), key=lambda row: float(row[field]))
        listed = "; ".join(
            f"{symbol} {factor * float(row[field]):.3g} {unit}: DI {float(row['deformation_index']):.3f}, "
            f"{1e3 * float(row['max_velocity']):.3g} mm/s, {1e3 * float(row['transition_time']):.3g} ms"
            for row in found
        )
        quantity = f"DI(x) and v(x) with {symbol}: largest DI, largest velocity, transition time"
        rows.append(without("9e, f", quantity, SIMULATED, "picture", TEXT_ONLY, listed))
    return rows + _solid(out / "runs-3d" / "sweep.csv")


def _solid(table: Path) -> list[Row]:
    if not table.is_file():
        return []
    found = read_table(table)
    rows = []
    for name, quantity, factor, unit in (
        ("deformation_index", "deformation index in three dimensions", 1.0, ""),
        ("transition_time", "transition time in three dimensions", 1e3, " ms"),
    ):
        means = []
        for label in CLASSES:
            values = np.array([float(row[name]) for row in found if row["class"] == label])
            if len(values):
                means.append(
                    f"{label} {factor * values.mean():.3f} ± {factor * values.std():.3f}{unit} (n = {len(values)})"
                )
        why = "8 nodes across the gap, read from the runs and not from films"
        printed = "0.722 and 0.660" if name == "deformation_index" else "picture"
        rows.append(without("2a", quantity, SIMULATED, printed, why, "; ".join(means)))
    return rows
