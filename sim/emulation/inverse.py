"""From what was measured of one cell to its stiffness: the posterior over a grid of the design."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.interpolate import RegularGridInterpolator
from scipy.special import log_expit, logit, logsumexp
from scipy.stats import chi2

from sim.command import InputError
from sim.emulation.emulator import Emulator
from sim.emulation.surface import Surface

COARSE = {1: 40, 2: 28, 3: 14}
FINE = {1: 1000, 2: 140, 3: 56}
"""Points along each unknown parameter, by their number: where the emulator is asked, and of the posterior; in between
the emulator's smooth means and deviations are splined."""
NODES = 7
"""Gauss–Hermite nodes over a known parameter's error."""
LEVELS = (0.5, 0.95)
"""Probabilities of the intervals and regions."""
ALIKE = 0.9
"""Correlation of two parameters above which they are said not to be told apart."""
VAGUE = 0.8
"""Width of an interval over that of the design above which a parameter is said not to be determined."""
LEAST_P = 1e-3
"""Probability of a worse fit below which a cell is said to be unlike all in the design."""


class Value(NamedTuple):
    """A measured value and its standard error, in SI."""

    value: float
    error: float = 0.0


class Evidence(NamedTuple):
    """What was measured: vector (K,), covariance of its error (K, K), and the surfaces that emulate it.

    `moments` (K, K) are the second moments of the surfaces' errors over their deviations.
    """

    measured: np.ndarray
    covariance: np.ndarray
    surfaces: list[Surface]
    moments: np.ndarray


@dataclass(frozen=True)
class Posterior:
    """Probabilities of the unknown parameters on a grid.

    Attributes
    ----------
    names
        The unknown parameters (1 to 3).
    axes
        Their values along the grid, in SI.
    units
        Their units.
    logs
        Whether the grid is even in the logarithm.
    probability
        On the grid, sum 1.
    p_value
        Probability of a worse fit than that of the likeliest point.
    """

    names: tuple[str, ...]
    axes: tuple[np.ndarray, ...]
    units: tuple[str, ...]
    logs: tuple[bool, ...]
    probability: np.ndarray
    p_value: float

    def marginal(self, *names: str) -> np.ndarray:
        """Return the probabilities over some of the parameters, in the grid's order."""
        return self.probability.sum(axis=tuple(k for k, n in enumerate(self.names) if n not in names))

    def quantile(self, name: str, levels: list[float]) -> np.ndarray:
        """Return quantiles of one parameter, in SI."""
        axis, log = self._axis(name)
        cumulative = np.cumsum(self.marginal(name))
        middle = cumulative - self.marginal(name) / 2
        at = np.interp(levels, middle, axis)
        return np.exp(at) if log else at

    def interval(self, name: str, level: float) -> tuple[float, float]:
        """Return the ends of the central interval of a probability, in SI."""
        low, high = self.quantile(name, [(1 - level) / 2, (1 + level) / 2])
        return float(low), float(high)

    def rank(self, name: str, value: float) -> float:
        """Return the probability that a parameter is below a value in SI."""
        axis, log = self._axis(name)
        at = np.log(value) if log else value
        return float(np.interp(at, axis + (axis[1] - axis[0]) / 2, np.cumsum(self.marginal(name)), left=0.0))

    def width(self, name: str) -> float:
        """Return the width of the 95 % interval over that of the prior's, 0 to 1, in ln for logarithmic axes."""
        axis, log = self._axis(name)
        low, high = self.interval(name, 0.95)
        span = np.log(high / low) if log else high - low
        return float(span / (0.95 * (axis[-1] - axis[0])))

    def correlation(self) -> np.ndarray:
        """Return the correlation between the parameters, of the logarithms where the grid has them."""
        grids = np.meshgrid(*(self._axis(name)[0] for name in self.names), indexing="ij")
        values = np.array([g.ravel() for g in grids])
        weights = self.probability.ravel()
        away = values - (values @ weights)[:, None]
        covariance = (away * weights) @ away.T
        deviation = np.sqrt(np.diag(covariance))
        return covariance / np.outer(deviation, deviation)

    def _axis(self, name: str) -> tuple[np.ndarray, bool]:
        k = self.names.index(name)
        return (np.log(self.axes[k]) if self.logs[k] else self.axes[k]), self.logs[k]

    def warnings(self) -> list[str]:
        """Return what the posterior does not decide, one sentence each."""
        found = []
        if self.p_value < LEAST_P:
            found.append(
                f"no cell of the design fits (p = {self.p_value:.1g}): the intervals say nothing; "
                "check units, errors, drive and channel"
            )
        for name in self.names:
            if self.width(name) > VAGUE:
                found.append(
                    f"{name} is not determined: its 95 % interval is {100 * self.width(name):.0f} % as wide as "
                    "before the measurement"
                )
            elif self._at_edge(name):
                found.append(f"{name} lies at the edge of the design: the interval is cut off there; sweep further")
        correlation = self.correlation()
        for i, first in enumerate(self.names):
            for j in range(i + 1, len(self.names)):
                if abs(correlation[i, j]) > ALIKE:
                    found.append(
                        f"{first} and {self.names[j]} cannot be told apart (posterior correlation "
                        f"{correlation[i, j]:.2f}): only a combination of them is determined"
                    )
        return found

    def _at_edge(self, name: str) -> bool:
        """Return whether the density at an end of the design is above a tenth of the largest."""
        density = self.marginal(name)
        return bool(max(density[0], density[-1]) > 0.1 * density.max())


