"""The emulator of a sweep: what a cell of any parameters within the design would do, with error bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.command import InputError
from sim.emulation.inputs import Design, make_design
from sim.emulation.surface import ExitModel, Surface, fit_exit, fit_surface
from sim.features import FEATURES
from sim.trace import Outcome

if TYPE_CHECKING:
    import pandas as pd

    from sim.emulation.traces import TraceBasis

OUTPUTS = ("deformation_index", "max_velocity", "transition_time", "deformation_rate", "recovery_rate")
"""Features that are emulated."""
LINEAR = ("deformation_index", "deformation_index_mid", "deformation_index_ellipse")
"""Features modelled as they are; of all others the logarithm is, since they are positive and span decades."""
NORMAL_95 = 1.959964
"""Half width of the 95 % interval of a normal distribution, in standard deviations."""


@dataclass(frozen=True)
class Score:
    """How far cross-validated predictions of one feature are from the simulations.

    Attributes
    ----------
    rmse
        Root mean square error, on the scale that is modelled: of ln for all but the deformation index.
    coverage
        Share of runs within their 95 % interval.
    r2
        Share of the variance that is explained.
    runs
        Number of runs.
    """

    rmse: float
    coverage: float
    r2: float
    runs: int


@dataclass(frozen=True)
class Emulator:
    """Gaussian processes over the design of a sweep.

    Attributes
    ----------
    design
        The parameters and the region in which they may lie.
    exit
        Probability of coming through.
    surfaces
        One for each feature, through the runs that came through.
    scores
        Their cross-validated errors.
    moments
        Second moments (F, F) of the features' cross-validated errors over the predicted deviations, in the order of
        `surfaces`: near 1 on the diagonal if the bands are right, off it how errors go together.
    traces
        The courses DI(x) and v(x), or None when the runs' folders were not there.
    meta
        Where it comes from: preset names, number of runs, runs left out, score of `exit`.
    """

    design: Design
    exit: ExitModel
    surfaces: Mapping[str, Surface]
    scores: Mapping[str, Score] = field(default_factory=dict)
    moments: np.ndarray = field(default_factory=lambda: np.eye(0))
    traces: TraceBasis | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)

    def predict(self, points: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Return value and ends of its 95 % interval, each (M,) in SI, of every feature at points (M, D)."""
        found = {}
        for name, surface in self.surfaces.items():
            mean, deviation = surface.predict(points)
            ends = (mean, mean - NORMAL_95 * deviation, mean + NORMAL_95 * deviation)
            found[name] = tuple(surface.restore(values) for values in ends)
        return found


def passed_runs(table: pd.DataFrame) -> np.ndarray:
    """Return which runs of a sweep's table came through (N,)."""
    return np.array([Outcome[name].passed for name in table["outcome"]])


def usable(table: pd.DataFrame) -> pd.DataFrame:
    """Return the runs that say whether a cell comes through: finished and not unstable.

    Raises
    ------
    InputError
        If there is none.
    """
    known = np.array([name in Outcome.__members__ and name != "UNSTABLE" for name in table["outcome"]])
    if not known.any():
        raise InputError("the sweep holds no finished run: wait for it, or run it again")
    return table.loc[known].reset_index(drop=True)


def fit_emulator(
    table: pd.DataFrame,
    units: Mapping[str, str],
    over: Sequence[str] = (),
    outputs: Sequence[str] = OUTPUTS,
    start: Emulator | None = None,
    constants: Mapping[str, Any] | None = None,
) -> Emulator:
    """Return the emulator of a sweep, without its cross-validated errors (`sim.emulation.crossval`).

    Parameters
    ----------
    table
        A sweep's table: one row a run, parameters, features and ``outcome``, in SI.
    units
        Unit of each column.
    over
        Parameters to take; all that vary if empty.
    outputs
        Features to emulate, of `sim.features.FEATURES`.
    start
        An emulator whose hyper-parameters the search starts from.
    constants
        Fields of the configuration that are the same for all runs and no columns.

    Raises
    ------
    InputError
        If too few runs came through for the number of parameters.
    """
    runs = usable(table)
    design = make_design(runs, units, over, constants)
    passed = passed_runs(runs)
    least = 4 * (len(design.inputs) + 1)
    surfaces = {}
    for name in outputs:
        values = runs[name].to_numpy(dtype=float)
        rows = passed & np.isfinite(values)
        log = name not in LINEAR
        if log:
            rows &= np.where(np.isfinite(values), values, 0.0) > 0
        if rows.sum() < least:
            raise InputError(
                f"{name} is known of {rows.sum()} runs; {least} are needed for {len(design.inputs)} parameters "
                f"({', '.join(design.names)}): sweep more cells, or fewer parameters"
            )
        theta = start.surfaces[name].theta if start else None
        surfaces[name] = fit_surface(design.points[rows], values[rows], log, theta)
    exit_theta = start.exit.theta if start and len(start.exit.theta) else None
    return Emulator(design, fit_exit(design.points, passed, exit_theta), surfaces)


def unit_of(name: str) -> str:
    """Return the unit of a feature, empty for a pure number."""
    unit = FEATURES[name].unit
    return "" if unit == "1" else unit
