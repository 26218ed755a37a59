"""Whole traces: DI(x) and v(x) of a sweep in a few principal components, each emulated over the design."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sim.command import InputError
from sim.emulation.emulator import passed_runs
from sim.emulation.surface import Surface, fit_surface
from sim.features import crossing_time
from sim.trace import header

if TYPE_CHECKING:
    import pandas as pd

    from sim.emulation.inputs import Design

PLANES = 48
"""Positions along the channel at which traces are compared."""
KEPT = 0.999
"""Share of the variance that the components hold, of which there are at most `MOST`."""
MOST = 8
COLUMNS = ("time", "x", "vx", "di")


@dataclass(frozen=True)
class TraceBasis:
    """Principal components of a sweep's traces and Gaussian processes through their scores.

    Attributes
    ----------
    x
        Positions of the centroid (P,), m, from the entry plane to the exit plane.
    mean
        Mean course (2 P,): DI, then ln v with v in m/s.
    components
        Orthonormal (K, 2 P), of courses divided by `spread`.
    spread
        Standard deviation of the two halves (2,), which puts DI and ln v on one scale.
    leftover
        What the components do not hold: root mean square for each run (N,), on that scale.
    scores
        K surfaces.
    """

    x: np.ndarray
    mean: np.ndarray
    components: np.ndarray
    spread: np.ndarray
    leftover: np.ndarray
    scores: tuple[Surface, ...]

    def moments(self) -> np.ndarray:
        """Return the second moments (K, K) of the surfaces' leave-one-out errors over their deviations."""
        errors = np.array([surface.leave_one_out() for surface in self.scores])
        return errors @ errors.T / errors.shape[1]

    def usual_leftover(self, di_error: float, velocity_error: float) -> float:
        """Return the 95 % quantile of `leftover`, with errors of DI (1) and v (relative) added."""
        noise = np.mean(np.square([di_error, velocity_error] / self.spread))
        return float(np.sqrt(np.quantile(self.leftover, 0.95) ** 2 + noise))

    @property
    def _scale(self) -> np.ndarray:
        return np.repeat(self.spread, len(self.x))

    def project(self, course: np.ndarray) -> tuple[np.ndarray, float]:
        """Return the scores (K,) of a course (2 P,) and the root mean square of what they leave."""
        standard = (course - self.mean) / self._scale
        scores = self.components @ standard
        return scores, float(np.sqrt(np.mean((standard - scores @ self.components) ** 2)))

    def error(self, di_error: float, velocity_error: float) -> np.ndarray:
        """Return the covariance (K, K) of the scores from errors of DI (1) and v (relative), independent at each x."""
        variance = (np.repeat([di_error, velocity_error], len(self.x)) / self._scale) ** 2
        return (self.components * variance) @ self.components.T

    def course(self, points: np.ndarray) -> np.ndarray:
        """Return the emulated courses (M, 2 P) at points (M, D) of the design."""
        scores = np.column_stack([surface.mean(points) for surface in self.scores])
        return self.mean + scores @ self.components * self._scale


def read_columns(path: Path) -> dict[str, np.ndarray]:
    """Return time, x, vx and DI of a ``trace.csv``.

    Raises
    ------
    InputError
        If the file lacks a column or holds something else than numbers.
    """
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream))
    names = [header(name) for name in COLUMNS]
    missing = [name for name in names if not rows or name not in rows[0]]
    if missing:
        raise InputError(f"{path}: column {missing[0]} is missing; a trace needs {', '.join(names)}")
    try:
        return {
            name: np.array([float(row[rows[0].index(head)]) for row in rows[1:]])
            for name, head in zip(COLUMNS, names, strict=True)
        }
    except (ValueError, IndexError) as error:
        raise InputError(f"{path}: damaged ({error}); a trace is a table of numbers") from error


def sample_course(trace: Mapping[str, np.ndarray], x: np.ndarray) -> np.ndarray | None:
    """Return DI and ln v (2 P,) when the centroid first passes each position; None if it does not pass all."""
    times = [crossing_time(trace["time"], trace["x"], plane) for plane in x]
    if any(when is None for when in times):
        return None
    at = np.array(times, dtype=float)
    di, velocity = (np.interp(at, trace["time"], trace[name]) for name in ("di", "vx"))
    if (velocity <= 0).any():
        return None
    return np.concatenate([di, np.log(velocity)])


def fit_traces(folders: list[Path], runs: pd.DataFrame, design: Design, length: float) -> TraceBasis | None:
    """Return the basis of a sweep's traces.

    Parameters
    ----------
    folders
        Run folder of each row of `runs`; None is returned unless those that came through are there.
    runs, design
        The sweep.
    length
        Length of the constriction (m).
    """
    x = np.linspace(0.0, length, PLANES)
    passed = passed_runs(runs)
    courses, rows = [], []
    for row in np.flatnonzero(passed):
        path = folders[row] / "trace.csv"
        if not path.is_file():
            return None
        course = sample_course(read_columns(path), x)
        if course is not None:
            courses.append(course)
            rows.append(row)
    if len(courses) < 4 * (len(design.inputs) + 1):
        return None
    return _decompose(x, np.array(courses), design.points[rows])


def _decompose(x: np.ndarray, courses: np.ndarray, points: np.ndarray) -> TraceBasis:
    mean = courses.mean(axis=0)
    away = courses - mean
    spread = np.array([half.std() for half in np.hsplit(away, 2)])
    standard = away / np.repeat(spread, len(x))
    _, singular, right = np.linalg.svd(standard, full_matrices=False)
    held = np.cumsum(singular**2) / np.sum(singular**2)
    components = right[: min(MOST, int(np.searchsorted(held, KEPT)) + 1)]
    components *= np.sign(components.sum(axis=1))[:, None]
    scores = standard @ components.T
    leftover = np.sqrt(np.mean((standard - scores @ components) ** 2, axis=1))
    surfaces = tuple(fit_surface(points, column, log=False) for column in scores.T)
    return TraceBasis(x, mean, components, spread, leftover, surfaces)