def feature_evidence(emulator: Emulator, observed: Mapping[str, Value]) -> Evidence:
    """Return measured features as evidence.

    Raises
    ------
    InputError
        If there is none, a feature is not emulated, or a value is not positive where its logarithm is modelled.
    """
    if not observed:
        raise InputError(f"nothing was measured: give one or more of {', '.join(emulator.surfaces)}, or --trace")
    names, values, errors = list(emulator.surfaces), [], []
    for name, (value, error) in observed.items():
        if name not in emulator.surfaces:
            raise InputError(f"{name} is not emulated; there are {', '.join(names)}")
        log = emulator.surfaces[name].log
        if log and value <= 0:
            raise InputError(f"{name} = {value:g}: must be positive; check its sign and unit")
        values.append(np.log(value) if log else value)
        errors.append(error / value if log else error)
    rows = [names.index(name) for name in observed]
    return Evidence(
        np.array(values),
        np.diag(np.square(errors)),
        [emulator.surfaces[name] for name in observed],
        emulator.moments[np.ix_(rows, rows)],
    )


def posterior(emulator: Emulator, known: Mapping[str, Value], evidence: Evidence) -> Posterior:
    """Return the posterior of the parameters that are not known.

    Parameters
    ----------
    emulator
        What the cells of the design do.
    known
        Parameters that were measured, with their errors.
    evidence
        What was measured of the passage.

    Raises
    ------
    InputError
        If a known parameter is outside of the design, or none or more than three are unknown.

    Notes
    -----
    The prior is even over the design, in the logarithm where the design is logarithmic. The likelihood is
    normal, of the emulator's error and that of the measurement, times the probability of coming through.
    """
    design = emulator.design
    unknown = [item for item in design.inputs if item.name not in known]
    if not 1 <= len(unknown) <= 3:
        raise InputError(
            f"{len(unknown)} parameters are unknown ({', '.join(i.name for i in unknown) or 'none'}): "
            f"one to three can be; give the others of {', '.join(design.names)}"
        )
    steps = (np.arange(FINE[len(unknown)]) + 0.5) / FINE[len(unknown)]
    logs, misfits = [], []
    for values, weight in _known_cells(emulator, known):
        density, misfit = _log_likelihood(emulator, evidence, values, steps, len(unknown))
        logs.append(np.log(weight) + density)
        misfits.append(misfit)
    total = logsumexp(logs, axis=0)
    if not np.isfinite(total).any():
        raise InputError("no run of the design has a combination like the known parameters; stay nearer to its runs")
    probability = np.exp(total - total.max())
    return Posterior(
        tuple(i.name for i in unknown),
        tuple(i.unscale(steps) for i in unknown),
        tuple(i.unit for i in unknown),
        tuple(i.log for i in unknown),
        probability / probability.sum(),
        float(chi2.sf(min(misfits), len(evidence.measured))),
    )


