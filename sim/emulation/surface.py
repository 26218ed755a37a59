"""Gaussian processes over a design: one for each feature, and one for whether a cell comes through."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np

LEAST_SHARE = 3
"""Fewest runs on either side from which the border between stuck and passing cells is drawn."""


@dataclass(frozen=True)
class Surface:
    """A Gaussian process through one feature of the runs that came through.

    Attributes
    ----------
    points
        Runs as fractions of the design (N, D).
    values
        The feature (N,), in SI.
    log
        Whether its logarithm is modelled.
    theta
        Logarithms of the kernel's hyper-parameters: amplitude, D length scales, noise.

    Notes
    -----
    Matérn 5/2 with one length scale a parameter, plus noise: what the parameters do not fix, such as
    the orientation of the mesh and the sampling of the trace, is no part of the surface but of its band.
    """

    points: np.ndarray
    values: np.ndarray
    log: bool
    theta: np.ndarray

    @cached_property
    def _process(self) -> Any:
        return _regressor(self.points.shape[1], self.theta).fit(self.points, self.transform(self.values))

    def transform(self, values: np.ndarray | float) -> np.ndarray:
        """Return values of the feature on the scale that is modelled."""
        return np.log(values) if self.log else np.asarray(values, dtype=float)

    def restore(self, scaled: np.ndarray) -> np.ndarray:
        """Return modelled values in SI."""
        return np.exp(scaled) if self.log else scaled

    def predict(self, points: np.ndarray, chunk: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation (M,) at points (M, D), on the scale that is modelled.

        The deviation is that of one further run, noise included.
        """
        parts = [self._process.predict(points[k : k + chunk], return_std=True) for k in range(0, len(points), chunk)]
        means, deviations = zip(*parts, strict=True)
        return np.concatenate(means), np.concatenate(deviations)

    def leave_one_out(self) -> np.ndarray:
        """Return (value - prediction without it)/deviation of each run (N,), the hyper-parameters kept.

        Notes
        -----
        α_i/√(K⁻¹)_ii with α = K⁻¹ y; Rasmussen and Williams 2006, Eqs. 5.10 to 5.12.
        """
        process = self._process
        inverse = np.linalg.inv(process.L_)
        return np.ravel(process.alpha_) / np.sqrt(np.square(inverse).sum(axis=0))

    def mean(self, points: np.ndarray) -> np.ndarray:
        """Return the mean (M,) at points (M, D), on the scale that is modelled."""
        return self._process.predict(points)


def fit_surface(points: np.ndarray, values: np.ndarray, log: bool, start: np.ndarray | None = None) -> Surface:
    """Return the Gaussian process of largest marginal likelihood, searched from `start` or from several places."""
    regressor = _regressor(points.shape[1], start, search=True)
    scaled = np.log(values) if log else values
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a length scale at its bound: the feature does not depend on it
        regressor.fit(points, scaled)
    return Surface(points, values, log, regressor.kernel_.theta)


def _regressor(dimension: int, theta: np.ndarray | None, search: bool = False) -> Any:
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    smooth: Any = Matern(cast(Any, [1.0] * dimension), (0.05, 100.0), nu=2.5)
    kernel: Any = ConstantKernel(1.0, (1e-2, 1e4)) * smooth + WhiteKernel(1e-3, (1e-7, 1.0))
    if theta is not None:
        kernel = kernel.clone_with_theta(theta)
    return GaussianProcessRegressor(
        kernel,
        optimizer=cast(Any, "fmin_l_bfgs_b" if search else None),
        n_restarts_optimizer=1 if search and theta is None else 0,
        normalize_y=True,
        random_state=0,
    )


@dataclass(frozen=True)
class ExitModel:
    """The probability that a cell comes through.

    Attributes
    ----------
    points
        Runs as fractions of the design (N, D).
    passed
        Whether they came through (N,).
    theta
        Logarithms of the kernel's hyper-parameters; empty when too few runs lie on one side, and the
        probability is then the share that came through.
    """

    points: np.ndarray
    passed: np.ndarray
    theta: np.ndarray

    @cached_property
    def _process(self) -> Any:
        return _classifier(self.points.shape[1], self.theta).fit(self.points, self.passed)

    def probability(self, points: np.ndarray, chunk: int = 20_000) -> np.ndarray:
        """Return the probability (M,) that cells at points (M, D) come through."""
        if not len(self.theta):
            return np.full(len(points), self.passed.mean())
        parts = [self._process.predict_proba(points[k : k + chunk])[:, 1] for k in range(0, len(points), chunk)]
        return np.concatenate(parts)


def fit_exit(points: np.ndarray, passed: np.ndarray, start: np.ndarray | None = None) -> ExitModel:
    """Return the model of coming through, its hyper-parameters those of largest marginal likelihood."""
    if min(passed.sum(), (~passed).sum()) < LEAST_SHARE:
        return ExitModel(points, passed, np.zeros(0))
    classifier = _classifier(points.shape[1], start, search=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        classifier.fit(points, passed)
    return ExitModel(points, passed, classifier.kernel_.theta)


def _classifier(dimension: int, theta: np.ndarray | None, search: bool = False) -> Any:
    from sklearn.gaussian_process import GaussianProcessClassifier
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel

    smooth: Any = RBF(cast(Any, [1.0] * dimension), (0.1, 100.0))
    kernel: Any = ConstantKernel(10.0, (1e-1, 1e4)) * smooth
    if theta is not None:
        kernel = kernel.clone_with_theta(theta)
    return GaussianProcessClassifier(kernel, optimizer=cast(Any, "fmin_l_bfgs_b" if search else None), random_state=0)
