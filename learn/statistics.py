"""Statistics of features and of comparisons: correlation, regression, and the corrected resampled t-test."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.stats

if TYPE_CHECKING:
    from learn.data import Cells


def correlate(cells: Cells) -> dict[str, list[Any]]:
    """Return correlation and regression of each pair of features, over all cells and within each class, as columns.

    Parameters
    ----------
    cells
        Cells with at least two features.

    Returns
    -------
    dict
        Columns ``x``, ``y``, ``cells`` (``all`` or a class), ``count``, ``pearson`` and ``pearson_p``, ``spearman``
        and ``spearman_p``, and the slope of y over x, both scaled to 0 to 1 over all cells: ``slope``, ``slope_se``.
        Correlations of a constant feature are NaN.

    Notes
    -----
    Paper, Fig. 2(d) and (e). P-values are two-sided, for independent cells. A correlation over all cells mixes that
    within the classes with the difference between them, and may have the other sign.
    """
    rows: list[dict[str, Any]] = []
    low, high = np.nanmin(cells.features, axis=0), np.nanmax(cells.features, axis=0)
    scaled = (cells.features - low) / np.where(high > low, high - low, 1.0)
    sets = [("all", np.arange(len(cells)))]
    sets += [(name, np.flatnonzero(cells.labels == k)) for k, name in enumerate(cells.classes)]
    for (i, x), (j, y) in itertools.combinations(enumerate(cells.names), 2):
        for name, chosen in sets:
            rows.append({"x": x, "y": y, "cells": name} | _pair(scaled[chosen, i], scaled[chosen, j]))
    return {key: [row[key] for row in rows] for key in rows[0]}


def _pair(x: np.ndarray, y: np.ndarray) -> dict[str, float]:
    known = np.isfinite(x) & np.isfinite(y)
    x, y = x[known], y[known]
    facts = dict.fromkeys(("pearson", "pearson_p", "spearman", "spearman_p", "slope", "slope_se"), np.nan)
    if len(x) > 2 and np.ptp(x) > 0 and np.ptp(y) > 0:
        line: Any = scipy.stats.linregress(x, y)
        ranks: Any = scipy.stats.spearmanr(x, y)
        found = (line.rvalue, line.pvalue, ranks.statistic, ranks.pvalue, line.slope, line.stderr)
        facts = dict(zip(facts, map(float, found), strict=True))
    return {"count": len(x), **facts}


def corrected_t_test(differences: np.ndarray, train: float, test: float) -> tuple[float, float]:
    """Return t and the two-sided p-value for a mean difference of 0 between two models over resampled cells.

    Parameters
    ----------
    differences
        Accuracy of one model minus that of the other on the test cells of each fold (folds,).
    train, test
        Cells in training and in the test of a fold.

    Notes
    -----
    Folds share training cells, so that their differences are not independent and the plain t-test finds
    differences where there are none. Nadeau and Bengio (2003), section 4.1: the variance of the mean is taken as
    (1/n + test/train) s² with n - 1 degrees of freedom. No difference at all gives t = 0, p = 1.
    """
    count = len(differences)
    if count < 2:
        return 0.0, 1.0
    mean, variance = float(np.mean(differences)), float(np.var(differences, ddof=1))
    if variance == 0:
        return (0.0, 1.0) if mean == 0 else (float(np.copysign(np.inf, mean)), 0.0)
    t = mean / np.sqrt((1 / count + test / train) * variance)
    return float(t), float(2 * scipy.stats.t.sf(abs(t), count - 1))


def mean_interval(values: np.ndarray, overlap: float) -> tuple[float, float, float]:
    """Return the mean over resampled cells and its 95 % interval by Student's t; one value has no interval (NaN).

    Parameters
    ----------
    values
        One of each draw (draws,).
    overlap
        Cells that test over the others, among which draws share cells: the variance of the mean is (1/n + overlap) s²
        (Nadeau and Bengio 2003, as in `corrected_t_test`).
    """
    mean = float(np.mean(values))
    if len(values) < 2:
        return mean, float("nan"), float("nan")
    spread = np.std(values, ddof=1) * np.sqrt(1 / len(values) + overlap)
    half = float(scipy.stats.t.ppf(0.975, len(values) - 1) * spread)
    return mean, mean - half, mean + half


def over_cells_and_draws(right: np.ndarray, labels: np.ndarray, samples: int, rng: np.random.Generator) -> np.ndarray:
    """Return accuracies (samples, ways) of several ways to classify, of bootstrap samples of draws and of cells.

    Parameters
    ----------
    right
        Whether a cell was classified rightly in a draw, in each way (ways, draws, cells): 1 or 0, NaN where it was not
        tested.
    labels
        Of the cells (cells,); they are drawn within each class.
    samples
        How many.
    rng
        Draws them.

    Notes
    -----
    Draws that share their cells are not independent, and their spread says nothing about other cells; both are drawn
    with replacement (Owen 2007, the pigeonhole bootstrap). Ways are compared on the same samples.
    """
    from learn.metrics import resample

    counts = resample(labels, samples, rng)
    known = np.isfinite(right).astype(float)
    hits = np.einsum("sc,wdc->swd", counts, np.nan_to_num(right))
    rates = hits / np.maximum(np.einsum("sc,wdc->swd", counts, known), 1)
    draws = rng.integers(right.shape[1], size=(samples, 1, right.shape[1]))
    return np.take_along_axis(rates, np.broadcast_to(draws, rates.shape), axis=2).mean(axis=2)
