"""Rows about the cells themselves: deformation, time and velocity by class, correlations, diameters."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.stats

from bridge.records import read_dataset
from learn.reproduction.claims import (
    FITTED_ORDER,
    MEASURED,
    SIMULATED,
    Row,
    claim,
    fitted,
    within,
    without,
)
from learn.reproduction.scales import PAIR

INDEX = {"hct116": (0.722, 0.085), "wbc": (0.660, 0.091)}
"""Mean and standard deviation of the deformation index, section 2.2."""
DIAMETER = {"hct116": (0.06, 0.025), "wbc": (0.09, 0.002)}
"""Correlation of diameter and deformation index and its p, Fig. S2."""
SLOPE = 0.96
"""Regression coefficient of maximum velocity and transition time, Fig. 2e (R3)."""
_ORDER = {
    "deformation_index": ("deformation index larger in HCT116, p < 0.001", 1),
    "transition_time": ("transition time shorter in HCT116", -1),
    "max_velocity": ("maximum velocity higher in HCT116", 1),
}


def rows_of_simulated(cells: Path, correlations: list[Mapping[str, Any]]) -> list[Row]:
    """Return the rows of the cells that were simulated and measured from films."""
    table = pd.read_csv(cells)
    rows = [_index(table, label, SIMULATED) for label in PAIR]
    rows += [_order(table, name, SIMULATED) for name in _ORDER]
    rows += _correlations(correlations, SIMULATED)
    rows += [_diameter(table, label) for label in PAIR]
    stated = "mean diameter of hct116 and wbc (µm)"
    ours = " and ".join(f"{1e6 * table.loc[table['label'] == label, 'diameter'].mean():.1f}" for label in PAIR)
    rows.append(
        fitted("S2b", stated, SIMULATED, "14.2 and 13.5", ours, "the population is drawn from the printed means")
    )
    return rows


def rows_of_measured(dataset: Path, correlations: list[Mapping[str, Any]]) -> list[Row]:
    """Return the same of the paper's recoverable cells, as far as features alone tell."""
    table = read_dataset(dataset).table
    why = "the scale of these indices was inferred from the printed means"
    rows = [
        fitted("2a", f"deformation index of {label}", MEASURED, _printed(label), _mean(table, label), why)
        for label in PAIR
    ]
    rows += [_order(table, name, MEASURED) for name in _ORDER]
    return rows + _correlations(correlations, MEASURED)


def _printed(label: str) -> str:
    return "{:.3f} ± {:.3f}".format(*INDEX[label])


def _mean(table: pd.DataFrame, label: str) -> str:
    values = table.loc[table["label"] == label, "deformation_index"]
    return f"{values.mean():.3f} ± {values.std():.3f}"


def _index(table: pd.DataFrame, label: str, source: str) -> Row:
    values = table.loc[table["label"] == label, "deformation_index"].to_numpy(float)
    mean, spread = INDEX[label]
    half = float(scipy.stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))
    found = {"value": values.mean(), "low": values.mean() - half, "high": values.mean() + half}
    row = within("2a", f"mean deformation index of {label}", source, mean, found)
    sd = f"{row.ours}; sd {values.std(ddof=1):.3f}"
    return Row(row.figure, row.quantity, source, f"{mean} (sd {spread})", sd, row.verdict, row.why)


def _order(table: pd.DataFrame, name: str, source: str) -> Row:
    """Judge which class has the larger values: for the simulated ones the order was put in."""
    statement, sign = _ORDER[name]
    hct, wbc = (table.loc[table["label"] == label, name].to_numpy(float) for label in PAIR)
    p = float(scipy.stats.mannwhitneyu(hct, wbc).pvalue)
    ours = f"medians {np.median(hct):.3g} and {np.median(wbc):.3g}, p = {p:.2g}"
    if source == SIMULATED:
        return fitted("2a–c", statement, source, "yes", ours, FITTED_ORDER)
    true = sign * (np.median(hct) - np.median(wbc)) > 0 and p < 0.001
    return claim("2a–c", statement, source, "yes", ours, true, "right order and p < 0.001 (Mann–Whitney)")


def _correlations(columns: list[Mapping[str, Any]], source: str) -> list[Row]:
    pooled = [row for row in columns if row["cells"] == "all" and row["pearson"] is not None]
    largest = max(row["pearson_p"] for row in pooled)
    listed = "; ".join(f"{_short(row['x'])}–{_short(row['y'])} {row['pearson']:+.2f}" for row in pooled)
    rule = "every p < 0.01, as printed; pooled over both classes"
    rows = [
        claim(
            "2d",
            "features are correlated",
            source,
            "all p < 0.01",
            f"{listed}; largest p {largest:.2g}",
            largest < 0.01,
            rule,
        )
    ]
    for row in pooled:
        if {row["x"], row["y"]} == {"max_velocity", "transition_time"}:
            slope, error = abs(row["slope"]), 1.96 * row["slope_se"]
            found = {"value": slope, "low": slope - error, "high": slope + error}
            quantity = "size of the regression coefficient of velocity and time, both scaled to 0 … 1"
            rows.append(within("2e", quantity, source, SLOPE, found, 2))
    return rows


def _short(name: str) -> str:
    return {"deformation_index": "DI", "max_velocity": "velocity", "transition_time": "time"}.get(name, name)


def _diameter(table: pd.DataFrame, label: str) -> Row:
    own = table[table["label"] == label]
    printed, p_printed = DIAMETER[label]
    quantity = f"correlation of diameter and deformation index, {label}"
    if len(own) < 5:
        return without("S2a", quantity, SIMULATED, f"{printed}", f"{len(own)} cells are too few")
    found: Any = scipy.stats.pearsonr(own["diameter"], own["deformation_index"])
    interval = found.confidence_interval(0.95)
    numbers = {"value": float(found.statistic), "low": float(interval.low), "high": float(interval.high)}
    row = within("S2a", quantity, SIMULATED, printed, numbers, 2)
    paper = f"{printed} (p = {p_printed})"
    return Row(row.figure, quantity, SIMULATED, paper, f"{row.ours}, p = {found.pvalue:.2g}", row.verdict, row.why)
