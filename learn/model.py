"""A trained model, opened for use: what it reads, and what it says of a cell."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from learn.calibration import Calibration
from learn.checkpoint import ModelError, load_model
from learn.config import TrainConfig
from learn.data import Cells
from learn.models import abstract, restore
from learn.runtime import compiler_options
from learn.scaling import Scaler

CHUNK = 128
"""Cells per call when many are classified, so that their maps stay in the cache; the last call is filled up."""


@dataclass(frozen=True)
class Model:
    """A trained model.

    Attributes
    ----------
    config
        Its configuration, with the classes by name.
    scaler, calibration
        What was fitted on training and on validation cells.
    weights
        Parameters and batch statistics by name.
    card
        What ``model.json`` holds.
    """

    config: TrainConfig
    scaler: Scaler
    calibration: Calibration
    weights: dict[str, np.ndarray]
    card: dict[str, Any]

    @property
    def units(self) -> tuple[str, ...]:
        """Units of the features."""
        return tuple(feature["unit"] for feature in self.card["features"])

    def forward(self) -> Callable[[jax.Array, jax.Array], jax.Array]:
        """Return the function from features (N, features) in their units and pictures (N, views, size, size) to
        calibrated probabilities (N, classes), float32; pictures are black 0 to white 1, missing inputs NaN.

        Raises
        ------
        ModelError
            If the model was aligned between datasets: its scale depends on where a cell comes from.
        """
        if self.scaler.knots:
            raise ModelError("the model's features are aligned between datasets; train it with --align no")
        low, high = np.array(self.scaler.low), np.array(self.scaler.high)
        span = np.where(high > low, high - low, 1.0)
        network, scaler, temperature = self.network(), self.scaler, self.calibration.temperature

        def forward(features: jax.Array, images: jax.Array) -> jax.Array:
            scaled = (features - jnp.asarray(low, jnp.float32)) / jnp.asarray(span, jnp.float32)
            lit = (images - jnp.float32(scaler.mean)) / jnp.float32(scaler.std)
            return nnx.softmax(network(scaled, lit) / jnp.float32(temperature))

        return forward

    def network(self) -> Callable[[jax.Array, jax.Array], jax.Array]:
        """Return the function from scaled inputs to logits, with running batch statistics."""
        graph, *shapes = abstract(self.config, len(self.config.classes))
        states = [restore(shape, self.weights) for shape in shapes]

        def network(features: jax.Array, images: jax.Array) -> jax.Array:
            module = nnx.merge(graph, *states, copy=True)
            module.eval()
            return module(features, images)

        return network

    def shapes(self, count: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """Return the shapes of features and pictures of `count` cells."""
        size, config = self.config.image_size, self.config
        features = len(config.features) if config.uses_features else 0
        return (count, features), (count, len(config.views), size, size) if config.uses_images else (count, 0, 0, 0)

    def classify(self, cells: Cells) -> np.ndarray:
        """Return the calibrated probabilities (N, classes) of cells read with this model's configuration, float64."""
        logits = _in_chunks(self.network())(*self.scaler.apply(cells)).astype(float)
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return self.calibration.apply(powers / powers.sum(axis=1, keepdims=True))

    def predictor(self) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
        """Return `forward` as a compiled function of any number of cells, numpy arrays in and out."""
        return _in_chunks(self.forward())


def _in_chunks(
    function: Callable[[jax.Array, jax.Array], jax.Array],
) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    program = jax.jit(function, compiler_options=compiler_options())

    def predict(features: np.ndarray, images: np.ndarray) -> np.ndarray:
        count = len(features)

        def part(first: int) -> np.ndarray:
            if first + CHUNK <= count:
                return np.asarray(program(features[first : first + CHUNK], images[first : first + CHUNK]))
            rest = np.resize(np.arange(first, count), CHUNK)
            return np.asarray(program(features[rest], images[rest]))

        parts = [part(0)]  # compiles
        # Not every operation is divided among the cores: several calls at a time leave none of them idle.
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            parts += pool.map(part, range(CHUNK, count, CHUNK))
        return np.concatenate(parts)[:count]

    return predict


def open_model(folder: Path) -> Model:
    """Open the model in a folder that `learn.run` or `learn.export` left.

    Raises
    ------
    ModelError
        If there is none, or it is damaged, changed, of another program, or does not fit its own configuration.
    """
    if not (folder / "model.json").is_file() and (folder / "fold-0" / "model.json").is_file():
        raise ModelError(f"{folder}: holds one model for each fold; name one of them, such as {folder / 'fold-0'}")
    config, scaler, weights, card = load_model(folder)
    try:
        classes = tuple(str(name) for name in card["classes"])
        fitted = card["calibration"]
        calibration = Calibration(float(fitted["temperature"]), tuple(map(float, fitted["scores"])))
        config = config.model_copy(update={"classes": classes})
        model = Model(config, scaler, calibration, weights, card)
        _, *shapes = abstract(config, len(classes))
        for shape in shapes:
            restore(shape, weights)
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{folder}: the weights are not those of model {config.model!r} ({error})") from error
    unsound = [name for name, array in weights.items() if not np.isfinite(array).all()]
    if unsound:
        raise ModelError(f"{folder}: {unsound[0]} holds values that are no numbers; train it again")
    return model
