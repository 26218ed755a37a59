import numpy as np
import pytest

from sim.channel import make_channel
from sim.config import ChannelConfig
from sim.grid import make_links
from sim.lattice import D2Q9, D3Q19
from sim.outline import outline, wall_distance

UM = 1e-6


@pytest.fixture(scope="module")
def channel():
    return make_channel(ChannelConfig(), 0.325 * UM)


def test_gap_has_as_many_nodes_as_fit(channel):
    assert len(channel.section(15 * UM)) == 16
    assert len(channel.section(-30 * UM)) == 68


def test_walls_of_the_gap_are_half_way_between_nodes(channel):
    column = channel.section(15 * UM)
    assert channel.distance[column].min() == pytest.approx(0.5)
    width = channel.grid.shape[0]
    assert channel.distance[column[-1] + width] == pytest.approx(-0.5)


@pytest.mark.parametrize("dx", [0.4 * UM, 0.325 * UM])
def test_channel_is_symmetric(dx):
    config = ChannelConfig(gap=5.2 * UM)
    channel = make_channel(config, dx)
    assert (np.ptp([len(channel.section(x)) % 2 for x in np.arange(-30, 80, 3) * UM])) == 0
    y = channel.origin[1] + channel.section(15 * UM) // channel.grid.shape[0] * dx
    assert y == pytest.approx(-y[::-1])


def test_fluid_volume_is_the_channels(channel):
    config = ChannelConfig()
    x, half = outline(config).T
    area = 2 * np.trapezoid(half, x)
    assert channel.grid.fluid.sum() * channel.dx**2 == pytest.approx(area, rel=0.01)


def test_positions_go_there_and_back(channel):
    position = np.array([[1.0 * UM, -2.0 * UM], [20 * UM, 0.3 * UM]])
    assert channel.to_si(channel.to_lattice(position)) == pytest.approx(position)


def test_distance_to_the_walls():
    config = ChannelConfig()
    x, y = np.array([15.8, 15.8, -30.0, 60.0, -16.7]) * UM, np.array([0.0, 3.6, 0.0, 10.0, 0.0]) * UM
    slope = np.hypot(16.7, 8.5)
    expected = np.array([2.6, -1.0, 11.1, 1.1, 11.1 * 16.7 / slope]) * UM
    assert wall_distance(config, x, y) == pytest.approx(expected, rel=1e-9)


def test_outline_is_the_papers_device():
    corners = outline(ChannelConfig()) / UM
    assert corners[:, 1] == pytest.approx([11.1, 11.1, 2.6, 2.6, 11.1, 11.1])
    assert np.diff(corners[:, 0]) == pytest.approx([20, 16.7, 31.6, 15.8, 50])


def test_a_step_without_taper_is_allowed():
    channel = make_channel(ChannelConfig(entry_taper=0, exit_taper=0), 0.65 * UM)
    assert len(channel.section(1 * UM)) == 8
    assert len(channel.section(-1 * UM)) > 30


def test_in_three_dimensions_the_outline_is_extruded_to_the_depth():
    config = ChannelConfig()
    flat, deep = make_channel(config, 0.65 * UM), make_channel(config, 0.65 * UM, 3)
    mask, mask3 = flat.grid.box(flat.grid.fluid), deep.grid.box(deep.grid.fluid)
    assert mask3.shape == (*mask.shape, 31)
    assert (mask3 == mask[..., None]).all()
    assert len(deep.section(15 * UM)) == 8 * 31
    middle = np.rint(deep.to_lattice(np.array([15.8, 0.3, 0.0]) * UM)).astype(int)
    assert deep.distance[middle @ deep.grid.strides] == pytest.approx(3.5)
    floor = np.rint(deep.to_lattice(np.array([-30, 0.3, -9.7]) * UM)).astype(int)
    assert deep.distance[floor @ deep.grid.strides] == pytest.approx(0.5, abs=0.3)


@pytest.mark.parametrize("dimension", [2, 3])
def test_interpolated_walls_are_where_the_outline_is(dimension):
    config = ChannelConfig()
    channel = make_channel(config, 0.65 * UM, dimension)
    links = make_links(channel.grid, D2Q9 if dimension == 2 else D3Q19)
    c = (D2Q9 if dimension == 2 else D3Q19).c[links.direction[links.wall]]
    position = channel.grid.coordinates(links.node[links.wall])
    fraction = channel.wall_fraction(position, c)
    assert np.isnan(fraction).any()
    met = channel.to_si(position + np.where(np.isnan(fraction), 0.5, fraction)[:, None] * c)
    distance = wall_distance(config, met[:, 0], met[:, 1])
    if dimension == 3:
        distance = np.minimum(distance, config.depth / 2 - abs(met[:, 2]))
    # At edges and corners the distance is not linear along a link.
    assert np.mean(abs(distance) < 0.02 * channel.dx) > 0.8
    assert abs(distance).max() < 0.3 * channel.dx
