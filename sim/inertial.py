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
from sim.coupling import Cell, follow
from sim.fluid import Fluid, FluidModel
from sim.kernels import trilinear, verlet
from sim.oif import Oif, oif_forces
from sim.shell import Workspace
from sim.softsphere import repel
from sim.trilinear import Stencil, read_flow

_kernels: Any = trilinear


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
    follow(cell, fluid_model, fluid)
    _add_up_forces(model, cell)


def begin_step(model: CellModel, cell: Cell) -> None:
    """Give the nodes the first half of a step's kick, and move them."""
    inertia, _ = _parts(model, cell)
    verlet.kick(cell.velocity, cell.force, 0.5 / inertia.mass)
    verlet.drift(cell.x, cell.velocity)


def end_step(model: CellModel, cell: Cell, fluid_model: FluidModel, fluid: Fluid) -> None:
    """Find the forces at the nodes' new place, give friction to the fluid, and the nodes the other half of the kick."""
    inertia, stencil = _parts(model, cell)
    _add_up_forces(model, cell)
    read_flow(stencil, cell.x, fluid_model, fluid)
    numbers = (inertia.friction, inertia.damping)
    cell.slip = _kernels.rub(
        stencil.corner, stencil.share, *fluid.velocity, cell.velocity, *numbers, cell.force, *fluid.force
    )
    verlet.kick(cell.velocity, cell.force, 0.5 / inertia.mass)


def _parts(model: CellModel, cell: Cell) -> tuple[Inertia, Stencil]:
    return cast(Inertia, model.inertia), cast(Stencil, cell.stencil)


def _add_up_forces(model: CellModel, cell: Cell) -> None:
    """Write the forces of the membranes and of the walls."""
    for one, work in zip(model.membranes, cell.work, strict=True):
        nodes = one.nodes
        oif_forces(cast(Oif, one.law), cell.x[nodes], cell.velocity[nodes], cell.force[nodes], cast(Workspace, work))
    cell.wall_distance = repel(_parts(model, cell)[0].walls, cell.x, cell.force)
