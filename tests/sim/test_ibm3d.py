"""Spreading, interpolation and wall forces in 3-D: adjoint, momentum kept, equal to their twins."""

import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.kernels import ibm3d

SHAPE = (20, 16, 18)
STRIDES = (SHAPE[0], SHAPE[0] * SHAPE[1])
NODES = SHAPE[0] * SHAPE[1] * SHAPE[2]
KERNELS = pytest.mark.parametrize("kind", [2, 3, 4])
PRECISIONS = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def coupling(kind, seed, dtype=np.float64, count=30):
    rng = np.random.default_rng(seed)
    x = rng.uniform([3, 3, 3], [16, 12, 14], (count, 3))
    base, weight = np.empty(count, dtype=np.int64), np.empty((count, 3, 4), dtype=dtype)
    ibm3d.weights(kind, x, SHAPE, base, weight)
    return rng, x, base, weight


def spread(base, weight, force, dtype=np.float64):
    field = np.zeros((3, NODES), dtype=dtype)
    ibm3d.spread(force, *STRIDES, base, weight, *field)
    return field


@KERNELS
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=10, deadline=None)
def test_spreading_is_adjoint_to_interpolation(kind, seed):
    rng, x, base, weight = coupling(kind, seed)
    force, u = rng.standard_normal(x.shape), rng.standard_normal((3, NODES))
    velocity = np.empty_like(x)
    ibm3d.interpolate(*STRIDES, base, weight, *u, velocity)
    assert (spread(base, weight, force) * u).sum() == pytest.approx((force * velocity).sum(), abs=1e-12)


@KERNELS
def test_adjoint_check_sees_other_weights(kind):
    rng, x, base, weight = coupling(kind, 1)
    force, u = rng.standard_normal(x.shape), rng.standard_normal((3, NODES))
    field = spread(base, weight, force)
    ibm3d.weights(kind, x + np.array([0.0, 0.1, 0.0]), SHAPE, base, weight)
    velocity = np.empty_like(x)
    ibm3d.interpolate(*STRIDES, base, weight, *u, velocity)
    assert abs((field * u).sum() - (force * velocity).sum()) > 1e-3


@KERNELS
@PRECISIONS
def test_both_are_their_twins(kind, dtype):
    rng, x, base, weight = coupling(kind, 2, dtype)
    force, u = rng.standard_normal(x.shape), rng.standard_normal((3, NODES)).astype(dtype)
    matrix = naive.weight_matrix(kind, x, SHAPE).reshape(len(x), NODES, order="F")
    tolerance = 1e-5 if dtype == np.float32 else 1e-13
    assert spread(base, weight, force, dtype) == pytest.approx((matrix.T @ force).T, abs=tolerance)
    velocity = np.empty_like(x)
    ibm3d.interpolate(*STRIDES, base, weight, *u, velocity)
    assert velocity == pytest.approx(matrix @ u.T, abs=tolerance)


@KERNELS
def test_spreading_keeps_force_and_torque(kind):
    rng, x, base, weight = coupling(kind, 3)
    force = rng.standard_normal(x.shape)
    field = spread(base, weight, force)
    position = np.stack(np.unravel_index(np.arange(NODES), SHAPE, order="F"), axis=1)
    assert field.sum(axis=1) == pytest.approx(force.sum(axis=0), abs=1e-12)
    assert np.cross(position, field.T).sum(axis=0) == pytest.approx(np.cross(x, force).sum(axis=0), abs=1e-10)


@KERNELS
def test_a_kernel_that_reaches_out_of_the_grid_is_cut_off(kind):
    x = np.array([[0.7, 8.0, 16.6], [18.4, 14.5, 0.6]])
    base, weight = np.empty(2, dtype=np.int64), np.empty((2, 3, 4))
    ibm3d.weights(kind, x, SHAPE, base, weight)
    field = spread(base, weight, np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]))
    matrix = naive.weight_matrix(kind, x, SHAPE).reshape(2, NODES, order="F")
    assert field[0] == pytest.approx(matrix[0])
    assert field[1] == pytest.approx(matrix[1])


def test_wall_force_is_minus_the_gradient_and_pushes_away():
    rng = np.random.default_rng(6)
    i, j, k = np.meshgrid(*(np.arange(float(n)) for n in SHAPE), indexing="ij")
    field = np.minimum(j - 1.5 + 0.1 * i, 14.0 - 0.3 * k)
    x = np.column_stack([rng.uniform(2, 16, 60), rng.uniform(1.5, 6, 60), rng.uniform(2, 15, 60)])
    strength = rng.uniform(0.2, 0.4, 60)
    force = np.zeros_like(x)
    nearest = ibm3d.add_wall_forces(x, field.ravel(order="F"), *STRIDES, strength, 2.5, force)
    exact = naive.gradient(lambda y: naive.wall_energy(y, field, strength, 2.5), x, 1e-6)
    assert force == pytest.approx(-exact, abs=1e-8)
    distance = np.minimum(x[:, 1] - 1.5 + 0.1 * x[:, 0], 14.0 - 0.3 * x[:, 2])
    assert nearest == pytest.approx(distance.min())
    assert ((force != 0).any(axis=1) == (distance < 2.5)).all()
