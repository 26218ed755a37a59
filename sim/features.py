"""The one definition of every feature of a squeezed cell, for simulated and filmed cells alike (NumPy only).

All functions take the trace of one cell as arrays over time: positions in metres with x = 0 at the
constriction's entry plane, times in seconds. What a record does not show is None, never a guess.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np


class Feature(NamedTuple):
    """One feature: unit, definition (with the window it is taken over) and equation in the paper."""

    unit: str
    definition: str
    source: str


FEATURES: dict[str, Feature] = {
    "deformation_index": Feature(
        "1",
        "largest (a - b)/(a + b) of the outline's bounding box while the centroid is in the constriction",
        "Eq. 1, 2.2",
    ),
    "deformation_index_mid": Feature("1", "the same, signed, when the centroid is midway in the constriction", "Eq. 1"),
    "deformation_index_ellipse": Feature(
        "1", "deformation index of the ellipse of equal second moments, midway in the constriction", "Eq. 1"
    ),
    "max_velocity": Feature(
        "m/s", "largest centroid velocity along x while the centroid is in the constriction", "2.2"
    ),
    "transition_time": Feature("s", "centroid from the constriction's entry plane to its exit plane", "2.2"),
    "transit_time_full": Feature(
        "s", "leading edge through the entry plane until trailing edge through the exit plane", "-"
    ),
    "entry_time": Feature("s", "leading edge through the entry plane until trailing edge through it", "-"),
    "deformation_rate": Feature(
        "1/s", "mean |d DI/dt| from the leading edge's entry until DI first reaches 95 % of its largest value", "2.5"
    ),
    "recovery_rate": Feature(
        "1/s", "mean |d DI/dt| from the leading edge's exit until DI is within 0.05 of its value at the start", "2.5"
    ),
    "deformation_index_rate": Feature("1/s", "mean of deformation_rate and recovery_rate", "2.5"),
}


def deformation_index(a: np.ndarray | float, b: np.ndarray | float) -> np.ndarray | float:
    """Return the deformation index (a - b)/(a + b), Eq. 1 of the paper.

    Parameters
    ----------
    a, b
        Axes of the outline along and across the channel, in the same unit; negative results mean
        a cell wider than long.
    """
    return (a - b) / (a + b)


def crossing_time(time: np.ndarray, x: np.ndarray, plane: float) -> float | None:
    """Return when `x` first passes `plane` from below, linear between samples (s), or None.

    Parameters
    ----------
    time, x
        Times (T,) in s and positions (T,) in m.
    plane
        Position in m.
    """
    after = np.flatnonzero((x[1:] >= plane) & (x[:-1] < plane))
    if after.size == 0:
        return None
    i = int(after[0])
    weight = (plane - x[i]) / (x[i + 1] - x[i])
    return float(time[i] + weight * (time[i + 1] - time[i]))


def compute_features(
    trace: Mapping[str, np.ndarray], constriction_length: float, next_entry: float | None = None
) -> dict[str, float | None]:
    """Return every feature of `FEATURES` for one cell.

    Parameters
    ----------
    trace
        Columns ``time``, ``x``, ``vx``, ``rear_x``, ``front_x``, ``di``, ``di_ellipse``, each (T,) in SI,
        time increasing.
    constriction_length
        Length of the constriction in m; its exit plane.
    next_entry
        Entry plane of a second constriction in m, if there is one: what happens there is no feature of the first.
    """
    time, x, di = trace["time"], trace["x"], trace["di"]
    entry, exit_ = crossing_time(time, x, 0.0), crossing_time(time, x, constriction_length)
    middle = crossing_time(time, x, constriction_length / 2)
    front_in = crossing_time(time, trace["front_x"], 0.0)
    front_out = crossing_time(time, trace["front_x"], constriction_length)
    rear_in = crossing_time(time, trace["rear_x"], 0.0)
    rear_out = crossing_time(time, trace["rear_x"], constriction_length)
    inside = (x >= 0.0) & (x <= constriction_length)
    again = None if next_entry is None else crossing_time(time, trace["front_x"], next_entry)
    first = slice(None) if again is None else time < again
    deformation = _deformation_rate(time[first], di[first], front_in)
    recovery = _recovery_rate(time[first], di[first], front_out) if front_in is not None else None
    both = None if deformation is None or recovery is None else (deformation + recovery) / 2
    # A recording may begin with a cell half way through, whose maxima it does not show.
    passed = entry is not None and exit_ is not None
    return {
        "deformation_index": float(di[inside].max()) if passed and inside.any() else None,
        "deformation_index_mid": _at(time, di, middle),
        "deformation_index_ellipse": _at(time, trace["di_ellipse"], middle),
        "max_velocity": float(trace["vx"][inside].max()) if passed and inside.any() else None,
        "transition_time": _difference(exit_, entry),
        "transit_time_full": _difference(rear_out, front_in),
        "entry_time": _difference(rear_in, front_in),
        "deformation_rate": deformation,
        "recovery_rate": recovery,
        "deformation_index_rate": both,
    }


def _difference(later: float | None, earlier: float | None) -> float | None:
    return None if later is None or earlier is None else later - earlier


def _at(time: np.ndarray, values: np.ndarray, when: float | None) -> float | None:
    return None if when is None else float(np.interp(when, time, values))


def _deformation_rate(time: np.ndarray, di: np.ndarray, start: float | None) -> float | None:
    """Return (DI(end) - DI(start))/(end - start) up to 95 % of the largest DI: the mean of a rising |d DI/dt|."""
    if start is None:
        return None
    first = _at(time, di, start)
    after = np.flatnonzero((time > start) & (di >= 0.95 * di.max()))
    if first is None or after.size == 0 or di[after[0]] <= first:
        return None
    return float((di[after[0]] - first) / (time[after[0]] - start))


def _recovery_rate(time: np.ndarray, di: np.ndarray, start: float | None) -> float | None:
    """Return (DI(start) - DI(end))/(end - start), the end being the return to within 0.05 of rest."""
    if start is None:
        return None
    after = np.flatnonzero((time > start) & (di <= di[0] + 0.05))
    if after.size == 0:
        return None
    end = int(after[0])
    return float((np.interp(start, time, di) - di[end]) / (time[end] - start))
