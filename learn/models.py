"""The networks of the paper: picture branch, feature branch, and both fused (sections 2.2 to 2.4).

Pictures are (N, views, size, size), features (N, features), logits (N, classes), all float32. Of networks with masks
a missing feature is NaN, and so is every pixel of a cell without pictures.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from learn.config import TrainConfig
from learn.conv import conv
from learn.pool import max_pool

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

    def __call__(self, x: jax.Array, mask: jax.Array | None = None) -> jax.Array:
        """Return the block's maps; batch norm looks at the pictures of `mask` (N, 1, 1, 1) alone, if given."""
        y = nnx.relu(self.norm1(self.conv1(x), mask=mask))
        y = self.norm2(self.conv2(y), mask=mask)
        if self.shortcut is not None:
            change, norm = self.shortcut.layers
            x = norm(change(x), mask=mask)
        return nnx.relu(y + x)


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
        self.ends = tuple(itertools.accumulate(blocks))
        self.outputs = inputs

    def __call__(self, x: jax.Array, mask: jax.Array | None = None) -> jax.Array:
        """Return the vectors (N, outputs) of pictures (N, H, W, 1)."""
        x = self.pooled(x, mask)
        for block in self.blocks:
            x = block(x, mask)
        return x.mean(axis=(1, 2))

    def entry(self, x: jax.Array, mask: jax.Array | None = None) -> jax.Array:
        """Return the maps of the first layer (N, H / 2, W / 2, width)."""
        return nnx.relu(self.norm(self.conv(x), mask=mask))

    def pooled(self, x: jax.Array, mask: jax.Array | None = None) -> jax.Array:
        """Return the maps that the first block sees (N, H / 4, W / 4, width)."""
        return max_pool(self.entry(x, mask))

    def until(self, x: jax.Array, stage: int) -> jax.Array:
        """Return the maps behind `stage`, from 0, of what the first block sees."""
        for block in self.blocks[: self.ends[stage]]:
            x = block(x)
        return x

    def after(self, x: jax.Array, stage: int) -> jax.Array:
        """Return the vectors (N, outputs) of maps behind `stage`."""
        for block in self.blocks[self.ends[stage] :]:
            x = block(x)
        return x.mean(axis=(1, 2))

    def views(self, images: jax.Array) -> jax.Array:
        """Return the mean vector (N, outputs) over the views of pictures (N, views, H, W)."""
        return self._views(images, None)

    def seen_views(self, images: jax.Array, seen: jax.Array) -> jax.Array:
        """Return the same, with zeros for the cells that are not `seen` (N,); batch norm does not look at them."""
        known = seen[:, None, None, None]
        # Where no cell has a picture the statistics are of no use, but must be numbers.
        mask = jnp.repeat(known | ~seen.any(), images.shape[1], axis=0)
        return self._views(jnp.where(known, images, 0.0), mask) * seen[:, None]

    def _views(self, images: jax.Array, mask: jax.Array | None) -> jax.Array:
        count, views = images.shape[:2]
        vectors = self(images.reshape(count * views, *images.shape[2:], 1), mask)
        return vectors.reshape(count, views, -1).mean(axis=1)


class FeatureBranch(nnx.Module):
    """Features to 32 to 16 or other layers, each with ReLU (paper, Fig. 4a); masks add a 1 for each known feature."""

    def __init__(self, config: TrainConfig, rngs: nnx.Rngs) -> None:
        self.masks = config.masks
        inputs = len(config.features) * (2 if config.masks else 1)
        sizes = (inputs, *config.hidden)
        self.layers = nnx.List([nnx.Linear(a, b, rngs=rngs) for a, b in itertools.pairwise(sizes)])
        self.outputs = sizes[-1]

    def __call__(self, features: jax.Array) -> jax.Array:
        """Return the vectors (N, outputs)."""
        x = features
        if self.masks:
            known = jnp.isfinite(features)
            x = jnp.concatenate([jnp.where(known, features, 0.0), known.astype(features.dtype)], axis=-1)
        for layer in self.layers:
            x = nnx.relu(layer(x))
        return x


class FeaturesOnly(nnx.Module):
    """The small network: feature branch and a linear layer to the classes (paper, Fig. 4a)."""

    def __init__(self, config: TrainConfig, classes: int, rngs: nnx.Rngs) -> None:
        self.branch = FeatureBranch(config, rngs)
        self.output = nnx.Linear(self.branch.outputs, classes, rngs=rngs)

    def __call__(self, features: jax.Array, images: jax.Array) -> jax.Array:
        """Return the logits; `images` is not read."""
        return self.output(self.latent(features, images))

    def latent(self, features: jax.Array, images: jax.Array) -> jax.Array:
        """Return what the last layer sees, (N, 16)."""
        return self.branch(features)


