"""Training of one classifier on one fold: an epoch is a pure function, the loop around it stops, keeps and resumes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from learn.augment import augment, hide
from learn.checkpoint import load_tree, save_tree
from learn.config import Diverged, TrainConfig
from learn.data import Cells
from learn.folds import Fold
from learn.models import abstract, flatten, initialise, parameter_count, restore
from learn.runtime import compiler_options
from learn.scaling import Scaler

CHECKPOINT_SECONDS = 2.0
"""Shortest time between two checkpoints: an epoch of the small network takes a hundredth of a checkpoint's time."""

CHUNK = 256
"""Cells per call when predicting; the last call is filled up, so that one program serves any number."""


class State(NamedTuple):
    """All that training changes: arrays of the model, of the optimiser, and of the best model so far."""

    parameters: Any
    statistics: Any
    optimiser: Any
    best_parameters: Any
    best_statistics: Any


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


class Trainer:
    """The compiled programs of one configuration; they serve every fold.

    Parameters
    ----------
    config
        The model and its training.
    classes
        Number of classes.
    """

    def __init__(self, config: TrainConfig, classes: int) -> None:
        self.config = config
        self.graph, self.parameter_shapes, self.statistic_shapes = abstract(config, classes)
        self.optimiser = optax.adamw(config.learning_rate, weight_decay=config.weight_decay, mask=_kernels)
        options = compiler_options()
        self.begin = jax.jit(self._begin)
        self.run_steps = jax.jit(self._steps, donate_argnums=(0, 1, 2), compiler_options=options)
        self.logits = jax.jit(self._logits, compiler_options=options)
        self.latents = jax.jit(self._latents, compiler_options=options)

    def start(self, fold: int, weights: Mapping[str, np.ndarray] | None = None) -> State:
        """Return the state before the first epoch of a fold, if given from `weights` by name but for the last layer."""
        rng = np.random.default_rng([self.config.seed, fold])
        parameters = initialise(self.parameter_shapes, rng)
        statistics = initialise(self.statistic_shapes, rng)
        if weights is not None:
            last = {name: array for name, array in flatten(parameters).items() if name.startswith("output.")}
            parameters = restore(self.parameter_shapes, {**weights, **last})
            statistics = restore(self.statistic_shapes, weights)
        arrays = self.begin(parameters, statistics)
        return State(*arrays, *_copy(arrays[:2]))

    def epoch(
        self,
        state: State,
        data: tuple[jax.Array, ...],
        order: np.ndarray,
        keys: np.ndarray,
        rate: float,
        on_step: Callable[[float], None],
    ) -> tuple[State, float]:
        """Train on the batches `order` (steps, batch) of row numbers; return the state and the mean loss.

        `keys` (steps, 2) uint32 draw what is random within each step; `rate` multiplies the optimiser's step.
        """
        # The small network's steps are one program: starting a program costs more than a step. A ResNet's are not,
        # because XLA compiles the body of a loop without its faster threaded convolutions.
        together = 1 if self.config.uses_images else len(order)
        arrays, losses = tuple(state[:3]), []
        for start in range(0, len(order), together):
            part = slice(start, start + together)
            turns = jnp.asarray(order[part]), jnp.asarray(keys[part])
            arrays, loss = self.run_steps(*arrays, *data, jnp.float32(rate), *turns)
            losses.append(np.asarray(loss, float))
            on_step((start + together) / len(order))
        parameters, statistics, optimiser = arrays
        trained = state._replace(parameters=parameters, statistics=statistics, optimiser=optimiser)
        return trained, float(np.concatenate(losses).mean())

    def predict(
        self,
        parameters: Any,
        statistics: Any,
        data: tuple[jax.Array, ...],
        rows: np.ndarray,
        latent: bool = False,
    ) -> np.ndarray:
        """Return the logits (rows, classes), or what the last layer sees, as float64, with the running statistics."""
        program = self.latents if latent else self.logits
        filled = np.resize(rows, math.ceil(len(rows) / CHUNK) * CHUNK)
        parts = [program(parameters, statistics, *data[:2], jnp.asarray(part)) for part in filled.reshape(-1, CHUNK)]
        return np.concatenate([np.asarray(part, float) for part in parts])[: len(rows)]

    def _begin(self, parameters: Any, statistics: Any) -> tuple[Any, Any, Any]:
        # One program: JAX would otherwise compile one for each shape of array.
        return *_copy_each((parameters, statistics)), self.optimiser.init(parameters)

    def _steps(self, parameters: Any, statistics: Any, optimiser: Any, *rest: jax.Array) -> tuple[tuple, jax.Array]:
        features, images, labels, weights, rate, order, keys = rest

        def step(carry: tuple, turn: tuple[jax.Array, jax.Array]) -> tuple[tuple, jax.Array]:
            parameters, statistics, optimiser = carry
            rows, key = turn
            inputs = self._changed(jax.random.wrap_key_data(key), features[rows], images[rows])
            batch = *inputs, labels[rows], weights[rows]
            (loss, statistics), slope = jax.value_and_grad(self._loss, has_aux=True)(parameters, statistics, *batch)
            change, optimiser = self.optimiser.update(slope, optimiser, parameters)
            change = jax.tree.map(lambda array: rate * array, change)
            return (optax.apply_updates(parameters, change), statistics, optimiser), loss

        carry = parameters, statistics, optimiser
        if len(order) == 1:
            carry, loss = step(carry, (order[0], keys[0]))
            return carry, loss[None]
        return jax.lax.scan(step, carry, (order, keys))

    def _changed(self, key: jax.Array, features: jax.Array, images: jax.Array) -> tuple[jax.Array, jax.Array]:
        first, second = jax.random.split(key)
        if self.config.augment:
            images = augment(first, images, tuple(view != "squeezed" for view in self.config.views))
        return hide(second, features, images, self.config.hide) if self.config.masks else (features, images)

    def _loss(self, parameters: Any, statistics: Any, *batch: jax.Array) -> tuple[jax.Array, Any]:
        features, images, labels, weights = batch
        # A copy, or batch norm would write a traced value into the variables outside the gradient.
        model = nnx.merge(self.graph, parameters, statistics, copy=True)
        model.train()
        losses = optax.softmax_cross_entropy_with_integer_labels(model(features, images), labels)
        found = nnx.state(model, nnx.BatchStat)
        if self.config.masks and images.size:
            # Statistics of pictures are learned from batches that have some.
            some = jnp.isfinite(images[:, 0, 0, 0]).any()
            found = jax.tree.map(lambda new, old: jnp.where(some, new, old), found, statistics)
        return (weights * losses).sum() / weights.sum(), found

    def _logits(self, parameters: Any, statistics: Any, features: jax.Array, images: jax.Array, rows: jax.Array) -> Any:
        model = nnx.merge(self.graph, parameters, statistics, copy=True)
        model.eval()
        return model(features[rows], images[rows])

    def _latents(
        self, parameters: Any, statistics: Any, features: jax.Array, images: jax.Array, rows: jax.Array
    ) -> Any:
        model = nnx.merge(self.graph, parameters, statistics, copy=True)
        model.eval()
        return model.latent(features[rows], images[rows])


