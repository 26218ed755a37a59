"""Soft-sphere walls: ESPResSo's force, wall by wall, in the channels that have them."""

import naive_inertial
import numpy as np
import pytest

from sim.channel import make_channel
from sim.config import load_config
from sim.softsphere import make_soft_sphere, repel
from sim.units import make_units

UM = 1e-6


@pytest.fixture(scope="module")
def job():
    """Walls, channel and units of the squeeze."""
    config = load_config("oif_squeeze")
    units = make_units(config.fluid, config.numerics.model_copy(update={"inertia_scale": 1.0}))
    channel = make_channel(config.channel, config.numerics.dx, 3)
    assert int(channel.grid.fluid.sum()) == 18_800
    return make_soft_sphere(config.cell.oif, config.channel, channel, units), channel, units


def force_at(job, *position):
    """Return the force (3,) in N on a node at a position in µm, and its distance to the nearest wall in µm."""
    walls, channel, units = job
    x, force = channel.to_lattice(UM * np.array([position])), np.zeros((1, 3))
    return repel(walls, x, force) * units.dx / UM, force[0] * units.force


def espresso(distance):
    """Return 0.002 n d^-(n+1) nN in N, n = 1.5, d in µm."""
    return 1e-9 * 0.002 * 1.5 * distance**-2.5 if distance < 0.5 else 0.0


@pytest.mark.parametrize("d", [0.1, 0.3, 0.499, 0.501])
def test_each_wall_repels_with_espressos_force(job, d):
    half, depth, width = 2.6, 10.4, 10.92
    places = {
        (10.0, half - d, 0.0): [0, -1, 0],  # ceiling of the constriction
        (10.0, -half + d, 0.0): [0, 1, 0],
        (-d, 5.0, 0.0): [-1, 0, 0],  # front of the block
        (20.8 + d, -5.0, 0.0): [1, 0, 0],
        (-d * np.sqrt(0.5), half - d * np.sqrt(0.5), 0.0): [-np.sqrt(0.5), -np.sqrt(0.5), 0],  # its edge
        (30.0, 0.0, depth - d): [0, 0, -1],
        (-9.0, width - d, 0.0): [0, -1, 0],
    }
    for place, direction in places.items():
        distance, force = force_at(job, *place)
        assert distance == pytest.approx(d, rel=1e-9)
        assert force == pytest.approx(np.array(direction) * espresso(d), abs=1e-9 * espresso(0.1))


def test_walls_add_up_in_a_corner_and_repeat_along_x(job):
    _, force = force_at(job, 10.0, 2.3, 10.2)
    assert force == pytest.approx([0, -espresso(0.3), -espresso(0.2)], rel=1e-9)
    for turns in (-1, 1, 2):
        assert force_at(job, -0.2 + 62.4 * turns, 6.0, 0.0)[1] == pytest.approx(
            force_at(job, -0.2, 6.0, 0.0)[1], rel=1e-9
        )


def test_a_node_in_a_wall_is_told(job):
    assert force_at(job, 10.0, 2.7, 0.0)[0] == pytest.approx(-0.1)
    assert force_at(job, 10.0, 0.0, -10.5)[0] == pytest.approx(-0.1)


@pytest.mark.parametrize("taper", [0.0, 3e-6])
def test_the_kernel_is_its_twin(taper):
    config = load_config("oif_squeeze")
    units = make_units(config.fluid, config.numerics.model_copy(update={"inertia_scale": 1.0}))
    shape = config.channel.model_copy(update={"entry_taper": taper, "exit_taper": taper / 2})
    channel = make_channel(shape, config.numerics.dx, 3)
    walls = make_soft_sphere(config.cell.oif.model_copy(update={"wall_cutoff": 2 * UM}), shape, channel, units)
    x = np.random.default_rng(0).uniform([0, -2, -2], [channel.grid.interior[0], 24, 23], (600, 3))
    force = np.zeros_like(x)
    smallest = repel(walls, x, force)
    numbers = (walls.period, walls.energy, walls.exponent, walls.cutoff)
    expected, least = naive_inertial.wall_forces(x, walls.planes, walls.prisms, *numbers)
    assert smallest == pytest.approx(least)
    near = abs(expected).max(axis=1) > 0
    assert 0.1 < near.mean() < 0.9
    assert force == pytest.approx(expected, rel=1e-9, abs=1e-10)


def test_the_stiffness_is_the_slope_of_the_force(job):
    walls, _, _ = job
    load = walls.energy * walls.exponent * 0.2 ** -(walls.exponent + 1)
    x = np.array([[1.0, 5.0, walls.planes[2, 1] + 0.2], [1.0, 5.0, walls.planes[2, 1] + 0.2 + 1e-6]])
    force = np.zeros_like(x)
    repel(walls, x, force)
    assert force[0, 2] == pytest.approx(load)
    assert walls.stiffness(load) == pytest.approx((force[0, 2] - force[1, 2]) / 1e-6, rel=1e-4)
    assert walls.stiffness(0.0) == 0.0
