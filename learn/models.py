"""The networks of the paper: picture branch, feature branch, and both fused (sections 2.2 to 2.4).

Pictures are (N, views, size, size), features (N, features), logits (N, classes), all float32.
"""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import lax

from learn.config import TrainConfig
from learn.conv import conv

HIDDEN = (32, 16)
"""Neurons of the feature branch (paper, Fig. 4a)."""

FUSED = (128, 16)
"""h2 and h3 of the fused head (paper, Eqs. 3 and 4); with them the whole network has 11,240,994 parameters."""


class Conv(nnx.Module):
    """Convolution without bias, zero padding of half the kernel."""

    def __init__(self, inputs: int, outputs: int, size: int, stride: int = 1) -> None:
        self.kernel = nnx.Param(jnp.zeros((size, size, inputs, outputs)))
        self.stride = stride

    def __call__(self, x: jax.Array) -> jax.Array:
        """Return the convolved maps."""
        return conv(x, self.kernel[...], self.stride)


def _norm(channels: int, rngs: nnx.Rngs) -> nnx.BatchNorm:
    return nnx.BatchNorm(channels, momentum=0.9, epsilon=1e-5, rngs=rngs)


class Block(nnx.Module):
    """Two 3 x 3 convolutions beside a shortcut, which is 1 x 1 where the shape changes (paper, section 2.3)."""

    def __init__(self, inputs: int, outputs: int, stride: int, rngs: nnx.Rngs) -> None:
        self.conv1, self.norm1 = Conv(inputs, outputs, 3, stride), _norm(outputs, rngs)
        self.conv2, self.norm2 = Conv(outputs, outputs, 3), _norm(outputs, rngs)
        change = stride != 1 or inputs != outputs
        self.shortcut = nnx.Sequential(Conv(inputs, outputs, 1, stride), _norm(outputs, rngs)) if change else None

    def __call__(self, x: jax.Array) -> jax.Array:
        """Return the block's maps."""
        y = nnx.relu(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(y))
        return nnx.relu(y + (x if self.shortcut is None else self.shortcut(x)))


class Encoder(nnx.Module):
    """ResNet-18 without its last layer: one grey picture to a vector of 8 x width (paper, section 2.3)."""

    def __init__(self, width: int, blocks: tuple[int, ...], rngs: nnx.Rngs) -> None:
        self.conv, self.norm = Conv(1, width, 7, 2), _norm(width, rngs)
        stages, inputs = [], width
        for stage, count in enumerate(blocks):
            outputs = width * 2**stage
            for index in range(count):
                stages.append(Block(inputs, outputs, 2 if stage > 0 and index == 0 else 1, rngs))
                inputs = outputs
        self.blocks = nnx.List(stages)
        self.outputs = inputs

    def __call__(self, x: jax.Array) -> jax.Array:
        """Return the vectors (N, outputs) of pictures (N, H, W, 1)."""
        x = nnx.relu(self.norm(self.conv(x)))
        x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 3, 3, 1), (1, 2, 2, 1), ((0, 0), (1, 1), (1, 1), (0, 0)))
        for block in self.blocks:
            x = block(x)
        return x.mean(axis=(1, 2))

    def views(self, images: jax.Array) -> jax.Array:
        """Return the mean vector (N, outputs) over the views of pictures (N, views, H, W)."""
        count, views = images.shape[:2]
        vectors = self(images.reshape(count * views, *images.shape[2:], 1))
        return vectors.reshape(count, views, -1).mean(axis=1)


class FeatureBranch(nnx.Module):
    """Features to 32 to 16, each with ReLU (paper, Fig. 4a)."""

    def __init__(self, inputs: int, rngs: nnx.Rngs) -> None:
        self.linear1 = nnx.Linear(inputs, HIDDEN[0], rngs=rngs)
        self.linear2 = nnx.Linear(HIDDEN[0], HIDDEN[1], rngs=rngs)

    def __call__(self, features: jax.Array) -> jax.Array:
        """Return the vectors (N, 16)."""
        return nnx.relu(self.linear2(nnx.relu(self.linear1(features))))


