"""Training of one classifier on one fold: an epoch is a pure function, the loop around it stops, keeps and resumes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from learn.batches import cell_weights, make_order, stage_rows, stage_starts, step_size
from learn.checkpoint import load_tree, save_tree
from learn.config import Diverged, TrainConfig
from learn.data import Cells
from learn.folds import Fold
from learn.models import flatten, parameter_count
from learn.scaling import Scaler
from learn.trainer import State, Trainer, copied, softmax

CHECKPOINT_SECONDS = 2.0
"""Shortest time between two checkpoints: an epoch of the small network takes a hundredth of a checkpoint's time."""
ROWS = 256
"""Cells of a dataset are filled up to a multiple of this; nothing is trained on the repeated ones."""


@dataclass(frozen=True)
class Trained:
    """A finished training.

    Attributes
    ----------
    weights
        Parameters and batch statistics of the best epoch, by name.
    history
        One record per epoch: ``epoch``, ``train_loss``, ``validation_loss``, ``validation_accuracy``.
    probabilities
        Of every cell given (N, classes), trained on or not.
    alone
        The same from ``picture`` or ``features`` alone, of a model of both with masks; empty otherwise.
    parameters
        Number of trainable parameters.
    scaler
        Fitted on the training cells.
    """

    weights: dict[str, np.ndarray]
    history: list[dict[str, float]]
    probabilities: np.ndarray
    alone: dict[str, np.ndarray]
    parameters: int
    scaler: Scaler

    @property
    def best_epoch(self) -> int:
        """Epoch of the lowest validation loss, from 1."""
        return int(np.argmin([record["validation_loss"] for record in self.history])) + 1


class Before(NamedTuple):
    """A trained model to go on from.

    Attributes
    ----------
    weights
        Parameters and batch statistics by name.
    scaler
        Its scaler, or None where one is to be fitted on the new training cells.
    last
        Whether its last layer is kept, of the same classes, or begun anew.
    """

    weights: Mapping[str, np.ndarray]
    scaler: Scaler | None
    last: bool = False


def train_fold(
    trainer: Trainer,
    cells: Cells,
    fold: Fold,
    index: int,
    checkpoint: Path | None = None,
    on_epoch: Callable[[dict[str, float]], None] = lambda record: None,
    on_step: Callable[[float], None] = lambda epochs: None,
    before: Before | None = None,
) -> Trained:
    """Train until the validation loss has not fallen for `patience` epochs; keep the best epoch's weights.

    Parameters
    ----------
    trainer
        Programs for the configuration of these cells.
    cells, fold, index
        All cells, the rows of this fold, and its number (it takes part in the seed).
    checkpoint
        File from which an interrupted training goes on, bit for bit; removed by nobody but the caller.
    on_epoch
        Called with the record of each new epoch.
    on_step
        Called with the number of epochs done, a fraction within an epoch.
    before
        What to go on from.
    """
    config = trainer.config
    scaler = (before and before.scaler) or Scaler.fit(cells, fold.train, config.align)
    arrays = *scaler.apply(cells), cells.labels, cell_weights(cells, fold.train, config)
    data = trainer.placed(tuple(jnp.asarray(_filled_up(array)) for array in arrays))
    state = trainer.start(index, before.weights, before.last) if before else trainer.start(index)
    history: list[dict[str, float]] = []
    if checkpoint is not None and checkpoint.is_file():
        arrays, history = load_tree(checkpoint, state)
        state = trainer.placed(copied(arrays))
    saved = time.monotonic()
    while not _finished(history, config):
        done = len(history)
        rng = np.random.default_rng([config.seed, index, done + 1])
        order = make_order(cells, stage_rows(cells, fold.train, done, config), config, rng)
        keys = rng.integers(2**32, size=(len(order[0]), 2), dtype=np.uint32)
        rate = step_size(history, config)
        state, loss = trainer.epoch(state, data, order, keys, rate, lambda part, done=done: on_step(done + part))
        state, record = _validate(trainer, state, data, fold, cells.labels, history, loss)
        history.append(record)
        on_epoch(record)
        if checkpoint is not None and time.monotonic() - saved >= CHECKPOINT_SECONDS:
            save_tree(checkpoint, state, history)
            saved = time.monotonic()
    return _kept(trainer, state, history, data, len(cells), scaler)


def _filled_up(array: np.ndarray) -> np.ndarray:
    """Return an array with its last row repeated: datasets of nearly the same size are served by the same programs."""
    missing = -len(array) % ROWS
    return np.concatenate([array, np.repeat(array[-1:], missing, axis=0)]) if missing else array


def _kept(
    trainer: Trainer,
    state: State,
    history: list[dict[str, float]],
    data: tuple[jax.Array, ...],
    count: int,
    scaler: Scaler,
) -> Trained:
    best = state.best_parameters, state.best_statistics
    everything = np.arange(count)
    probabilities, alone = softmax(trainer.predict(*best, data, everything)), {}
    if trainer.config.masks and trainer.config.uses_images:
        features, images = (jnp.full_like(array, jnp.nan) for array in data[:2])
        alone["picture"] = softmax(trainer.predict(*best, (features, data[1]), everything))
        alone["features"] = softmax(trainer.predict(*best, (data[0], images), everything))
    weights = {name: array for part in best for name, array in flatten(part).items()}
    return Trained(weights, history, probabilities, alone, parameter_count(trainer.parameter_shapes), scaler)


def _validate(
    trainer: Trainer,
    state: State,
    data: tuple[jax.Array, ...],
    fold: Fold,
    labels: np.ndarray,
    history: Sequence[dict[str, float]],
    train_loss: float,
) -> tuple[State, dict[str, float]]:
    rows = fold.validation
    probabilities = softmax(trainer.predict(state.parameters, state.statistics[0], data, rows))
    likelihood = np.maximum(probabilities[np.arange(len(rows)), labels[rows]], 1e-12)
    record = {
        "epoch": len(history) + 1,
        "train_loss": train_loss,
        "validation_loss": float(-np.log(likelihood).mean()),
        "validation_accuracy": float((probabilities.argmax(axis=1) == labels[rows]).mean()),
    }
    if not math.isfinite(train_loss) or not math.isfinite(record["validation_loss"]):
        raise Diverged(
            f"training diverged in epoch {record['epoch']}: lower --learning-rate ({trainer.config.learning_rate:g})"
        )
    if all(record["validation_loss"] < earlier["validation_loss"] for earlier in history):
        best = copied((state.parameters, state.statistics[0]))
        state = state._replace(best_parameters=best[0], best_statistics=best[1])
    return state, record


def _finished(history: Sequence[dict[str, float]], config: TrainConfig) -> bool:
    if not history:
        return False
    # Patience begins with the last stage: an earlier one is not to end for want of experimental cells.
    begin = stage_starts(config)[1] if config.schedule == "staged" else 0
    best = max(begin, int(np.argmin([record["validation_loss"] for record in history])) + 1)
    return len(history) >= config.epochs or len(history) - best >= config.patience
