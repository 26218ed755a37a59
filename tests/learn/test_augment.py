import jax
import jax.numpy as jnp
import numpy as np
import pytest

from learn.augment import hide


def test_pictures_and_features_are_hidden_as_often_as_asked():
    features, images = jnp.ones((20_000, 3)), jnp.ones((20_000, 1, 2, 2))
    kept, seen = jax.jit(hide, static_argnums=3)(jax.random.key(0), features, images, 0.2)
    blind = np.isnan(seen[:, 0, 0, 0])
    gone = np.isnan(kept)
    assert blind.mean() == pytest.approx(0.2, abs=0.01)
    assert gone[blind].sum() == 0
    # All three at once: by that draw, or one by one.
    assert gone.all(axis=1).mean() == pytest.approx(0.2 + 0.6 * 0.2**3, abs=0.01)
    assert gone[:, 0].mean() == pytest.approx(0.2 + 0.6 * 0.2, abs=0.01)
    assert not (blind & gone.all(axis=1)).any()
    assert np.isnan(seen[blind]).all()


def test_no_cell_loses_all_that_is_known_of_it():
    features = jnp.ones((2000, 2)).at[:500].set(jnp.nan)
    images = jnp.ones((2000, 1, 2, 2)).at[500:1000].set(jnp.nan)
    kept, seen = hide(jax.random.key(1), features, images, 0.5)
    known = np.isfinite(kept).any(axis=1) | np.isfinite(seen[:, 0, 0, 0])
    assert known.all()
    kept, _ = hide(jax.random.key(2), jnp.ones((2000, 2)), jnp.zeros((2000, 0, 0, 0)), 0.5)
    assert np.isfinite(kept).any(axis=1).all()
    assert np.isnan(kept).mean() == pytest.approx(0.5 - 0.25, abs=0.03)
