"""The lattice nodes near a membrane: marked as a slow search finds them, and all in the pieces of the runs."""

import numpy as np
import pytest

from sim.grid import make_grid
from sim.kernels import pieces


def nearby(x, below, above, grid, periodic):
    """Return the marks by looking at every membrane node in turn (nodes,)."""
    touched = np.zeros(grid.shape, dtype=bool)
    for low in np.floor(x).astype(int):
        for offset in np.ndindex(*(below + above + 1,) * x.shape[1]):
            place = low - below + offset
            place = np.where(periodic, (place - 1) % np.array(grid.interior) + 1, place)
            if (place >= 0).all() and (place < grid.shape).all():
                touched[tuple(place)] = True
    return touched.ravel(order="F")


@pytest.mark.parametrize("size", [(40, 12), (33, 10, 11)], ids=["2-D", "3-D"])
@pytest.mark.parametrize("wraps", [False, True])
@pytest.mark.parametrize(("below", "above"), [(1, 2), (2, 3), (1, 1)])
def test_marks_and_pieces(size, wraps, below, above):
    rng = np.random.default_rng(3)
    periodic = np.array([wraps] * len(size))
    grid = make_grid(rng.random(size) < 0.8, tuple(bool(p) for p in periodic))
    x = rng.random((9, len(size))) * np.array(size)
    touched = np.ones(grid.nodes, dtype=bool)
    pieces.mark(x, below, above, periodic, grid.interior, grid.shape, touched)
    assert (touched == nearby(x, below, above, grid, periodic)).all()
    row = np.zeros(grid.start.size + 1, dtype=np.uintp)
    start, stop = (np.zeros(grid.start.size + grid.nodes // pieces.GAP, dtype=np.uintp) for _ in range(2))
    pieces.find_pieces(grid.start, grid.stop, touched, row, start, stop)
    inside = np.zeros(grid.nodes, dtype=bool)
    for r in range(grid.start.size):
        end = 0
        for k in range(row[r], row[r + 1]):
            assert grid.start[r] <= start[k] < stop[k] <= grid.stop[r]
            assert touched[start[k]]
            assert start[k] >= end
            assert (stop[k] - start[k]) % pieces.LENGTH == 0 or stop[k] == grid.stop[r]
            end = stop[k]
            inside[start[k] : end] = True
    assert inside[touched & grid.fluid].all()


def test_displacement_counts_the_farthest_node_and_sees_lost_ones():
    x, low, high = np.array([[4.0, 5.0], [6.0, 5.5]]), np.array([2.0, -np.inf]), np.array([10.0, np.inf])
    assert pieces.displacement(x, x - [[0.0, 0.25], [0.5, 0.0]], low, high) == 0.5
    assert pieces.displacement(x, np.full_like(x, np.inf), low, high) == np.inf
    for lost in ([1.9, 5.0], [10.1, 5.0], [4.0, np.nan], [4.0, 1e12]):
        assert pieces.displacement(np.array([x[0], lost]), x, low, high) == -1