def _known_cells(emulator: Emulator, known: Mapping[str, Value]) -> list[tuple[dict[str, float], float]]:
    """Return the known parameters, scaled, over the Gauss–Hermite nodes of their errors, with weights."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    cells: list[tuple[dict[str, float], float]] = [({}, 1.0)]
    for item in emulator.design.inputs:
        if item.name not in known:
            continue
        value, error = known[item.name]
        item.require(value)
        spread = [(value + error * n, w) for n, w in zip(nodes, weights, strict=True)]
        options = [(v, w) for v, w in spread if item.low <= v <= item.high] if error else [(value, 1.0)]
        cells = [(cell | {item.name: float(item.scale(v))}, weight * w) for cell, weight in cells for v, w in options]
    return cells


def _points(names: Sequence[str], values: Mapping[str, float], steps: np.ndarray, unknown: int) -> np.ndarray:
    """Return the grid of the unknown parameters, with the known ones, as points (M, D)."""
    grids = iter(g.ravel() for g in np.meshgrid(*[steps] * unknown, indexing="ij"))
    return np.column_stack(
        [np.full(len(steps) ** unknown, values[name]) if name in values else next(grids) for name in names]
    )


def _log_likelihood(
    emulator: Emulator, evidence: Evidence, values: Mapping[str, float], steps: np.ndarray, unknown: int
) -> tuple[np.ndarray, float]:
    """Return ln of the likelihood on the grid, -inf outside of the design, and the smallest χ² of the fits."""
    names, coarse = emulator.design.names, np.linspace(0, 1, COARSE[unknown])
    at = _points(names, values, coarse, unknown)
    shape = (len(coarse),) * unknown
    predictions = [surface.predict(at) for surface in evidence.surfaces]
    columns = [p[0] for p in predictions] + [np.log(p[1]) for p in predictions]
    columns.append(logit(np.clip(emulator.exit.probability(at), 1e-9, 1 - 1e-9)))
    between = RegularGridInterpolator([coarse] * unknown, np.stack(columns, -1).reshape(*shape, -1), method="cubic")
    fine = _points(names, values, steps, unknown)
    inside = emulator.design.inside(fine)
    found = np.full(len(fine), -np.inf)
    misfit = np.inf
    if inside.any():
        free = [k for k, name in enumerate(names) if name not in values]
        asked = between(fine[inside][:, free])
        density, misfit = _log_normal(evidence, asked[:, :-1])
        found[inside] = density + log_expit(asked[:, -1])
    return found.reshape((len(steps),) * unknown), misfit


def _log_normal(evidence: Evidence, asked: np.ndarray) -> tuple[np.ndarray, float]:
    """Return ln of the normal density (M,) for means and ln of deviations (M, 2 K), and the smallest χ²."""
    count = len(evidence.measured)
    error, deviation = evidence.measured - asked[:, :count], np.exp(asked[:, count:])
    covariance = evidence.moments * deviation[:, :, None] * deviation[:, None, :] + evidence.covariance
    lower = np.linalg.cholesky(covariance)
    misfit = np.square(np.linalg.solve(lower, error[:, :, None])[:, :, 0]).sum(axis=1)
    return -misfit / 2 - np.log(np.diagonal(lower, axis1=1, axis2=2)).sum(axis=1), float(misfit.min())
