"""What is changed at random in a training step; pure functions of arrays and a key, inside the compiled step."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp

SHIFT = 0.03
"""Largest shift along each axis, as a fraction of the picture's edge."""
SCALE = 0.02
"""Largest change of scale, as a natural logarithm."""
STRETCH = 0.08
"""Largest stretch, as a natural logarithm, and shear of a free cell."""
LIGHT = 0.2
"""Largest change of contrast, as a natural logarithm, and of brightness, in standard deviations of the pixels."""


def hide(key: jax.Array, features: jax.Array, images: jax.Array, chance: float) -> tuple[jax.Array, jax.Array]:
    """Hide pictures and features, so that a network with masks learns to do without either.

    Parameters
    ----------
    key
        Draws what is hidden.
    features, images
        (N, features) and (N, views, size, size); missing ones are NaN.
    chance
        Of a cell that its picture is hidden, that all its features are, and of each feature of the other cells.

    Returns
    -------
    tuple
        The same arrays with NaN where something is hidden; no cell loses all that is known of it.
    """
    count, size = features.shape[0], images.size
    whole, single = jax.random.split(key)
    draw = jax.random.uniform(whole, (count, 1))
    no_picture, no_features = draw < chance, draw > 1 - chance
    dropped = jax.random.uniform(single, features.shape) < chance
    hidden = jnp.where(no_picture, False, no_features | dropped) if size else dropped
    kept = jnp.where(hidden, jnp.nan, features)
    known = jnp.isfinite(kept).any(axis=1, keepdims=True)
    if not size:
        return jnp.where(known, kept, features), images
    seen = jnp.isfinite(images[:, :1, 0, 0]) & ~no_picture
    kept = jnp.where(known | seen, kept, features)
    # A cell without any known feature keeps its picture.
    no_picture &= jnp.isfinite(features).any(axis=1, keepdims=True)
    return kept, jnp.where(no_picture[:, :, None, None], jnp.nan, images)


def augment(key: jax.Array, images: jax.Array, free: tuple[bool, ...], turn: float = 10) -> jax.Array:
    """Change pictures as another day at the microscope might: place, orientation, sharpness, light.

    Parameters
    ----------
    key
        Draws the changes, each picture's own.
    images
        Scaled pictures (N, views, size, size), rows across the channel, columns along it.
    free
        For each view whether the cell swims freely there.
    turn
        Largest angle by which a free cell is turned (degrees); the channel around it turns too.

    Returns
    -------
    jax.Array
        Pictures of the same shape.

    Notes
    -----
    A free cell is turned, stretched and sheared a little. In the constriction that would change the
    deformation index, with which the picture must agree, and the direction of flow: there the cell is only mirrored
    across the channel. Scale is changed by 2 % at most, because size tells classes apart. All of it is one affine
    map, interpolated linearly once; beyond the edge the edge goes on.
    """
    count, views, size = images.shape[:3]
    keys = jax.random.split(key, 8)
    shape = (count, views)
    loose = jnp.array(free, images.dtype)

    def between(number: int, low: float, high: float) -> jax.Array:
        return jax.random.uniform(keys[number], shape, images.dtype, low, high)

    angle = loose * between(0, -math.radians(turn), math.radians(turn))
    stretch, shear = jnp.exp(loose * between(1, -STRETCH, STRETCH)), loose * between(2, -STRETCH, STRETCH)
    scale = jnp.exp(between(3, -SCALE, SCALE))
    mirror = jnp.where(between(4, -1.0, 1.0) < 0, -1.0, 1.0)
    shift = jax.random.uniform(keys[5], (*shape, 2), images.dtype, -SHIFT * size, SHIFT * size)
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    # From a place in the new picture to that in the old one: mirror, stretch and shear, then turn.
    a, b, d = mirror * scale * stretch, shear * scale, scale / stretch
    matrix = jnp.stack([cos * a, cos * b - sin * d, sin * a, sin * b + cos * d], axis=-1).reshape(*shape, 2, 2)
    flat = images.reshape(count * views, size, size)
    moved = jax.vmap(_warp)(flat, matrix.reshape(-1, 2, 2), shift.reshape(-1, 2)).reshape(images.shape)
    blurred = _blur(moved, between(6, 0.0, 1.0)[..., None, None])
    gain, offset = jax.random.uniform(keys[7], (2, *shape, 1, 1), images.dtype, -LIGHT, LIGHT)
    return blurred * jnp.exp(gain) + offset


def _warp(picture: jax.Array, matrix: jax.Array, shift: jax.Array) -> jax.Array:
    size = picture.shape[0]
    centre = (size - 1) / 2
    grid = jnp.arange(size, dtype=picture.dtype) - centre
    y = matrix[0, 0] * grid[:, None] + matrix[0, 1] * grid[None, :] + (centre + shift[0])
    x = matrix[1, 0] * grid[:, None] + matrix[1, 1] * grid[None, :] + (centre + shift[1])
    y, x = jnp.clip(y, 0, size - 1), jnp.clip(x, 0, size - 1)
    top, left = jnp.minimum(jnp.floor(y), size - 2), jnp.minimum(jnp.floor(x), size - 2)
    place = (top * size + left).astype(jnp.int32)
    dy, dx, flat = y - top, x - left, picture.reshape(-1)
    upper = flat[place] * (1 - dx) + flat[place + 1] * dx
    lower = flat[place + size] * (1 - dx) + flat[place + size + 1] * dx
    return upper * (1 - dy) + lower * dy


def _blur(images: jax.Array, amount: jax.Array) -> jax.Array:
    """Mix in the mean over 3 x 3 pixels with weights 1, 2, 1 along both axes; `amount` 0 leaves the picture."""
    padded = jnp.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    rows = (padded[:, :, :-2] + 2 * padded[:, :, 1:-1] + padded[:, :, 2:]) / 4
    smooth = (rows[..., :-2] + 2 * rows[..., 1:-1] + rows[..., 2:]) / 4
    return images + amount * (smooth - images)
