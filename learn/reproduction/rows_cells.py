"""Rows about the cells themselves: deformation, time and velocity by class, correlations, diameters."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import scipy.stats

from learn.reproduction.claims import ABSENT, MEASURED, SIMULATED, Claim, Row, at_printed_size, mean_of, shown
from learn.reproduction.scales import CLASSES, PAIR

INDEX = {"hct116": (0.722, 0.085), "wbc": (0.660, 0.091)}
"""Mean and standard deviation of the deformation index, section 2.2."""
DIAMETER = {"hct116": (0.06, 0.025), "wbc": (0.09, 0.002)}
"""Correlation of diameter and deformation index and its p, Fig. S2."""
SLOPE = 0.96
"""Regression coefficient of maximum velocity and transition time, Fig. 2e (R3)."""
ORDER = {
    "deformation_index": ("deformation index is larger in hct116", 1),
    "transition_time": ("transition time is shorter in hct116", -1),
    "max_velocity": ("maximum velocity is higher in hct116", 1),
}
SHORT = {"deformation_index": "DI", "max_velocity": "v", "transition_time": "t"}
SI = {"deformation_index": "1", "transition_time": "s", "max_velocity": "m/s"}
"""Units of features that were simulated."""
_SHOWN = {"1": ("", 1.0), "s": (" ms", 1e3), "m/s": (" mm/s", 1e3)}
"""How a unit is shown, and the factor to that; others are shown as they are."""
_BETWEEN = 0.062
"""Distance of the two printed means of DI: an interval as wide as that tells the classes not apart."""


def where(table: pd.DataFrame, mask: Any) -> pd.DataFrame:
    """Return the rows of a table for which a mask holds."""
    return table.iloc[np.flatnonzero(np.asarray(mask))]


def rows_of_cells(table: pd.DataFrame | None, source: str, units: Mapping[str, str] = SI) -> list[Row]:
    """Return the rows about features by class; without a table, those that say so."""
    rows = []
    for label, (mean, sd) in INDEX.items():
        claim = Claim("2a", f"mean deformation index of {label}", source, f"{mean} (sd {sd})")
        rows.append(claim.without(ABSENT) if table is None else _index(claim, table, label, mean))
    for name, (text, sign) in ORDER.items():
        claim = Claim("2a–c", f"{text}, p < 0.001", source, "yes")
        rows.append(claim.without(ABSENT) if table is None else _order(claim, table, name, sign, units[name]))
    return rows


def _index(claim: Claim, table: pd.DataFrame, label: str, mean: float) -> Row:
    values = _values(table, label, "deformation_index")
    found = mean_of(values)
    if claim.source == MEASURED:
        return claim.fitted("measured index", f"{shown(found)}, sd {values.std(ddof=1):.3f}")
    row = claim.within(mean, found, len(values), widest=_BETWEEN)
    spread = f", sd {values.std(ddof=1):.3f}" if len(values) > 1 else ""
    return Row(**row.facts() | {"ours": row.ours + spread})  # type: ignore[arg-type]


def _order(claim: Claim, table: pd.DataFrame, name: str, sign: int, unit: str) -> Row:
    """Judge which class has the larger values; the order of simulated cells, and of measured indices, was put in."""
    hct, wbc = (_values(table, label, name) for label in PAIR)
    p = float(scipy.stats.mannwhitneyu(hct, wbc).pvalue)
    end, factor = _SHOWN.get(unit, (f" {unit}", 1.0))
    ours = f"medians {factor * np.median(hct):.3g} and {factor * np.median(wbc):.3g}{end}, p = {p:.2g}"
    if claim.source == SIMULATED:
        return claim.fitted("order", ours)
    if name == "deformation_index":
        return claim.fitted("measured index", ours)
    right = sign * (np.median(hct) - np.median(wbc)) > 0
    denied = at_printed_size(p, len(hct) + len(wbc)) >= 1e-3 if right else p < 0.05
    rule = "p < 0.001 (Mann–Whitney) and the printed order; denied if the same effect in 2521 cells is not either"
    return claim.says(ours, right and p < 1e-3, denied, rule, min(len(hct), len(wbc)))


def _values(table: pd.DataFrame, label: str, name: str) -> np.ndarray:
    return where(table, table["label"] == label)[name].to_numpy(float)


def rows_of_correlations(columns: Sequence[Mapping[str, Any]] | None, source: str, why: str = ABSENT) -> list[Row]:
    """Return the rows about correlations and regression of the features, from the report of `learn.baselines`.

    Parameters
    ----------
    columns
        What it says of correlations; None where nothing came of it.
    source
        Whose cells.
    why
        Why nothing came of it.
    """
    related = Claim("2d", "features are correlated, both classes together", source, "all p < 0.01")
    slope = Claim("2e", "slope of velocity over time, both scaled to 0 … 1, without its sign", source, f"{SLOPE}")
    if columns is None:
        return [related.without(why), slope.without(why)]
    names = set(ORDER)
    pooled = [row for row in columns if row["cells"] == "all" and row["pearson"] is not None]
    pooled = [row for row in pooled if {row["x"], row["y"]} <= names]
    largest = max((row["pearson_p"] for row in pooled), default=1.0)
    listed = ", ".join(f"{SHORT[row['x']]}–{SHORT[row['y']]} {row['pearson']:+.2f}" for row in pooled)
    cells = min((row["count"] // len(PAIR) for row in pooled), default=0)  # of a class, about
    ours = f"{listed}; largest p = {largest:.2g}".replace("-", "−")
    weak = any(at_printed_size(row["pearson_p"], row["count"]) >= 0.01 for row in pooled)
    rule = "every p < 0.01 (Pearson); denied if the same correlation in 2521 cells has not"
    rows = [related.says(ours, largest < 0.01, weak, rule, cells)]
    for row in pooled:
        if {row["x"], row["y"]} == {"max_velocity", "transition_time"}:
            value, error = _slope(row, "max_velocity")
            found = {"value": value, "low": value - 1.96 * error, "high": value + 1.96 * error}
            rows.append(slope.within(SLOPE, found, row["count"] // len(PAIR), 2))
    return rows


def _slope(row: Mapping[str, Any], name: str) -> tuple[float, float]:
    """Return the slope of a feature over the other one of a pair, without its sign, and its standard error."""
    value, error = abs(row["slope"]), row["slope_se"]
    if row["y"] == name:
        return value, error
    square = row["pearson"] ** 2
    turned = square / value
    return turned, turned * math.sqrt((1 - square) / ((row["count"] - 2) * square))


def rows_of_diameters(table: pd.DataFrame) -> list[Row]:
    """Return the rows about diameters, which were measured of simulated cells alone."""
    rows = []
    for label, (printed, p_printed) in DIAMETER.items():
        own = where(table, table["label"] == label)
        text = f"correlation of diameter and deformation index, {label}"
        claim = Claim("S2a", text, SIMULATED, f"{printed} (p = {p_printed})")
        if len(own) < 4:
            rows.append(claim.without(f"{len(own)} cells are too few"))
            continue
        found: Any = scipy.stats.pearsonr(own["diameter"], own["deformation_index"])
        low, high = found.confidence_interval(0.95)
        numbers = {"value": float(found.statistic), "low": float(low), "high": float(high)}
        rows.append(claim.within(printed, numbers, len(own), 2, widest=0.4))
    means = [shown(_micrometres(table, label), 1) for label in PAIR]
    claim = Claim("S2b", "mean diameter of hct116 and wbc (µm)", SIMULATED, "14.2 and 13.5")
    return [*rows, claim.fitted("diameter", " and ".join(means))]


def _micrometres(table: pd.DataFrame, label: str) -> dict[str, float]:
    return mean_of(1e6 * _values(table, label, "diameter"))


def rows_of_solid(table: pd.DataFrame) -> list[Row]:
    """Return the rows of cells simulated in three dimensions."""
    rows = []
    for label in CLASSES:
        values = _values(table, label, "deformation_index")
        if not len(values):
            continue
        mean = INDEX.get(label, (None, None))[0]
        text = f"mean deformation index of {label} in three dimensions"
        claim = Claim("2a", text, SIMULATED, "–" if mean is None else f"{mean}")
        found = mean_of(values)
        if mean is None:
            rows.append(claim.without("the paper prints none", shown(found)))
        else:
            rows.append(claim.within(mean, found, len(values), widest=_BETWEEN))
    return rows
