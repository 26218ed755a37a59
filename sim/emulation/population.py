"""Populations of cells: diameters and stiffnesses that go together, cut off where the design ends."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri
from scipy.stats import qmc

from sim.emulation.emulator import Emulator

SIZE, STIFFNESS = "cell.diameter", "cell.ks"
PARAMETERS = ("diameter_mean", "diameter_sd", "ks_median", "ks_spread", "correlation")
CELLS = 512


@dataclass(frozen=True)
class Population:
    """Normal diameters and lognormal Ks.

    Attributes
    ----------
    diameter_mean, diameter_sd
        Of the normal distribution (m).
    ks_median
        Of the lognormal distribution (N/m).
    ks_spread
        Standard deviation of ln Ks.
    correlation
        Between diameter and ln Ks.
    """

    diameter_mean: float
    diameter_sd: float
    ks_median: float
    ks_spread: float
    correlation: float


@dataclass(frozen=True)
class Cells:
    """Cells drawn from a population.

    Attributes
    ----------
    values
        Parameters and features of each cell (N,), in SI.
    weight
        Probability of lying in the design and coming through (N,).
    share
        Probability of lying in the design (N,).
    cut
        Share of the population that lies outside of the design.
    """

    values: Mapping[str, np.ndarray]
    weight: np.ndarray
    share: np.ndarray
    cut: float

    @property
    def stuck(self) -> float:
        """Return the share of the cells within the design that do not come through."""
        return float(1 - self.weight.sum() / self.share.sum()) if self.share.any() else 1.0

    @property
    def lost(self) -> float:
        """Return the share of the population that is outside of the design or does not come through."""
        return 1 - (1 - self.cut) * (1 - self.stuck)

    def mean(self, name: str) -> float:
        """Return the mean over the cells that come through."""
        return float(np.average(self.values[name], weights=self.weight))

    def sd(self, name: str) -> float:
        """Return the standard deviation over the cells that come through."""
        return float(np.sqrt(np.average((self.values[name] - self.mean(name)) ** 2, weights=self.weight)))

    def correlation(self, first: str, second: str) -> float:
        """Return Pearson's correlation over the cells that come through."""
        away = [self.values[name] - self.mean(name) for name in (first, second)]
        return float(np.average(away[0] * away[1], weights=self.weight) / (self.sd(first) * self.sd(second)))

    def median(self, name: str) -> float:
        """Return the median over the cells that come through."""
        order = np.argsort(self.values[name])
        share = np.cumsum(self.weight[order]) / self.weight.sum()
        return float(self.values[name][order][np.searchsorted(share, 0.5)])


def normal_draws(count: int = CELLS) -> np.ndarray:
    """Return the same quasi-random probabilities (N, 2) at each call, so that a fit sees no noise.

    `count` is a power of two.
    """
    return qmc.Sobol(2, scramble=False).random(count) + 0.5 / count


def draw_cells(
    emulator: Emulator,
    population: Population,
    fixed: Mapping[str, float],
    draws: np.ndarray,
    features: Collection[str] | None = None,
) -> Cells:
    """Return what cells of a population do, by the emulator's means.

    Parameters
    ----------
    emulator
        Must depend on diameter and Ks.
    population
        What the cells are drawn from.
    fixed
        The other parameters, the same for all cells.
    draws
        Probabilities (N, 2).
    features
        What is wanted of the cells; all that is emulated if None.

    Notes
    -----
    Each distribution is truncated where the design ends; by the inverse of its distribution function, so that
    the cells move smoothly with the population's parameters.
    """
    items = dict(zip(emulator.design.names, emulator.design.inputs, strict=True))
    p, size, stiff = population, items[SIZE], items[STIFFNESS]
    deviates, kept = _truncated(draws[:, 0], (np.array([size.low, size.high]) - p.diameter_mean) / p.diameter_sd)
    diameter = p.diameter_mean + p.diameter_sd * deviates
    middle = np.log(p.ks_median) + p.ks_spread * p.correlation * deviates
    width = p.ks_spread * np.sqrt(1 - p.correlation**2)
    ends = (np.log([[stiff.low], [stiff.high]]) - middle) / width
    rest, kept_each = _truncated(draws[:, 1], ends)
    columns = {SIZE: diameter, STIFFNESS: np.exp(middle + width * rest)}
    columns |= {name: np.full(len(draws), value) for name, value in fixed.items()}
    points = np.clip(emulator.design.scale(columns), 0, 1)
    inside = emulator.design.inside(points)
    wanted = [name for name in emulator.surfaces if features is None or name in features]
    found = {name: emulator.surfaces[name].restore(emulator.surfaces[name].mean(points)) for name in wanted}
    cut = 1 - float(kept * np.mean(kept_each * inside))
    share = kept_each * inside
    return Cells(columns | found, emulator.exit.probability(points) * share, share, cut)


def _truncated(probability: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return deviates of a normal distribution between two ends, and the probability between them."""
    low, high = ndtr(ends[0]), ndtr(ends[1])
    inside = low + probability * (high - low)
    return ndtri(np.clip(inside, 1e-12, 1 - 1e-12)), high - low
