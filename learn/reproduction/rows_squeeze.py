"""Rows about single squeezes: what the paper shows as pictures, and the stiffness dependence of its Fig. 9."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bridge.runs import CAME_THROUGH, read_sweep
from learn.reproduction.claims import SIMULATED, TEXT_ONLY, Claim, Row
from learn.reproduction.rows_cells import where
from learn.reproduction.steps import Place

FIELDS = {"cell.ks": ("Ks", "mN/m", 1e3), "cell.kb": ("Kb", "10⁻¹⁶ J", 1e16)}
"""What is varied in Fig. 9e and f: symbol, unit shown, factor to it."""
MEASURES = {
    "deformation_index": ("DI", "", 1.0),
    "max_velocity": ("v", " mm/s", 1e3),
    "transition_time": ("t", " ms", 1e3),
}


def varied(place: Place, field: str) -> pd.DataFrame:
    """Return the single runs that differ in one field, rising, the preset's among them."""
    table, _ = read_sweep(place.singles)
    table = where(table, table["outcome"].isin(CAME_THROUGH))
    other = next(name for name in FIELDS if name != field)
    values = table[other].to_numpy(float)
    usual = np.isclose(values, np.median(values), rtol=1e-9, atol=0)
    order = np.argsort(table[field].to_numpy(float)[usual], kind="stable")
    return where(table, usual).iloc[order]


def rows_of_squeeze(place: Place) -> list[Row]:
    """Return the rows of the squeezes."""
    rows = [
        Claim(figure, text, SIMULATED, "picture").without(TEXT_ONLY, "drawn below")
        for figure, text in (
            ("1c, d", "velocity over time, centroid over time"),
            ("9a, b, g", "domain, and snapshots at entry, middle and exit"),
        )
    ]
    for field, (symbol, unit, factor) in FIELDS.items():
        table = varied(place, field)
        listed = "; ".join(
            f"{symbol} {factor * row[field]:.3g} {unit}: "
            + ", ".join(f"{short} {scale * row[name]:.3g}{end}" for name, (short, end, scale) in MEASURES.items())
            for row in table.to_dict("records")
        )
        claim = Claim("9e, f", f"DI(x) and v(x) change with {symbol}", SIMULATED, "picture")
        rows.append(claim.without(TEXT_ONLY, listed))
    return rows
