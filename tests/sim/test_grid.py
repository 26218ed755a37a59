import numpy as np
import pytest

from sim.grid import PAD, make_grid, make_links
from sim.lattice import D2Q9, D3Q19

CASES = pytest.mark.parametrize(
    ("lattice", "size", "periodic"),
    [
        (D2Q9, (20, 14), (True, False)),
        (D2Q9, (20, 14), (True, True)),
        (D3Q19, (9, 7, 8), (True, False, False)),
        (D3Q19, (9, 7, 8), (True, True, True)),
    ],
    ids=str,
)


def random_grid(size, periodic, seed=0):
    return make_grid(np.random.default_rng(seed).random(size) < 0.8, periodic)


@CASES
def test_runs_cover_the_fluid_once(lattice, size, periodic):
    grid = random_grid(size, periodic)
    seen = np.zeros(grid.nodes, dtype=int)
    for start, stop in zip(grid.start, grid.stop, strict=True):
        seen[start:stop] += 1
    assert (seen == grid.fluid).all()


@CASES
def test_box_is_the_mask_it_was_made_from(lattice, size, periodic):
    mask = np.random.default_rng(3).random(size) < 0.5
    grid = make_grid(mask, periodic)
    assert (grid.box(grid.fluid) == mask).all()
    assert all(n % PAD == 0 for n in grid.shape)
    index = np.flatnonzero(grid.fluid)
    assert (grid.coordinates(index) @ grid.strides == index).all()


@CASES
def test_every_ghost_has_one_partner_inside(lattice, size, periodic):
    grid = random_grid(size, periodic)
    links = make_links(grid, lattice)
    assert len(np.unique(links.ghost)) == len(links.ghost)
    assert len(np.unique(links.real)) == len(links.real)
    assert grid.fluid[links.real % grid.block].all()
    assert (np.diff(links.node) >= 0).all()
    outside = links.ghost[links.wall] % grid.block
    assert not grid.fluid[outside].any()


def test_a_periodic_box_without_walls_has_only_wraps():
    links = make_links(make_grid(np.ones((5, 6, 7), dtype=bool), (True, True, True)), D3Q19)
    assert not links.wall.any()
    # Each face is left by 5 of 19 directions at every node, edges being shared by two faces.
    assert len(links.ghost) == 2 * 5 * (5 * 6 + 6 * 7 + 5 * 7) - 4 * (5 + 6 + 7)
