"""A convolution that is fast on a CPU, too: stock where the stock one is, tap by tap elsewhere.

Notes
-----
Two paths of the stock convolution are slow on CPUs: any kernel on a map of 4 x 4 pixels or fewer
(1 GFLOP/s against 60), and the gradient with respect to the kernel, which runs on one core. Both are sums over the
taps of the kernel, each a product of two matrices over the places where that tap does not lie beyond the edge: on a map
of 2 x 2 pixels under 3 x 3 taps these are 16 of 36. On a GPU all is stock: XLA 0.11 breaks down over some of the
products.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

SMALL_MAP = 4
"""Height or width of the result up to which the sum over taps is the faster forward pass (pixels)."""


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def conv(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    """Convolve with zero padding of half the kernel, as ``torch.nn.Conv2d(..., padding=k // 2, bias=False)``.

    Parameters
    ----------
    x
        Maps (N, H, W, C).
    kernel
        Odd square kernel (k, k, C, O).
    stride
        Step of the kernel, in pixels, along both axes.

    Returns
    -------
    jax.Array
        Maps (N, ceil(H / stride), ceil(W / stride), O).
    """
    here, elsewhere = partial(_forward_on_cpu, stride=stride), partial(stock_conv, stride=stride)
    return lax.platform_dependent(x, kernel, cpu=here, default=elsewhere)


def stock_conv(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    """Convolve as `conv` does, with XLA's own convolution and gradients."""
    pad = kernel.shape[0] // 2
    return lax.conv_general_dilated(
        x, kernel, (stride, stride), [(pad, pad)] * 2, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def _forward_on_cpu(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    return (_by_taps if _small(x, kernel, stride) else stock_conv)(x, kernel, stride)


def _small(x: jax.Array, kernel: jax.Array, stride: int) -> bool:
    return kernel.shape[0] == 1 or min(x.shape[1:3]) <= SMALL_MAP * stride


def _by_taps(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    height, width = (-(-size // stride) for size in x.shape[1:3])
    total = jnp.zeros((x.shape[0], height, width, kernel.shape[-1]), x.dtype)
    for i, j, rows, columns in _taps(x.shape[1], x.shape[2], kernel.shape[0], stride):
        part = x[:, rows.seen, columns.seen] @ kernel[i, j]
        edges = ((0, 0), (rows.start, height - rows.stop), (columns.start, width - columns.stop), (0, 0))
        total = total + jnp.pad(part, edges)
    return total


class _Span:
    """Along one axis, the outputs `start` to `stop` to which a tap contributes, and the inputs it `seen` there."""

    def __init__(self, size: int, tap: int, pad: int, stride: int) -> None:
        self.start = max(0, -(-(pad - tap) // stride))
        self.stop = min(-(-size // stride), (size - 1 + pad - tap) // stride + 1)
        first = self.start * stride + tap - pad
        self.seen = slice(first, first + (self.stop - self.start - 1) * stride + 1, stride)
        self.met = slice(self.start, self.stop)


def _taps(height: int, width: int, size: int, stride: int) -> Iterator[tuple[int, int, _Span, _Span]]:
    """Yield row and column of each tap that meets the map at all, and where it does along both axes."""
    for i, j in itertools.product(range(size), repeat=2):
        rows, columns = _Span(height, i, size // 2, stride), _Span(width, j, size // 2, stride)
        if rows.start < rows.stop and columns.start < columns.stop:
            yield i, j, rows, columns


def _to_kernel(x: jax.Array, dy: jax.Array, size: int, stride: int) -> jax.Array:
    """Return the gradient with respect to a kernel (size, size, C, O)."""
    inputs, outputs = x.shape[-1], dy.shape[-1]
    if inputs == 1:
        patches = _patches(x, size, stride).reshape(-1, size * size)
        return (patches.T @ dy.reshape(-1, outputs)).reshape(size, size, 1, outputs)
    parts = {(i, j): jnp.zeros((inputs, outputs), x.dtype) for i in range(size) for j in range(size)}
    for i, j, rows, columns in _taps(x.shape[1], x.shape[2], size, stride):
        seen = x[:, rows.seen, columns.seen].reshape(-1, inputs)
        parts[i, j] = seen.T @ dy[:, rows.met, columns.met].reshape(-1, outputs)
    return jnp.stack(list(parts.values())).reshape(size, size, inputs, outputs)


def _patches(x: jax.Array, size: int, stride: int) -> jax.Array:
    """Return the pixels under the kernel at each place, (N, H', W', size * size * C)."""
    pad = size // 2
    height, width = x.shape[1:3]
    padded = jnp.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    # First along the rows, then along the columns: 2 * size slices instead of size * size compile and run faster.
    rows = jnp.concatenate([padded[:, :, j : j + width : stride] for j in range(size)], axis=-1)
    return jnp.concatenate([rows[:, i : i + height : stride] for i in range(size)], axis=-1)


def _conv_fwd(x: jax.Array, kernel: jax.Array, stride: int) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return conv(x, kernel, stride), (x, kernel)


def _conv_bwd(stride: int, saved: tuple[jax.Array, jax.Array], dy: jax.Array) -> tuple[jax.Array, jax.Array]:
    here, elsewhere = partial(_backward_on_cpu, stride=stride), partial(_stock_backward, stride=stride)
    return lax.platform_dependent(*saved, dy, cpu=here, default=elsewhere)


def _backward_on_cpu(x: jax.Array, kernel: jax.Array, dy: jax.Array, stride: int) -> tuple[jax.Array, jax.Array]:
    (dx,) = jax.vjp(lambda a: _forward_on_cpu(a, kernel, stride), x)[1](dy)
    return dx, _to_kernel(x, dy, kernel.shape[0], stride)


def _stock_backward(x: jax.Array, kernel: jax.Array, dy: jax.Array, stride: int) -> tuple[jax.Array, jax.Array]:
    dx, dkernel = jax.vjp(lambda a, b: stock_conv(a, b, stride), x, kernel)[1](dy)
    return dx, dkernel


conv.defvjp(_conv_fwd, _conv_bwd)
