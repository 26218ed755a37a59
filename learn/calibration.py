"""Probabilities that mean what they say, and answers withheld where they would not be sure enough."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.optimize

BINS = 10
"""Bins of the expected calibration error and of the reliability diagram."""


@dataclass(frozen=True)
class Calibration:
    """What is learned from validation cells about a model's probabilities.

    Attributes
    ----------
    temperature
        Divides the logits; above 1 the model was too sure.
    scores
        1 minus the calibrated probability of the true class of each validation cell, rising (cells,).
    """

    temperature: float
    scores: tuple[float, ...]

    @classmethod
    def fit(cls, labels: np.ndarray, probabilities: np.ndarray) -> Calibration:
        """Fit on cells that were not trained on: true classes (N,) and the model's probabilities (N, classes).

        Notes
        -----
        The temperature minimises the cross-entropy (Guo et al. 2017, section 4.2), between 1/20 and 20. A share of
        1/(N + 2) of each cell counts for the other classes (Platt 1999): where every cell is classified rightly, the
        cross-entropy alone has no minimum, and the model would be made sure without bound.
        """
        rows, classes = np.arange(len(labels)), probabilities.shape[1]
        others = 1 / (len(labels) + 2)
        targets = np.full(probabilities.shape, others / max(classes - 1, 1))
        targets[rows, labels] = 1 - others

        def loss(power: float) -> float:
            likelihood = np.maximum(cooled(probabilities, math.exp(power)), 1e-12)
            return float(-(targets * np.log(likelihood)).sum(axis=1).mean())

        bounds = (-math.log(20), math.log(20))
        found: Any = scipy.optimize.minimize_scalar(loss, bounds=bounds, method="bounded")
        temperature = math.exp(found.x)
        scores = np.sort(1 - cooled(probabilities, temperature)[rows, labels])
        return cls(temperature, tuple(scores.tolist()))

    def apply(self, probabilities: np.ndarray) -> np.ndarray:
        """Return calibrated probabilities (N, classes)."""
        return cooled(probabilities, self.temperature)

    def threshold(self, risk: float) -> float:
        """Return the score above which a class is left out of a set that misses the true one at rate `risk` at most.

        Notes
        -----
        Split conformal prediction (Angelopoulos and Bates 2021, Eq. 1): the ceil((n + 1)(1 - risk))-th smallest
        score, or infinity where n is too small for that. It holds on average over cells drawn as the validation
        cells were; these also chose the epoch, which makes it a little too hopeful.
        """
        rank = math.ceil((len(self.scores) + 1) * (1 - risk))
        return self.scores[rank - 1] if rank <= len(self.scores) else math.inf

    def sets(self, calibrated: np.ndarray, risk: float) -> np.ndarray:
        """Return which classes each cell may be of (N, classes) bool, from calibrated probabilities."""
        return 1 - calibrated <= self.threshold(risk)


def cooled(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Return the probabilities whose logits are divided by `temperature`."""
    logits = np.log(np.maximum(probabilities, 1e-30)) / temperature
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def reliability(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, np.ndarray]:
    """Return cells, mean probability and accuracy of the predicted class in each of `BINS` equal bins that hold cells.

    Columns ``low``, ``high``, ``cells``, ``confidence``, ``accuracy``.
    """
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    place = np.minimum((confidence * BINS).astype(int), BINS - 1)
    filled = np.unique(place)
    return {
        "low": filled / BINS,
        "high": (filled + 1) / BINS,
        "cells": np.array([(place == k).sum() for k in filled]),
        "confidence": np.array([confidence[place == k].mean() for k in filled]),
        "accuracy": np.array([right[place == k].mean() for k in filled]),
    }


def calibration_error(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Return the expected calibration error: the mean distance of confidence and accuracy, weighted by cells.

    Naeini et al. (2015), Eq. 1; Guo et al. (2017), Eq. 3.
    """
    bins = reliability(labels, probabilities)
    return float(np.average(np.abs(bins["confidence"] - bins["accuracy"]), weights=bins["cells"]))