def train_fold(
    trainer: Trainer,
    cells: Cells,
    fold: Fold,
    index: int,
    checkpoint: Path | None = None,
    on_epoch: Callable[[dict[str, float]], None] = lambda record: None,
    on_step: Callable[[float], None] = lambda epochs: None,
    before: tuple[Mapping[str, np.ndarray], Scaler] | None = None,
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
        Weights by name, and scaler, of a model to go on from; its last layer is begun anew.
    """
    config = trainer.config
    scaler = before[1] if before else Scaler.fit(cells, fold.train, config.align)
    arrays = *scaler.apply(cells), cells.labels, cell_weights(cells, fold.train, config)
    data = tuple(jnp.asarray(array) for array in arrays)
    state = trainer.start(index, before[0] if before else None)
    history: list[dict[str, float]] = []
    if checkpoint is not None and checkpoint.is_file():
        arrays, history = load_tree(checkpoint, state)
        state = _copy(arrays)
    saved = time.monotonic()
    while not _finished(history, config):
        done = len(history)
        rng = np.random.default_rng([config.seed, index, done + 1])
        order = batches(stage_rows(cells, fold.train, done, config), config.batch, rng)
        keys = rng.integers(2**32, size=(len(order), 2), dtype=np.uint32)
        rate = step_size(history, config)
        state, loss = trainer.epoch(state, data, order, keys, rate, lambda part, done=done: on_step(done + part))
        state, record = _validate(trainer, state, data, fold, cells.labels, history, loss)
        history.append(record)
        on_epoch(record)
        if checkpoint is not None and time.monotonic() - saved >= CHECKPOINT_SECONDS:
            save_tree(checkpoint, state, history)
            saved = time.monotonic()
    return _kept(trainer, state, history, data, scaler)


def _kept(
    trainer: Trainer, state: State, history: list[dict[str, float]], data: tuple[jax.Array, ...], scaler: Scaler
) -> Trained:
    best = state.best_parameters, state.best_statistics
    everything = np.arange(len(data[2]))
    probabilities, alone = softmax(trainer.predict(*best, data, everything)), {}
    if trainer.config.masks and trainer.config.uses_images:
        features, images = (jnp.full_like(array, jnp.nan) for array in data[:2])
        alone["picture"] = softmax(trainer.predict(*best, (features, data[1]), everything))
        alone["features"] = softmax(trainer.predict(*best, (data[0], images), everything))
    weights = {name: array for part in best for name, array in flatten(part).items()}
    return Trained(weights, history, probabilities, alone, parameter_count(trainer.parameter_shapes), scaler)


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
    mixed, last = _stage_starts(config)
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


def _stage_starts(config: TrainConfig) -> tuple[int, int]:
    """Return the epochs, from 0, in which all cells begin to train and experimental ones alone."""
    mixed, last = (math.ceil(part * config.epochs) for part in config.stages)
    return mixed, last


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return the probabilities (N, classes) of logits (paper, Eq. 5)."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


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
    probabilities = softmax(trainer.predict(state.parameters, state.statistics, data, rows))
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
        best = _copy((state.parameters, state.statistics))
        state = state._replace(best_parameters=best[0], best_statistics=best[1])
    return state, record


def _finished(history: Sequence[dict[str, float]], config: TrainConfig) -> bool:
    if not history:
        return False
    # Patience begins with the last stage: an earlier one is not to end for want of experimental cells.
    begin = _stage_starts(config)[1] if config.schedule == "staged" else 0
    best = max(begin, int(np.argmin([record["validation_loss"] for record in history])) + 1)
    return len(history) >= config.epochs or len(history) - best >= config.patience


def _copy_each(tree: Any) -> Any:
    return jax.tree.map(jnp.copy, tree)


# The programs give their arguments' memory away; what must outlive the next step is copied.
_copy = jax.jit(_copy_each)


def _kernels(parameters: Any) -> Any:
    return jax.tree_util.tree_map_with_path(lambda path, _: "kernel" in jax.tree_util.keystr(path), parameters)
