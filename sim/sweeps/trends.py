"""Trends that a table of squeezes must show: stiff cells take longer and are slower; and how time grows with size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from sim.command import InputError
from sim.sweep_table import CAME_THROUGH

if TYPE_CHECKING:
    import pandas as pd

POWERS = ("cell.diameter", "cell.ks", "cell.kb", "fluid.pressure_drop", "fluid.mean_velocity", "fluid.flow_rate")
"""Parameters that enter as powers, if they differ between runs."""
EXPECTED = {"transition_time": 1, "transit_time_full": 1, "max_velocity": -1}
"""Sign of each feature's exponent of Ks at fixed size and drive."""
MEASURED = (4.2, 4.7)
"""Exponent of transit against diameter of HL-60 cells in a 6 × 15 µm constriction (data of Urbanska et al. 2020)."""
BINS = 6
LEAST = 20


@dataclass(frozen=True)
class Trend:
    """How a feature depends on a parameter.

    Attributes
    ----------
    feature, parameter
        Names of columns.
    exponent, error
        Of a power law fitted to all parameters at once, and half of its 95 % confidence interval.
    bins, right
        Of the bins of equal numbers of cells by diameter, in how many the rank correlation with Ks has the expected
        sign; 0 of 0 for other parameters.
    """

    feature: str
    parameter: str
    exponent: float
    error: float
    bins: int = 0
    right: int = 0

    @property
    def passed(self) -> bool | None:
        """Whether the trend is as expected; None where nothing is."""
        sign = EXPECTED[self.feature]
        return sign * self.exponent > self.error if self.parameter == "cell.ks" else None


def trends(table: pd.DataFrame) -> list[Trend]:
    """Return the trends of a sweep's table.

    Raises
    ------
    InputError
        If there are too few cells, or Ks does not differ between them.

    Notes
    -----
    ln feature = a + Σ b ln parameter + c start_y², least squares. Cells that did not come through are not in it, so
    where the largest and stiffest clog the exponents are too small.
    """
    cells = cast("pd.DataFrame", table[table["outcome"].isin(CAME_THROUGH)]).dropna(subset=list(EXPECTED))
    names = [name for name in POWERS if name in cells and len(set(cells[name])) > 1]
    odd = next((name for name in names if not (cells[name].to_numpy(float) > 0).all()), None)
    if odd:
        raise InputError(f"{odd} is zero or not stated for some runs: a power law needs one number above zero for each")
    if len(cells) < LEAST or "cell.ks" not in names:
        raise InputError(f"{len(cells)} cells that came through: a check needs {LEAST}, and cell.ks must differ")
    columns = [np.ones(len(cells)), *(np.log(cells[name].to_numpy(float)) for name in names)]
    if len(set(abs(cells["cell.start_y"]))) > 1:
        columns.append((1e6 * cells["cell.start_y"].to_numpy(float)) ** 2)
    found = []
    for feature in EXPECTED:
        slopes, errors = _fit(np.stack(columns, axis=1), np.log(cells[feature].to_numpy(float)))
        for index, name in enumerate(names, 1):
            bins, right = _in_bins(cells, feature) if name == "cell.ks" else (0, 0)
            found.append(Trend(feature, name, slopes[index], errors[index], bins, right))
    return found


def _fit(matrix: np.ndarray, values: np.ndarray) -> tuple[list[float], list[float]]:
    """Return coefficients and half of their 95 % confidence intervals."""
    from scipy.stats import t

    known = np.isfinite(values)
    matrix, values = matrix[known], values[known]
    solution, _, rank, _ = np.linalg.lstsq(matrix, values, rcond=None)
    free = len(values) - int(rank)
    variance = float(((values - matrix @ solution) ** 2).sum()) / free
    errors = float(t.ppf(0.975, free)) * np.sqrt(variance * np.diag(np.linalg.pinv(matrix.T @ matrix)))
    return solution.tolist(), errors.tolist()


def _in_bins(cells: pd.DataFrame, feature: str) -> tuple[int, int]:
    """Return the number of bins by diameter, and in how many the feature goes with Ks as expected."""
    from scipy.stats import spearmanr

    order = np.argsort(cells["cell.diameter"].to_numpy(float), kind="stable")
    parts = [part for part in np.array_split(order, BINS) if len(set(cells["cell.ks"].to_numpy(float)[part])) > 2]
    right = 0
    for part in parts:
        mine = cells.iloc[part]
        rank = spearmanr(mine["cell.ks"], mine[feature])[0]
        right += EXPECTED[feature] * float(np.asarray(rank)) > 0
    return len(parts), right


def describe(found: Sequence[Trend], table: pd.DataFrame) -> str:
    """Return the trends as text."""
    passed = sum(outcome in CAME_THROUGH for outcome in table["outcome"])
    lines = [f"{passed} of {len(table)} cells came through; exponents of power laws in all parameters at once, ± 95 %:"]
    for one in found:
        line = f"  {one.feature:18s} ∝ {one.parameter.split('.')[1]:14s} ^ {one.exponent:+.3f} ± {one.error:.3f}"
        if one.bins:
            line += f"   right sign in {one.right} of {one.bins} bins by diameter: {'ok' if one.passed else 'NO'}"
        lines.append(line)
    sizes = [one for one in found if one.parameter == "cell.diameter" and one.feature.startswith("trans")]
    if sizes:
        told = ", ".join(f"{one.feature} {one.exponent:.2f}" for one in sizes)
        measured = f"{MEASURED[0]} to {MEASURED[1]}"
        lines.append(f"  against diameter: {told}; measured of HL-60 in another device: {measured} (not tuned to)")
    return "\n".join(lines)
