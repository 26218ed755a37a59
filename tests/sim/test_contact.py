"""Repulsion between membranes: exact gradient, equal and opposite, no pair missed, cost in proportion to the nodes."""

import time

import naive
import naive_shell
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim import mesh
from sim.contact import Contact, repel


def computed(positions, strength, reach):
    forces = [np.zeros_like(x) for x in positions]
    return forces, repel(Contact(strength, reach), positions, forces)


def clouds(seed, dim, size=30, spread=3.0):
    rng = np.random.default_rng(seed)
    return [spread * rng.uniform(size=(size + 3 * k, dim)) + 0.5 * k for k in range(3)]


def exact_forces(positions, strength, reach):
    sizes = np.cumsum([len(x) for x in positions])[:-1]
    whole = np.concatenate(positions)

    def energy(x):
        return naive_shell.repulsion_energy(np.split(x, sizes), strength, reach)[0]

    return np.split(-naive.gradient(energy, whole, 1e-6), sizes)


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("reach", [0.3, 1.1])
def test_force_is_minus_the_gradient_of_the_energy(dim, reach):
    positions = clouds(4, dim)
    forces, distance = computed(positions, 0.7, reach)
    scale = max(abs(f).max() for f in forces)
    for force, exact in zip(forces, exact_forces(positions, 0.7, reach), strict=True):
        assert abs(force - exact).max() < 1e-6 * scale
    assert distance == pytest.approx(naive_shell.repulsion_energy(positions, 0.7, reach)[1], rel=1e-12)


def brute_force(positions, strength, reach):
    a, b = positions
    apart = a[:, None] - b
    r = np.linalg.norm(apart, axis=2, keepdims=True)
    pairs = strength * np.maximum(0, 1 - r / reach) ** 2 * apart / r
    return [pairs.sum(axis=1), -pairs.sum(axis=0)]


@given(seed=st.integers(0, 2**32 - 1), dim=st.sampled_from([2, 3]), scale=st.sampled_from([0.05, 1.0, 40.0]))
@settings(max_examples=60, deadline=None)
def test_no_pair_is_missed(seed, dim, scale):
    # From all nodes in one box to far more boxes than there are; membranes apart, side by side and within each other.
    rng = np.random.default_rng(seed)
    positions = [scale * rng.uniform(size=(rng.integers(1, 80), dim)), scale * rng.uniform(size=(50, dim))]
    positions[0] += rng.uniform(-1.2, 1.2) * scale
    positions[0] *= rng.uniform(0.1, 1)
    forces, _ = computed(positions, 0.3, 1.0)
    for force, expected in zip(forces, brute_force(positions, 0.3, 1.0), strict=True):
        assert force == pytest.approx(expected, rel=1e-10, abs=1e-12)


def test_forces_are_equal_and_opposite_and_without_torque():
    positions = [mesh.icosphere(3, 4.0).nodes, mesh.icosphere(2, 4.0).nodes + np.array([3.8, 0.4, 0.3])]
    forces, distance = computed(positions, 0.7, 0.6)
    scale = max(abs(f).max() for f in forces)
    assert scale > 0
    assert distance < 0.6
    assert abs(sum(f.sum(axis=0) for f in forces)).max() < 1e-12 * scale
    torque = sum(np.cross(x, f).sum(axis=0) for x, f in zip(positions, forces, strict=True))
    assert abs(torque).max() < 1e-12 * scale
    assert forces[1][:, 0].sum() > 0


def test_membranes_out_of_reach_feel_nothing():
    positions = [mesh.icosphere(2, 2.0).nodes, mesh.icosphere(2, 2.0).nodes + np.array([9.0, 0.0, 0.0])]
    forces, distance = computed(positions, 1.0, 0.5)
    assert distance == np.inf
    assert not any(f.any() for f in forces)


def test_a_nucleus_is_pushed_inwards():
    membrane, nucleus = mesh.icosphere(4, 14.2), mesh.icosphere(3, 13.6)
    (_, inner), distance = computed([membrane.nodes, nucleus.nodes], 1.0, 0.6)
    assert 0.2 < distance < 0.6
    assert np.einsum("vd,vd->", inner, nucleus.nodes) < 0


def test_nodes_at_one_place_are_reported_and_stay_finite():
    positions = [np.zeros((1, 3)), np.zeros((1, 3))]
    forces, distance = computed(positions, 1.0, 1.0)
    assert distance == 0
    assert not any(f.any() for f in forces)


def test_cost_goes_with_the_number_of_nodes():
    def seconds(level):
        positions = [mesh.icosphere(level, 14.2).nodes, mesh.icosphere(level, 12.0).nodes]
        reach = 20.0 / 2**level
        computed(positions, 1.0, reach)
        times = []
        for _ in range(5):
            start = time.perf_counter()
            computed(positions, 1.0, reach)
            times.append(time.perf_counter() - start)
        return min(times)

    # 16 times the nodes at equal neighbours; all pairs would cost 256 times as much.
    assert seconds(5) < 60 * seconds(3)
