"""What is changed at random in a training step; pure functions of arrays and a key, inside the compiled step."""

from __future__ import annotations

import jax
import jax.numpy as jnp


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
