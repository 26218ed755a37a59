import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from learn.pool import max_pool


def stock_pool(x):
    edges = ((0, 0), (1, 1), (1, 1), (0, 0))
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 3, 3, 1), (1, 2, 2, 1), edges)


@pytest.mark.parametrize("shape", [(2, 8, 8, 3), (2, 7, 9, 3), (1, 1, 1, 2), (3, 5, 4, 1)])
def test_value_and_gradient_are_those_of_the_stock_pooling_ties_and_all(shape):
    rng = np.random.default_rng(0)
    # Four values: most windows hold their maximum more than once, and the first is to get the gradient.
    x = jnp.asarray(rng.integers(0, 4, shape), jnp.float32)
    y, back = jax.vjp(jax.jit(max_pool), x)
    expected, stock_back = jax.vjp(stock_pool, x)
    np.testing.assert_array_equal(y, expected)
    dy = jnp.asarray(rng.normal(size=y.shape), jnp.float32)
    np.testing.assert_allclose(back(dy)[0], stock_back(dy)[0], atol=1e-6)


def test_gradient_of_the_wrong_pixel_would_be_noticed():
    x = jnp.asarray(np.random.default_rng(0).integers(0, 4, (1, 8, 8, 1)), jnp.float32)
    dy = jnp.ones((1, 4, 4, 1))
    found = jax.vjp(max_pool, x)[1](dy)[0]
    other = jax.vjp(stock_pool, x[:, ::-1])[1](dy)[0][:, ::-1]
    assert float(jnp.abs(found - other).max()) > 0.5
