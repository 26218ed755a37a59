"""Membrane and wall forces: exact gradients of their energies, without net force or torque."""

import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim import mesh
from sim.kernels import ibm, membrane

TERMS = {
    "stretching": {"ks": 0.7},
    "bending": {"kb": 1.3},
    "area": {"kv": 0.9},
    "area multiplier": {"multiplier": 0.4},
    "perimeter": {"ka": 0.5},
    "all": {"ks": 0.7, "kb": 1.3, "kv": 0.9, "multiplier": -0.2, "ka": 0.5},
}


def constants(**given):
    values = {"ks": 0.0, "kb": 0.0, "kv": 0.0, "multiplier": 0.0, "ka": 0.0} | given
    return values | {"l0": 1.1, "theta0": 2 * np.pi / 24 * (1 + 0.4 * np.cos(np.arange(24))), "area0": 50.0}


def deformed(seed, count=24):
    """Return a ring of nodes, stretched, sheared and shaken."""
    rng = np.random.default_rng(seed)
    x = mesh.ring(8.0, 8.0 * np.pi / count) @ np.array([[1.4, 0.3], [0.0, 0.8]])
    return x + 0.1 * rng.standard_normal(x.shape) + [20.0, 12.0]


def forces(x, k):
    force = np.empty_like(x)
    theta0 = np.broadcast_to(k["theta0"], len(x)).copy()
    membrane.ring_forces(x, k["l0"], theta0, k["ks"], k["kb"], k["kv"], k["area0"], k["multiplier"], k["ka"], force)
    return force


def gradient_error(x, k, **other):
    """Return the largest difference of the force and -dE/dx, E with some constants changed, over the largest force."""
    force = forces(x, k)
    energy = naive.gradient(lambda y: naive.ring_energy(y, **(k | other)), x, 1e-5)
    return abs(force + energy).max() / abs(force).max()


@pytest.mark.parametrize("term", TERMS)
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=10, deadline=None)
def test_force_is_minus_the_gradient_of_the_energy(term, seed):
    assert gradient_error(deformed(seed), constants(**TERMS[term])) < 1e-6


def test_gradient_check_sees_a_wrong_constant():
    k = constants(**TERMS["all"])
    assert gradient_error(deformed(3), k, ks=1.1 * k["ks"]) > 1e-2


@pytest.mark.parametrize("term", TERMS)
def test_no_net_force_and_no_net_torque(term):
    x = deformed(5)
    force = forces(x, constants(**TERMS[term]))
    scale = abs(force).max()
    assert abs(force.sum(axis=0)).max() < 1e-12 * scale
    assert abs((x[:, 0] * force[:, 1] - x[:, 1] * force[:, 0]).sum()) < 1e-11 * scale


def test_forces_turn_with_the_ring():
    x, k = deformed(7), constants(**TERMS["all"])
    turn = np.array([[np.cos(0.8), -np.sin(0.8)], [np.sin(0.8), np.cos(0.8)]])
    assert forces(x @ turn.T + [3.0, -2.0], k) == pytest.approx(forces(x, k) @ turn.T, abs=1e-12)


def test_a_ring_at_rest_feels_nothing():
    x = mesh.ring(8.0, 0.5)
    k = constants(ks=1.0, kb=1.0, kv=1.0, ka=1.0)
    k |= {"l0": np.linalg.norm(x[1] - x[0]), "theta0": 2 * np.pi / len(x), "area0": np.pi * 16}
    assert abs(forces(x, k)).max() < 1e-12


@pytest.mark.parametrize("axes", [(8.0, 3.0), (2.0, 8.0)])
def test_an_ellipse_at_rest_feels_nothing(axes):
    x = mesh.ellipse(axes, 0.5, 0.7)
    edge = np.roll(x, -1, axis=0) - x
    assert np.ptp(np.linalg.norm(edge, axis=1)) < 1e-12
    before = np.roll(edge, 1, axis=0)
    turn = np.arctan2(before[:, 0] * edge[:, 1] - before[:, 1] * edge[:, 0], (before * edge).sum(axis=1))
    k = constants(ks=1.0, kb=1.0, kv=1.0, ka=1.0)
    k |= {"l0": np.linalg.norm(edge[0]), "theta0": turn, "area0": np.pi / 4 * axes[0] * axes[1]}
    assert abs(forces(x, k)).max() < 1e-11


def test_line_tension_is_ks_times_strain():
    x = mesh.ring(8.0, 0.2)
    k = constants(ks=0.7) | {"l0": np.linalg.norm(x[1] - x[0]) / 1.05, "theta0": 0.0}
    inward = -np.einsum("vd,vd->v", forces(x, k), x / np.linalg.norm(x, axis=1)[:, None])
    # Laplace: tension over radius per length, here per node.
    assert inward.sum() == pytest.approx(0.7 * 0.05 * 2 * np.pi, rel=1e-3)


def test_bending_moment_is_independent_of_the_mesh():
    # A flat-rest ring bent to a circle of radius R stores ½ kb 2π/R.
    for spacing in (0.4, 0.2):
        x = mesh.ring(8.0, spacing)
        l0 = np.linalg.norm(x[1] - x[0])
        energy = naive.ring_energy(x, l0, 0.0, 0.0, 1.3, 0.0, 1.0, 0.0, 0.0)
        assert energy == pytest.approx(0.5 * 1.3 * 2 * np.pi / 4, rel=2e-3)


def distance_field():
    """Return the distance (X, Y) to two walls at an angle; smooth between them."""
    i, j = np.meshgrid(np.arange(40.0), np.arange(24.0), indexing="ij")
    return np.minimum(j - 1.5, 20.0 - j + 0.2 * i)


def test_wall_force_is_minus_the_gradient_and_pushes_away():
    field = distance_field()
    rng = np.random.default_rng(2)
    x = np.column_stack([rng.uniform(5, 30, 40), rng.uniform(2.0, 3.4, 40)])
    force = np.zeros_like(x)
    strength = rng.uniform(0.2, 0.4, len(x))
    nearest = ibm.add_wall_forces(x, field.T.ravel(), 40, strength, 1.2, force)
    exact = naive.gradient(lambda y: naive.wall_energy(y, field, strength, 1.2), x, 1e-6)
    assert force == pytest.approx(-exact, abs=1e-8)
    assert nearest == pytest.approx((x[:, 1] - 1.5).min())
    assert (force[x[:, 1] < 2.6, 1] > 0).all()
    assert (force[x[:, 1] > 2.8] == 0).all()


def test_ring_has_the_area_of_its_circle():
    for spacing in (0.3, 1.0, 2.0):
        x = mesh.ring(14.2, spacing, 0.3)
        nxt = np.roll(x, -1, axis=0)
        area = (x[:, 0] * nxt[:, 1] - nxt[:, 0] * x[:, 1]).sum() / 2
        assert area == pytest.approx(np.pi * 14.2**2 / 4, rel=1e-12)


@pytest.mark.parametrize("dimension", [2, 3])
def test_nodes_move_with_the_flow_and_slip_by_force_over_friction(dimension):
    rng = np.random.default_rng(4)
    x, flow, force, kink = rng.standard_normal((4, 20, dimension))
    mobility = rng.uniform(0, 0.1, 20)
    moved, velocity = x.copy(), flow.copy()
    slip = membrane.advance(moved, velocity, force, mobility, kink)
    assert velocity == pytest.approx(flow + mobility[:, None] * force + kink)
    assert moved == pytest.approx(x + velocity)
    assert slip == pytest.approx((mobility * np.linalg.norm(force, axis=1)).max())
