"""Spreading and interpolation: adjoint, momentum kept, equal to their twin."""

import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.kernels import ibm

SHAPE = (32, 20)
KERNELS = pytest.mark.parametrize("kind", [2, 3, 4])


def coupling(kind, seed, count=30):
    rng = np.random.default_rng(seed)
    x = rng.uniform([3, 3], [28, 16], (count, 2))
    base, weight = np.empty(count, dtype=np.int64), np.empty((count, 2, 4))
    ibm.weights(kind, x, SHAPE, base, weight)
    return rng, x, base, weight


def spread(base, weight, force):
    fx, fy = np.zeros(SHAPE[0] * SHAPE[1]), np.zeros(SHAPE[0] * SHAPE[1])
    ibm.spread(force, SHAPE[0], base, weight, fx, fy)
    return fx, fy


@KERNELS
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=10, deadline=None)
def test_spreading_is_adjoint_to_interpolation(kind, seed):
    rng, x, base, weight = coupling(kind, seed)
    force, u = rng.standard_normal(x.shape), rng.standard_normal((2, SHAPE[0] * SHAPE[1]))
    fx, fy = spread(base, weight, force)
    velocity = np.empty_like(x)
    ibm.interpolate(SHAPE[0], base, weight, u[0], u[1], velocity)
    assert (fx * u[0] + fy * u[1]).sum() == pytest.approx((force * velocity).sum(), abs=1e-12)


@KERNELS
def test_adjoint_check_sees_other_weights(kind):
    rng, x, base, weight = coupling(kind, 1)
    force, u = rng.standard_normal(x.shape), rng.standard_normal((2, SHAPE[0] * SHAPE[1]))
    fx, fy = spread(base, weight, force)
    ibm.weights(kind, x + np.array([0.1, 0.0]), SHAPE, base, weight)
    velocity = np.empty_like(x)
    ibm.interpolate(SHAPE[0], base, weight, u[0], u[1], velocity)
    assert abs((fx * u[0] + fy * u[1]).sum() - (force * velocity).sum()) > 1e-3


@KERNELS
def test_spreading_keeps_force_and_torque(kind):
    rng, x, base, weight = coupling(kind, 2)
    force = rng.standard_normal(x.shape)
    fx, fy = spread(base, weight, force)
    index = np.arange(SHAPE[0] * SHAPE[1])
    i, j = index % SHAPE[0], index // SHAPE[0]
    assert [fx.sum(), fy.sum()] == pytest.approx(force.sum(axis=0), abs=1e-12)
    torque = (x[:, 0] * force[:, 1] - x[:, 1] * force[:, 0]).sum()
    assert (i * fy - j * fx).sum() == pytest.approx(torque, abs=1e-10)


@KERNELS
def test_kernel_equals_twin(kind):
    rng, x, base, weight = coupling(kind, 3)
    matrix = naive.weight_matrix(kind, x, SHAPE)
    force, u = rng.standard_normal(x.shape), rng.standard_normal((2, *SHAPE))
    fx, _ = spread(base, weight, force)
    assert pytest.approx(np.einsum("v,vxy->xy", force[:, 0], matrix), abs=1e-13) == fx.reshape(SHAPE[::-1]).T
    velocity = np.empty_like(x)
    ibm.interpolate(SHAPE[0], base, weight, u[0].T.ravel(), u[1].T.ravel(), velocity)
    assert velocity == pytest.approx(np.einsum("dxy,vxy->vd", u, matrix), abs=1e-13)


@pytest.mark.parametrize(("kind", "squares"), [(3, 0.5), (4, 0.375)])
def test_kernel_sums(kind, squares):
    # Peskin's conditions: partition of unity, no first moment, the same sum of squares wherever the node is.
    for offset in np.linspace(0, 1, 11):
        r = np.arange(-4, 5) - offset
        w = naive.phi(kind, r)
        assert w.sum() == pytest.approx(1, abs=1e-14)
        assert (w * r).sum() == pytest.approx(0, abs=1e-14)
        assert (w**2).sum() == pytest.approx(squares, abs=1e-14)