class FeaturesOnly(nnx.Module):
    """The small network: feature branch and a linear layer to the classes (paper, Fig. 4a)."""

    def __init__(self, config: TrainConfig, classes: int, rngs: nnx.Rngs) -> None:
        self.branch = FeatureBranch(len(config.features), rngs)
        self.output = nnx.Linear(HIDDEN[1], classes, rngs=rngs)

    def __call__(self, features: jax.Array, images: jax.Array) -> jax.Array:
        """Return the logits; `images` is not read."""
        return self.output(self.branch(features))


class ImageOnly(nnx.Module):
    """The picture branch and a linear layer to the classes (paper, section 2.3)."""

    def __init__(self, config: TrainConfig, classes: int, rngs: nnx.Rngs) -> None:
        self.encoder = Encoder(config.width, config.blocks, rngs)
        self.output = nnx.Linear(self.encoder.outputs, classes, rngs=rngs)

    def __call__(self, features: jax.Array, images: jax.Array) -> jax.Array:
        """Return the logits; `features` is not read."""
        return self.output(self.encoder.views(images))


class Miml(nnx.Module):
    """Both branches, concatenated and fused (paper, Eqs. 2 to 5; the softmax stands in the loss)."""

    def __init__(self, config: TrainConfig, classes: int, rngs: nnx.Rngs) -> None:
        self.encoder = Encoder(config.width, config.blocks, rngs)
        self.branch = FeatureBranch(len(config.features), rngs)
        joined = self.encoder.outputs + HIDDEN[1]
        self.linear2, self.norm2 = nnx.Linear(joined, FUSED[0], rngs=rngs), _norm(FUSED[0], rngs)
        self.linear3, self.norm3 = nnx.Linear(FUSED[0], FUSED[1], rngs=rngs), _norm(FUSED[1], rngs)
        self.output = nnx.Linear(FUSED[1], classes, rngs=rngs)

    def __call__(self, features: jax.Array, images: jax.Array) -> jax.Array:
        """Return the logits."""
        u = jnp.concatenate([self.encoder.views(images), self.branch(features)], axis=-1)
        h2 = nnx.relu(self.norm2(self.linear2(u)))
        h3 = nnx.relu(self.norm3(self.linear3(h2)))
        return self.output(h3)


MODELS = {"miml": Miml, "features_only": FeaturesOnly, "image_only": ImageOnly}


def abstract(config: TrainConfig, classes: int) -> tuple[Any, nnx.State, nnx.State]:
    """Return the model's graph, parameters and batch statistics as shapes alone.

    Notes
    -----
    Building the modules eagerly compiles hundreds of small programs (14 s for ResNet-18); shapes cost 1 s.
    """
    model = nnx.eval_shape(lambda: MODELS[config.model](config, classes, nnx.Rngs(0)))
    graph, parameters, statistics = nnx.split(model, nnx.Param, nnx.BatchStat)
    return graph, parameters, statistics


def initialise(shapes: nnx.State, rng: np.random.Generator) -> nnx.State:
    """Fill the shapes of parameters or batch statistics with starting values.

    Notes
    -----
    Kernels are normal with variance 2 / inputs, which keeps the variance through ReLU layers (He et al. 2015,
    Eq. 10); scales and variances start at 1, everything else at 0. Drawn in the order of the sorted paths.
    """

    def start(path: tuple[Any, ...], leaf: jax.ShapeDtypeStruct) -> np.ndarray:
        kind = next(str(key.key) for key in reversed(path) if hasattr(key, "key"))
        if kind == "kernel":
            inputs = math.prod(leaf.shape[:-1])
            return rng.normal(0.0, math.sqrt(2 / inputs), leaf.shape).astype(np.float32)
        return np.full(leaf.shape, 1.0 if kind in ("scale", "var") else 0.0, np.float32)

    return jax.tree_util.tree_map_with_path(start, shapes)


def flatten(state: nnx.State) -> dict[str, np.ndarray]:
    """Return the arrays of a state by dotted path, as they are named in a model file."""
    return {".".join(map(str, path)): np.asarray(leaf[...]) for path, leaf in nnx.to_flat_state(state)}


def parameter_count(parameters: nnx.State) -> int:
    """Return the number of trainable parameters."""
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(parameters))
