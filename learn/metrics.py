"""How well classes are told apart: accuracy, precision, recall, F1 and AUC, with 95 % intervals.

Precision, recall, F1 and AUC are means over the classes, each class once taken as the positive one; so no
class has to be named positive, and rare classes weigh as much as frequent ones.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

RESAMPLES = 1000
"""Bootstrap samples of an interval."""

_BLOCK = 50
"""Bootstrap samples taken at a time."""

_Z = 1.959964
"""Two-sided 95 % quantile of the normal distribution."""


@dataclass(frozen=True)
class Interval:
    """A value and its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4f} ({self.low:.4f} to {self.high:.4f})"


def evaluate(labels: np.ndarray, probabilities: np.ndarray, rng: np.random.Generator) -> dict[str, Any]:
    """Return all metrics of predictions on cells that were not trained on.

    Parameters
    ----------
    labels
        True classes (N,) int, each class at least once.
    probabilities
        Predicted probabilities (N, classes).
    rng
        Draws the bootstrap samples.

    Returns
    -------
    dict
        ``cells``, ``confusion`` (rows: true, columns: predicted) and for each of ``accuracy``, ``precision``,
        ``recall``, ``f1``, ``auc`` the keys ``value``, ``low``, ``high``.

    Notes
    -----
    Accuracy, precision, recall, F1: paper, Eqs. 6 to 9. The interval of the accuracy is Wilson's (1927); the
    others are percentiles of `RESAMPLES` samples of the cells with replacement, drawn within each class.
    """
    predicted = probabilities.argmax(axis=1)
    confusion, value = _all_rates(labels, predicted, probabilities, np.ones((1, len(labels))))
    # In blocks, because all samples of many cells at once would fill the memory.
    blocks = (resample(labels, min(_BLOCK, RESAMPLES - start), rng) for start in range(0, RESAMPLES, _BLOCK))
    spread = np.concatenate([_all_rates(labels, predicted, probabilities, counts)[1] for counts in blocks])
    metrics = {"accuracy": wilson(int(np.trace(confusion[0])), len(labels))}
    for name, point, samples in zip(("precision", "recall", "f1", "auc"), value[0], spread.T, strict=True):
        low, high = np.quantile(samples, (0.025, 0.975))
        metrics[name] = Interval(float(point), float(low), float(high))
    return {
        "cells": len(labels),
        "confusion": confusion[0].astype(int).tolist(),
        **{name: asdict(interval) for name, interval in metrics.items()},
    }


def compare(labels: np.ndarray, one: np.ndarray, other: np.ndarray, rng: np.random.Generator) -> dict[str, Any]:
    """Return by how much the probabilities `one` (N, classes) score above `other` on the same cells, with intervals.

    Returns
    -------
    dict
        For each of ``accuracy``, ``precision``, ``recall``, ``f1``, ``auc`` the keys ``value``, ``low``, ``high``.

    Notes
    -----
    Paired: each of `RESAMPLES` bootstrap samples of the cells, drawn within each class, judges both; percentiles.
    """
    whole = np.ones((1, len(labels)))
    point = _scores(labels, one, whole) - _scores(labels, other, whole)
    counts = resample(labels, RESAMPLES, rng)
    low, high = np.quantile(_scores(labels, one, counts) - _scores(labels, other, counts), (0.025, 0.975), axis=0)
    names = ("accuracy", "precision", "recall", "f1", "auc")
    found = zip(names, point[0], low, high, strict=True)
    return {name: asdict(Interval(float(value), float(a), float(b))) for name, value, a, b in found}


