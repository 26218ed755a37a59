"""The compiled programs of one configuration: an epoch and a prediction are pure functions of arrays."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from learn.augment import augment, hide
from learn.config import TrainConfig
from learn.models import abstract, flatten, initialise, restore
from learn.runtime import compiler_options, shardings

CHUNK = 64
"""Cells per call when predicting; the last call is filled up, so that one program serves any number."""


class State(NamedTuple):
    """All that training changes: arrays of the model, of the optimiser, and of the best model so far.

    `statistics` of batch norm are a tuple: those of all cells, or those of experimental and those of simulated ones.
    The first are the model's; `best_statistics` are of them alone.
    """

    parameters: Any
    statistics: tuple[Any, ...]
    optimiser: Any
    best_parameters: Any
    best_statistics: Any


class Trainer:
    """The compiled programs of one configuration; they serve every fold.

    Parameters
    ----------
    config
        The model and its training.
    classes
        Number of classes.
    devices
        Devices that share the cells of a step.

    Raises
    ------
    InputError
        If there are fewer devices.
    """

    def __init__(self, config: TrainConfig, classes: int, devices: int = 1) -> None:
        self.config, self.devices = config, devices
        self.shared, self.divided = shardings(devices)
        self.graph, self.parameter_shapes, self.statistic_shapes = abstract(config, classes)
        self.optimiser = optax.adamw(config.learning_rate, weight_decay=config.weight_decay, mask=_kernels)
        options = compiler_options()
        self.begin = jax.jit(self._begin)
        self.run_steps = jax.jit(self._steps, donate_argnums=(0, 1, 2), compiler_options=options)
        self.logits = jax.jit(self._logits, compiler_options=options)
        self.latents = jax.jit(self._latents, compiler_options=options)

    def start(self, fold: int, weights: Mapping[str, np.ndarray] | None = None, last: bool = False) -> State:
        """Return the state before a fold's first epoch: drawn, or `weights` by name, the last layer's too if `last`."""
        rng = np.random.default_rng([self.config.seed, fold])
        parameters = initialise(self.parameter_shapes, rng)
        statistics = initialise(self.statistic_shapes, rng)
        if weights is not None:
            drawn = {name: array for name, array in flatten(parameters).items() if name.startswith("output.")}
            parameters = restore(self.parameter_shapes, {**weights, **({} if last else drawn)})
            statistics = restore(self.statistic_shapes, weights)
        kinds = 2 if self.config.norm == "separate" else 1
        arrays = self.begin(parameters, (statistics,) * kinds)
        return self.placed(State(*arrays, *copied((arrays[0], arrays[1][0]))))

    def placed(self, arrays: Any) -> Any:
        """Return the arrays on every device."""
        return arrays if self.devices == 1 else jax.device_put(arrays, self.shared)

    def epoch(
        self,
        state: State,
        data: tuple[jax.Array, ...],
        order: tuple[np.ndarray, ...],
        keys: np.ndarray,
        rate: float,
        on_step: Callable[[float], None],
    ) -> tuple[State, float]:
        """Train on batches of row numbers; return the state and the mean loss.

        `order` (steps, batch) is one array for each set of batch statistics; `keys` (steps, 2) uint32 draw what is
        random within each step; `rate` multiplies the optimiser's step.
        """
        # The small network's steps are one program: starting a program costs more than a step. A ResNet's are not,
        # because XLA compiles the body of a loop without its faster threaded convolutions.
        together = 1 if self.config.uses_images else len(keys)
        arrays, losses = tuple(state[:3]), []
        for start in range(0, len(keys), together):
            part = slice(start, start + together)
            turns = tuple(self._divide(rows[part]) for rows in order), jnp.asarray(keys[part])
            arrays, loss = self.run_steps(*arrays, *data, jnp.float32(rate), *turns)
            losses.append(np.asarray(loss, float))
            on_step((start + together) / len(keys))
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
        places = (self._divide(part[None])[0] for part in filled.reshape(-1, CHUNK))
        parts = [program(parameters, statistics, *data[:2], place) for place in places]
        return np.concatenate([np.asarray(part, float) for part in parts])[: len(rows)]

    def _divide(self, rows: np.ndarray) -> jax.Array:
        """Return row numbers (steps, batch), each device with its part of every batch."""
        whole = self.devices == 1 or rows.shape[1] % self.devices
        return jnp.asarray(rows) if whole else jax.device_put(rows, self.divided)

    def _begin(self, parameters: Any, statistics: Any) -> tuple[Any, Any, Any]:
        # One program: JAX would otherwise compile one for each shape of array.
        return *_copy_each((parameters, statistics)), self.optimiser.init(parameters)

    def _steps(
        self, parameters: Any, statistics: Any, optimiser: Any, *rest: Any
    ) -> tuple[tuple[Any, Any, Any], jax.Array]:
        *data, rate, order, keys = rest

        def step(carry: tuple, turn: tuple[tuple[jax.Array, ...], jax.Array]) -> tuple[tuple, jax.Array]:
            parameters, statistics, optimiser = carry
            batches = self._batches(jax.random.wrap_key_data(turn[1]), data, turn[0])
            (loss, statistics), slope = jax.value_and_grad(self._loss, has_aux=True)(parameters, statistics, batches)
            change, optimiser = self.optimiser.update(slope, optimiser, parameters)
            change = jax.tree.map(lambda array: rate * array, change)
            return (optax.apply_updates(parameters, change), statistics, optimiser), loss

        carry = parameters, statistics, optimiser
        if len(keys) == 1:
            carry, loss = step(carry, (tuple(rows[0] for rows in order), keys[0]))
            return carry, loss[None]
        return jax.lax.scan(step, carry, (order, keys))

    def _batches(self, key: jax.Array, data: Sequence[jax.Array], order: tuple[jax.Array, ...]) -> list[tuple]:
        """Return features, pictures, labels and weights of the cells of each set of batch statistics."""
        features, images, labels, weights = data
        found = []
        for number, rows in enumerate(order):
            own = key if number == 0 else jax.random.fold_in(key, number)
            found.append((*self._changed(own, features[rows], images[rows]), labels[rows], weights[rows]))
        return found

    def _changed(self, key: jax.Array, features: jax.Array, images: jax.Array) -> tuple[jax.Array, jax.Array]:
        first, second = jax.random.split(key)
        if self.config.augment:
            free = tuple(view != "squeezed" for view in self.config.views)
            images = augment(first, images, free, self.config.turn)
        return hide(second, features, images, self.config.hide) if self.config.masks else (features, images)

    def _loss(self, parameters: Any, statistics: tuple[Any, ...], batches: Sequence[tuple]) -> tuple[jax.Array, Any]:
        total, weight, found = jnp.float32(0), jnp.float32(0), []
        for before, (features, images, labels, weights) in zip(statistics, batches, strict=True):
            if not len(labels):
                found.append(before)
                continue
            losses, after = self._losses(parameters, before, features, images, labels)
            total, weight = total + (weights * losses).sum(), weight + weights.sum()
            found.append(after)
        return total / weight, tuple(found)

    def _losses(
        self, parameters: Any, statistics: Any, features: jax.Array, images: jax.Array, labels: jax.Array
    ) -> tuple[jax.Array, Any]:
        # A copy, or batch norm would write a traced value into the variables outside the gradient.
        model = nnx.merge(self.graph, parameters, statistics, copy=True)
        model.train()
        losses = optax.softmax_cross_entropy_with_integer_labels(model(features, images), labels)
        found = nnx.state(model, nnx.BatchStat)
        if self.config.masks and images.size:
            # Statistics of pictures are learned from batches that have some.
            some = jnp.isfinite(images[:, 0, 0, 0]).any()
            found = jax.tree.map(lambda new, old: jnp.where(some, new, old), found, statistics)
        return losses, found

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


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return the probabilities (N, classes) of logits (paper, Eq. 5)."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def _copy_each(tree: Any) -> Any:
    return jax.tree.map(jnp.copy, tree)


copied = jax.jit(_copy_each)
"""Copies a tree: the programs give their arguments' memory away, and the best model must outlive the next step."""


def _kernels(parameters: Any) -> Any:
    return jax.tree_util.tree_map_with_path(lambda path, _: "kernel" in jax.tree_util.keystr(path), parameters)
