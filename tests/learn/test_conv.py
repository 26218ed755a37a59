import jax
import jax.numpy as jnp
import numpy as np
import pytest

from learn.conv import conv, stock_conv


@pytest.mark.parametrize("size", [1, 4, 5])
@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (1, 2), (3, 1), (3, 2), (7, 2)])
def test_value_and_gradients_are_those_of_the_stock_convolution(size, kernel, stride):
    rng = np.random.default_rng(size * 100 + kernel * 10 + stride)
    x = jnp.asarray(rng.normal(size=(3, size, size + 1, 5)), jnp.float32)
    w = jnp.asarray(rng.normal(size=(kernel, kernel, 5, 6)) / kernel, jnp.float32)
    dy = jnp.asarray(rng.normal(size=(3, -(-size // stride), -(-(size + 1) // stride), 6)), jnp.float32)

    def value_and_gradients(function, x, w):
        y, back = jax.vjp(lambda x, w: function(x, w, stride), x, w)
        return y, *back(dy)

    ours, stock = (jax.jit(value_and_gradients, static_argnums=0)(function, x, w) for function in (conv, stock_conv))
    for a, b in zip(ours, stock, strict=True):
        scale = float(jnp.abs(b).max())
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5 * max(scale, 1.0))


def test_a_shifted_kernel_is_noticed():
    # The comparison above must be able to fail: a convolution off by one pixel is far outside its tolerance.
    x = jnp.asarray(np.random.default_rng(0).normal(size=(1, 8, 8, 2)), jnp.float32)
    w = jnp.ones((3, 3, 2, 2))
    assert float(jnp.abs(conv(x, w, 1) - stock_conv(jnp.roll(x, 1, axis=1), w, 1)).max()) > 0.1


@pytest.mark.parametrize(("platform", "stock"), [("cpu", False), ("cuda", True)])
def test_small_maps_are_products_over_taps_on_a_cpu_only(platform, stock):
    # On a GPU, XLA 0.11 ends the process over such a product within the full network.
    shapes = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in ((2, 4, 4, 8), (3, 3, 8, 8))]

    def gradients(x, kernel):
        return jax.grad(lambda x, kernel: conv(x, kernel, 1).sum(), (0, 1))(x, kernel)

    for function in (lambda x, kernel: conv(x, kernel, 1), gradients):
        text = jax.export.export(jax.jit(function), platforms=[platform])(*shapes).mlir_module()
        assert ("dot_general" not in text) == stock
        assert ("stablehlo.convolution" in text) == stock
