"""Membranes whose nodes have mass: velocity Verlet and friction with the fluid, as the object-in-fluid model has them.

A step is ESPResSo's: half a kick, the drift, the forces at the new place with the flow before its next collision, half
a kick, and then the flow's step with the opposite of the friction. The collision is this program's, two relaxation
times instead of many; shear viscosity and forcing are the same.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from sim.boundary import PointFunction
from sim.cell import CellModel, Inertia
from sim.coupling import Cell, LostMembrane
from sim.fluid import Fluid, FluidModel, set_box
from sim.kernels import ibm, trilinear, verlet
from sim.oif import Oif, oif_forces
from sim.shell import Workspace
from sim.softsphere import repel
from sim.trilinear import Stencil, read_flow

_kernels: Any = trilinear
REACH = 1
"""Lattice nodes that a membrane node touches to either side."""
MARGIN = 3
"""Lattice nodes between the membrane and the edge of the box when the box is drawn anew."""
EVERYWHERE = 2**40
"""Edge of a box that has none, lattice units."""


def place_inertial(
    model: CellModel, cell: Cell, fluid_model: FluidModel, fluid: Fluid, walls: PointFunction | None = None
) -> None:
    """Put membranes at rest into the flow, with their own forces and those of the walls.

    Parameters
    ----------
    model, cell, fluid_model, fluid
        Membranes and flow.
    walls
        Velocity (n, 3) of the walls at points (n, 3), lattice units; at rest when omitted. What a membrane node next to
        a wall sees of the wall moves with it.

    Raises
    ------
    LostMembrane
        If a node has no finite position or is off the grid.
    """
    if walls is not None:
        solid = np.flatnonzero(~fluid_model.grid.fluid)
        for field, values in zip(fluid.velocity, walls(fluid_model.grid.coordinates(solid)).T, strict=True):
            field[solid] = values
    follow_inertial(cell, fluid_model, fluid)
    _add_up_forces(model, cell)


def begin_step(model: CellModel, cell: Cell) -> None:
    """Give the nodes the first half of a step's kick, and move them."""
    inertia, _ = _parts(model, cell)
    verlet.kick(cell.velocity, cell.force, 0.5 / inertia.mass)
    verlet.drift(cell.x, cell.velocity)


def end_step(model: CellModel, cell: Cell, fluid_model: FluidModel, fluid: Fluid) -> None:
    """Find the forces at the nodes' new place, give friction to the fluid, and the nodes the other half of the kick."""
    inertia, stencil = _parts(model, cell)
    _kernels.clear(stencil.corner, *fluid.force)
    _add_up_forces(model, cell)
    read_flow(stencil, cell.x, fluid_model, fluid)
    numbers = (inertia.friction, inertia.damping)
    cell.slip = _kernels.rub(
        stencil.corner, stencil.share, *fluid.velocity, cell.velocity, *numbers, cell.force, *fluid.force
    )
    verlet.kick(cell.velocity, cell.force, 0.5 / inertia.mass)


def follow_inertial(cell: Cell, fluid_model: FluidModel, fluid: Fluid) -> None:
    """Draw the fluid's box anew if a membrane has come near its edge; where one crosses a periodic face, as a whole.

    Raises
    ------
    LostMembrane
        If a node has no finite position or is beyond the walls of the grid.
    """
    (low, high), (first, last) = cell.box, cell.extent
    where = ibm.locate(cell.x, REACH, low, high, first, last)
    if where == 0:
        return
    grid = fluid_model.grid
    interior, periodic = np.array(grid.interior), np.array(grid.periodic)
    if where < 0 or (((first < 0) | (last > interior + 1)) & ~periodic).any():
        raise LostMembrane
    crossing = periodic & ((first < 1) | (last > interior))
    # Beyond the edge by so much that a node is found there as soon as one of its corners would be off the grid.
    edge = np.where(periodic, 0, -1)
    low[:] = np.where(crossing, -EVERYWHERE, np.maximum(first - MARGIN, edge))
    high[:] = np.where(crossing, EVERYWHERE, np.minimum(last + MARGIN, interior + 1 - edge))
    set_box(fluid_model, fluid, np.maximum(low, 0), np.minimum(high, np.array(grid.shape) - 1))


def _parts(model: CellModel, cell: Cell) -> tuple[Inertia, Stencil]:
    return cast(Inertia, model.inertia), cast(Stencil, cell.stencil)


def _add_up_forces(model: CellModel, cell: Cell) -> None:
    """Write the forces of the membranes and of the walls."""
    for one, work in zip(model.membranes, cell.work, strict=True):
        nodes = one.nodes
        oif_forces(cast(Oif, one.law), cell.x[nodes], cell.velocity[nodes], cell.force[nodes], cast(Workspace, work))
    cell.wall_distance = repel(_parts(model, cell)[0].walls, cell.x, cell.force)
