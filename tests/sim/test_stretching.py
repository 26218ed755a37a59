"""Parts of the cases without flow: the search for equilibrium, and bars with unequal ends."""

import numpy as np
import pytest

from sim.cases.reference import read_reference
from sim.cases.stretching import DIAMETER, make_red_cell, pull, relax, within_bars
from sim.command import UnstableSimulation

STIFFNESS = np.array([1.0, 10.0, 100.0])


def springs(x, force):
    force[:] = -STIFFNESS * (x - [1.0, 2.0, 3.0])


def test_relax_finds_the_equilibrium():
    x = np.zeros((2, 3))
    assert relax(springs, x, 1e-8, 0.02) < 2000
    assert x == pytest.approx(np.tile([1.0, 2.0, 3.0], (2, 1)), abs=1e-7)


def test_relax_says_when_there_is_none():
    with pytest.raises(UnstableSimulation, match="no equilibrium after 50 steps: largest force"):
        relax(lambda x, force: force.fill(1.0), np.zeros((2, 3)), 1e-8, 0.02, most=50)


def test_a_red_cell_without_load_keeps_its_shape():
    ((along, across),) = pull(2, [0.0], lambda _: None)
    nodes = make_red_cell(2)[1]
    assert (along, across) == tuple(np.ptp(nodes, axis=0)[:2])
    assert along == pytest.approx(DIAMETER, rel=0.01)


@pytest.mark.parametrize(("value", "passes"), [(14.43, True), (14.42, False), (16.87, True), (16.88, False)])
def test_bars_have_two_ends(value, passes):
    table = read_reference("rbc_stretching")
    k = table["force"].tolist().index(151)
    assert within_bars(table, k, "axial", value, "").passed is passes
