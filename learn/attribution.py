"""Where a decision comes from: places in the picture (Grad-CAM), and picture against mechanics (Shapley values)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from learn.models import restore
from learn.runtime import compiler_options
from learn.trainer import Trainer

BACKGROUND = 64
"""Training cells over which the unknown branch is averaged."""


class Network:
    """A trained network, open for inspection.

    Parameters
    ----------
    trainer
        Programs of the model's configuration.
    weights
        Parameters and batch statistics by name.
    """

    def __init__(self, trainer: Trainer, weights: Mapping[str, np.ndarray]) -> None:
        self.trainer = trainer
        self.parameters = restore(trainer.parameter_shapes, weights)
        self.statistics = restore(trainer.statistic_shapes, weights)

    def model(self) -> Any:
        """Return the network with running batch statistics."""
        model = nnx.merge(self.trainer.graph, self.parameters, self.statistics, copy=True)
        model.eval()
        return model

    def compiled(self, function: Any) -> Any:
        """Return `function(model, …)` as a program of its other arguments."""
        return jax.jit(lambda *arrays: function(self.model(), *arrays), compiler_options=compiler_options())


def first_maps(network: Network, image: np.ndarray) -> np.ndarray:
    """Return the maps (filters, H, W) of the first layer, after batch norm and ReLU, for a scaled picture (H, W).

    Paper, Fig. 5(c).
    """
    maps = network.compiled(lambda model, x: model.encoder.entry(x))(jnp.asarray(image)[None, :, :, None])
    return np.moveaxis(np.asarray(maps[0]), -1, 0)


def grad_cam(network: Network, features: np.ndarray, images: np.ndarray, classes: np.ndarray, stage: int) -> np.ndarray:
    """Return where in each picture the evidence for a class lies, (N, views, h, w), 0 and above.

    Parameters
    ----------
    network
        A network with a picture branch.
    features, images
        Scaled inputs (N, features) and (N, views, H, W).
    classes
        The class in question of each cell (N,).
    stage
        Stage of the encoder, from 0, whose last maps are weighed; the last stage has the coarsest.

    Notes
    -----
    Selvaraju et al. (2017), Eqs. 1 and 2: the maps, weighed by the mean slope of the class's logit over each, summed,
    negative parts cut off. The network is cut at the stage, and the part behind it differentiated.
    """
    count, views = images.shape[:2]

    def cam(model: Any, features: jax.Array, images: jax.Array, classes: jax.Array) -> jax.Array:
        flat = images.reshape(count * views, *images.shape[2:], 1)
        maps = model.encoder.until(model.encoder.pooled(flat), stage)

        def logit(maps: jax.Array) -> jax.Array:
            vectors = model.encoder.after(maps, stage).reshape(count, views, -1).mean(axis=1)
            logits = model.decide(vectors, features)
            return jnp.take_along_axis(logits, classes[:, None], axis=1).sum()

        slope = jax.grad(logit)(maps).mean(axis=(1, 2), keepdims=True)
        return nnx.relu((slope * maps).sum(axis=-1)).reshape(count, views, *maps.shape[1:3])

    arrays = jnp.asarray(features), jnp.asarray(images), jnp.asarray(classes)
    return np.asarray(network.compiled(cam)(*arrays))


def shares(
    network: Network, features: np.ndarray, images: np.ndarray, background: np.ndarray, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Return how much picture and mechanics each add to the log-odds of the predicted class.

    Parameters
    ----------
    network
        A network of both branches.
    features, images
        Scaled inputs of all cells (N, features) and (N, views, H, W).
    background
        Rows of the cells that stand for an unknown branch: training cells.
    rng
        Draws `BACKGROUND` of them.

    Returns
    -------
    dict
        ``picture``, ``mechanics`` (N,) in nats, and ``base``, the log-odds with both unknown; the three sum up to the
        log-odds of the network.

    Notes
    -----
    Shapley values of two players (Shapley 1953; Lundberg and Lee 2017): the mean of what the branch adds to nothing
    and what it adds to the other. An unknown branch is the mean over the background of the log-odds.
    """
    chosen = rng.permutation(background)[:BACKGROUND]
    z1, z2 = _branches(network, features, images)
    odds = network.compiled(lambda model, a, b: _log_odds(model.output(model.fuse(a, b))))
    full = np.asarray(odds(z1, z2))
    predicted = full.argmax(axis=1)
    known = np.take_along_axis(full, predicted[:, None], axis=1)[:, 0]
    picture, mechanics = np.zeros(len(z1)), np.zeros(len(z1))
    for row in chosen:
        one, other = np.broadcast_to(z1[row], z1.shape), np.broadcast_to(z2[row], z2.shape)
        picture += np.take_along_axis(np.asarray(odds(z1, other)), predicted[:, None], axis=1)[:, 0] / len(chosen)
        mechanics += np.take_along_axis(np.asarray(odds(one, z2)), predicted[:, None], axis=1)[:, 0] / len(chosen)
    pairs = np.repeat(z1[chosen], len(chosen), axis=0), np.tile(z2[chosen], (len(chosen), 1))
    base = np.asarray(odds(*pairs)).mean(axis=0)[predicted]
    return {
        "picture": ((picture - base) + (known - mechanics)) / 2,
        "mechanics": ((mechanics - base) + (known - picture)) / 2,
        "base": base,
    }


def _branches(network: Network, features: np.ndarray, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    program = network.compiled(lambda model, a, b: (model.encode(b), model.branch(a)))
    parts = [
        [np.asarray(array) for array in program(features[start : start + 64], images[start : start + 64])]
        for start in range(0, len(features), 64)
    ]
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


def _log_odds(logits: jax.Array) -> jax.Array:
    # From the logits: 1 - p would be lost in float32 where p is nearly 1.
    own = jnp.eye(logits.shape[-1], dtype=bool)
    others = jnp.where(own, -jnp.inf, logits[..., None, :])
    return logits - nnx.logsumexp(others, axis=-1)
