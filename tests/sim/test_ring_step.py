"""A step of a ring in one call is the step kernel by kernel, bit for bit."""

import numpy as np
import pytest

from sim import coupling
from sim.config import SimulationConfig
from sim.coupling import LostMembrane, move
from sim.kernels import ibm, membrane
from sim.simulation import advance, at_rest, build


def move_by_kernels(model, cell, fluid_model, fluid):
    """What `move` does for a cell of several membranes."""
    (stride,) = fluid_model.grid.strides[1:]
    ibm.interpolate(stride, cell.base, cell.weight, *fluid.velocity, cell.velocity)
    cell.slip = membrane.advance(cell.x, cell.velocity, cell.force, model.mobility, cell.kink)
    coupling.follow(cell, fluid_model, fluid)
    coupling._add_up_forces(model, cell, fluid_model)
    coupling.spread(model, cell, fluid_model, fluid)


@pytest.mark.parametrize(("kernel", "law"), [(2, "friction"), (3, "friction"), (4, "friction"), (4, "no-slip")])
def test_one_call_is_all_of_them(small, kernel, law):
    values = small.model_dump(exclude_none=True)
    values["numerics"] |= {"kernel": kernel, "coupling": law}
    values["cell"] |= {"ks": 2e-3, "ka_global": 1e-4}
    model = build(SimulationConfig.model_validate(values))
    one, other = at_rest(model), at_rest(model)
    for _ in range(40):
        advance(model, one)
        advance(model, other)
    move(model.cells, one.cell, model.fluid, one.fluid)
    move_by_kernels(model.cells, other.cell, model.fluid, other.fluid)
    for name in ("x", "velocity", "force", "kink", "base", "weight", "pressure"):
        assert np.array_equal(getattr(one.cell, name), getattr(other.cell, name)), name
    for mine, theirs in zip(one.fluid.force, other.fluid.force, strict=True):
        assert np.array_equal(mine, theirs)
        assert mine.any()
    assert (one.cell.slip, one.cell.wall_distance) == (other.cell.slip, other.cell.wall_distance)


@pytest.mark.parametrize("place", [np.nan, -3.0, 1e12])
def test_a_lost_node_is_seen(small, place):
    model = build(small)
    state = at_rest(model)
    state.cell.x[3, 1] = place
    with pytest.raises(LostMembrane):
        move(model.cells, state.cell, model.fluid, state.fluid)