def _scores(labels: np.ndarray, probabilities: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return accuracy, precision, recall, F1 and AUC for each weighting of the cells (samples, 5)."""
    confusion, rates = _all_rates(labels, probabilities.argmax(axis=1), probabilities, counts)
    right = np.trace(confusion, axis1=1, axis2=2) / confusion.sum(axis=(1, 2))
    return np.column_stack([right, rates])


def wilson(hits: int, count: int) -> Interval:
    """Return a proportion with Wilson's interval (1927), which stays within 0 to 1 and is right near its ends."""
    share = hits / count
    centre = share + _Z**2 / (2 * count)
    half = _Z * np.sqrt(share * (1 - share) / count + _Z**2 / (4 * count**2))
    scale = 1 + _Z**2 / count
    return Interval(share, float(max(0.0, (centre - half) / scale)), float(min(1.0, (centre + half) / scale)))


def auc(labels: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the area under the ROC curve, mean over the classes, for each weighting of the cells.

    Parameters
    ----------
    labels
        True classes (N,) int.
    scores
        Score of each class (N, classes); larger means more likely.
    weights
        How often each cell counts (samples, N).

    Returns
    -------
    numpy.ndarray
        (samples,), float64.

    Notes
    -----
    The probability that a cell of the class scores above one of another class, ties counting half
    (Mann and Whitney 1947).
    """
    areas = [_one_against_rest(labels == k, scores[:, k], weights) for k in range(scores.shape[1])]
    return np.mean(areas, axis=0)


def feature_auc(labels: np.ndarray, values: np.ndarray, classes: int) -> float:
    """Return the AUC of one feature (N,) alone, mean over the classes, in the direction that suits each class.

    Nothing is fitted but the direction, so no cells are held out; 0.5 is chance.
    """
    weights = np.ones((1, len(labels)))
    areas = [float(_one_against_rest(labels == k, values, weights)[0]) for k in range(classes)]
    return float(np.mean([max(area, 1 - area) for area in areas]))


def roc(positive: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return false and true positive rates at every threshold, from (0, 0) to (1, 1)."""
    order = np.argsort(-score, kind="stable")
    last = np.append(np.diff(score[order]) != 0, True)
    hits = np.cumsum(positive[order])[last]
    alarms = np.cumsum(~positive[order])[last]
    return np.append(0, alarms / max(1, alarms[-1])), np.append(0, hits / max(1, hits[-1]))


def _one_against_rest(positive: np.ndarray, score: np.ndarray, weights: np.ndarray) -> np.ndarray:
    order = np.argsort(score, kind="stable")
    starts = np.flatnonzero(np.append(True, np.diff(score[order]) != 0))
    inside = np.add.reduceat(weights[:, order] * positive[order], starts, axis=1)
    outside = np.add.reduceat(weights[:, order] * ~positive[order], starts, axis=1)
    below = np.cumsum(outside, axis=1) - outside / 2
    return (inside * below).sum(axis=1) / (inside.sum(axis=1) * outside.sum(axis=1))


def resample(labels: np.ndarray, samples: int, rng: np.random.Generator) -> np.ndarray:
    """Return how often each cell stands in each bootstrap sample (samples, N), drawn within each class."""
    counts = np.zeros((samples, len(labels)))
    for k in np.unique(labels):
        rows = np.flatnonzero(labels == k)
        counts[:, rows] = rng.multinomial(len(rows), np.full(len(rows), 1 / len(rows)), size=samples)
    return counts


def _all_rates(
    labels: np.ndarray, predicted: np.ndarray, scores: np.ndarray, counts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return confusion matrices (samples, classes, classes) and precision, recall, F1, AUC (samples, 4)."""
    classes = scores.shape[1]
    place = np.zeros((len(labels), classes * classes))
    place[np.arange(len(labels)), labels * classes + predicted] = 1
    confusion = (counts @ place).reshape(-1, classes, classes)
    hits = np.diagonal(confusion, axis1=1, axis2=2)
    actual, called = confusion.sum(axis=2), confusion.sum(axis=1)
    # A class that is never predicted has precision 0, as scikit-learn has it.
    precision, recall = hits / np.maximum(called, 1), hits / np.maximum(actual, 1)
    f1 = 2 * hits / np.maximum(actual + called, 1)
    rates = [rate.mean(axis=1) for rate in (precision, recall, f1)]
    return confusion, np.stack([*rates, auc(labels, scores, counts)], axis=1)