class ImageOnly(nnx.Module):
    """The picture branch and a linear layer to the classes (paper, section 2.3)."""

    def __init__(self, config: TrainConfig, classes: int, rngs: nnx.Rngs) -> None:
        self.encoder = Encoder(config.width, config.blocks, rngs)
        self.output = nnx.Linear(self.encoder.outputs, classes, rngs=rngs)

    def __call__(self, features: jax.Array, images: jax.Array) -> jax.Array:
        """Return the logits; `features` is not read."""
        return self.output(self.latent(features, images))

    def latent(self, features: jax.Array, images: jax.Array) -> jax.Array:
        """Return what the last layer sees, (N, 8 x width)."""
        return self.encoder.views(images)

    def decide(self, vectors: jax.Array, features: jax.Array) -> jax.Array:
        """Return the logits of the picture branch's vectors; `features` is not read."""
        return self.output(vectors)


class Miml(nnx.Module):
    """Both branches, concatenated and fused (paper, Eqs. 2 to 5; the softmax stands in the loss).

    With masks, the fused vector also holds a 1 if the cell has a picture, whose part of the vector else is 0.
    """

    def __init__(self, config: TrainConfig, classes: int, rngs: nnx.Rngs) -> None:
        self.encoder = Encoder(config.width, config.blocks, rngs)
        self.branch = FeatureBranch(config, rngs)
        joined = self.encoder.outputs + self.branch.outputs + (1 if config.masks else 0)
        self.linear2, self.norm2 = nnx.Linear(joined, FUSED[0], rngs=rngs), _norm(FUSED[0], rngs)
        self.linear3, self.norm3 = nnx.Linear(FUSED[0], FUSED[1], rngs=rngs), _norm(FUSED[1], rngs)
        self.output = nnx.Linear(FUSED[1], classes, rngs=rngs)

    def __call__(self, features: jax.Array, images: jax.Array) -> jax.Array:
        """Return the logits."""
        return self.output(self.latent(features, images))

    def latent(self, features: jax.Array, images: jax.Array) -> jax.Array:
        """Return h3 (N, 16), the fused vector before the last layer (paper, Eq. 4)."""
        return self.fuse(self.encode(images), self.branch(features))

    def encode(self, images: jax.Array) -> jax.Array:
        """Return what the pictures contribute to the fused vector, (N, 8 x width), or one column more with masks."""
        if not self.branch.masks:
            return self.encoder.views(images)
        seen = jnp.isfinite(images[:, 0, 0, 0])
        return jnp.concatenate([self.encoder.seen_views(images, seen), seen[:, None].astype(images.dtype)], axis=-1)

    def decide(self, vectors: jax.Array, features: jax.Array) -> jax.Array:
        """Return the logits of the picture branch's vectors (N, 8 x width) and the features."""
        seen = jnp.ones((len(vectors), 1 if self.branch.masks else 0), vectors.dtype)
        return self.output(self.fuse(jnp.concatenate([vectors, seen], axis=-1), self.branch(features)))

    def fuse(self, z1: jax.Array, z2: jax.Array) -> jax.Array:
        """Return h3 of the pictures' and the features' vectors (paper, Eqs. 3 and 4)."""
        h2 = nnx.relu(self.norm2(self.linear2(jnp.concatenate([z1, z2], axis=-1))))
        return nnx.relu(self.norm3(self.linear3(h2)))


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


def restore(shapes: nnx.State, arrays: Mapping[str, np.ndarray]) -> nnx.State:
    """Fill the shapes of parameters or batch statistics with arrays by dotted path, as `flatten` names them.

    Raises
    ------
    KeyError
        If one is not there.
    ValueError
        If one has another shape.
    """
    filled = []
    for path, leaf in nnx.to_flat_state(shapes):
        name = ".".join(map(str, path))
        if arrays[name].shape != leaf.shape:
            raise ValueError(f"{name} is {arrays[name].shape}, expected {leaf.shape}")
        filled.append((path, leaf.replace(arrays[name])))
    return nnx.from_flat_state(filled)


def flatten(state: nnx.State) -> dict[str, np.ndarray]:
    """Return the arrays of a state by dotted path, as they are named in a model file."""
    return {".".join(map(str, path)): np.asarray(leaf[...]) for path, leaf in nnx.to_flat_state(state)}


def parameter_count(parameters: nnx.State) -> int:
    """Return the number of trainable parameters."""
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(parameters))
