"""Which cells a step trains on, how much each of them counts, and how large the step is."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from learn.config import TrainConfig
from learn.data import Cells


def make_order(cells: Cells, rows: np.ndarray, config: TrainConfig, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Return the batches of an epoch over the training cells `rows`, one array for each set of batch statistics.

    Notes
    -----
    With separate statistics the first array holds experimental cells, the second simulated ones, half a batch each;
    the fewer cells are repeated until the others are through.
    """
    if config.norm == "shared":
        return (batches(rows, config.batch, rng),)
    kinds = rows[~cells.simulated[rows]], rows[cells.simulated[rows]]
    if not all(map(len, kinds)):
        order = [batches(kind, config.batch, rng) if len(kind) else np.empty((0, 0), int) for kind in kinds]
        steps = max(map(len, order))
        return tuple(part.reshape(steps, -1) for part in order)
    half = min(config.batch // 2, *map(len, kinds))
    steps = max(map(len, kinds)) // half
    return tuple(_repeated(kind, steps, half, rng) for kind in kinds)


def _repeated(rows: np.ndarray, steps: int, size: int, rng: np.random.Generator) -> np.ndarray:
    turns = math.ceil(steps * size / len(rows))
    return np.concatenate([rng.permutation(rows) for _ in range(turns)])[: steps * size].reshape(steps, size)


def batches(rows: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """Return `rows` shuffled, as (steps, batch); the rest of an uneven division sits this epoch out.

    Notes
    -----
    Steps of one size need one program, and batch norm over a last batch of one or two cells would be noise.
    """
    size = min(size, len(rows))
    steps = len(rows) // size
    return rng.permutation(rows)[: steps * size].reshape(steps, size)


def cell_weights(cells: Cells, rows: np.ndarray, config: TrainConfig) -> np.ndarray:
    """Return each cell's weight in the loss (N,) float32: that of its dataset, times that of its class.

    Notes
    -----
    Balanced classes have weights inverse to what the training cells `rows` of the class weigh together.
    """
    weights = np.ones(len(cells))
    if config.weights:
        weights = np.array(config.weights)[cells.source]
    if config.balance:
        sums = np.bincount(cells.labels[rows], weights[rows], minlength=len(cells.classes))
        weights = weights * (sums.mean() / sums)[cells.labels]
    return weights.astype(np.float32)


def stage_rows(cells: Cells, rows: np.ndarray, epoch: int, config: TrainConfig) -> np.ndarray:
    """Return which of the training cells `rows` the epoch (from 0) trains on."""
    mixed, last = stage_starts(config)
    if config.schedule == "together" or mixed <= epoch < last:
        return rows
    return rows[cells.simulated[rows] == (epoch < mixed)]


def step_size(history: Sequence[dict[str, float]], config: TrainConfig) -> float:
    """Return the factor of the learning rate after the epochs so far: a tenth for each plateau."""
    factor, best, waited = 1.0, math.inf, 0
    for record in history if config.plateau else ():
        waited = 0 if record["validation_loss"] < best else waited + 1
        best = min(best, record["validation_loss"])
        if waited >= config.plateau:
            factor, waited = factor / 10, 0
    return factor


def stage_starts(config: TrainConfig) -> tuple[int, int]:
    """Return the epochs, from 0, in which all cells begin to train and experimental ones alone."""
    mixed, last = (math.ceil(part * config.epochs) for part in config.stages)
    return mixed, last
