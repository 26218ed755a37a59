"""The coupling of membranes and flow: forces to the fluid, velocities to the nodes."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from sim.cell import CellModel, Ring
from sim.contact import repel
from sim.fluid import Fluid, FluidModel, set_pieces
from sim.interior import Interior
from sim.kernels import ibm, ibm3d, membrane, pieces, shell
from sim.kernels.ring import move_ring
from sim.lattice import CS2
from sim.shell import Shell, Workspace, shell_forces
from sim.trilinear import Stencil

VOLUME_STEPS = 100
"""Steps in which the multiplier of the volume (2-D: area) constraint grows by as much as the penalty kv gives at once.

The fluid of the lattice is compressible: a cell under a tension of mN/m loses some per cent of its volume.
A penalty stiff enough to prevent that is unstable in an explicit step; the multiplier (augmented
Lagrangian, Glowinski & Le Tallec 1989) holds the volume with a soft penalty.
"""
KINK_STEPS = 10.0
"""Steps in which that velocity follows the forces: as long as viscosity takes across the kernel, 4 dx² c/ν at τ = 1.

At once, it would be unstable where ks c/μ per node exceeds about a third.
"""
KERNEL_REACH = 2
"""Lattice nodes that a membrane node touches to either side."""
MARGIN = 1
"""By how many lattice nodes more the fluid is told of, so that it need not be told in every step."""


class LostMembrane(ArithmeticError):
    """A membrane node has no finite position or is off the grid."""


class Cell:
    """State of the membranes.

    Attributes
    ----------
    x
        Node positions (V, d), lattice units.
    force, velocity
        Force on and velocity of each node (V, d), lattice units.
    kink
        Part of the velocity that interpolation misses (V, d), lattice units; see `sim.kernels.ibm.missed_velocity`.
    pressure
        Multiplier λ of each membrane's volume (2-D: area) constraint (membranes,), lattice units.
    slip, wall_distance
        Largest slip and smallest wall distance of a node in the last step, lattice units.
    marked
        Positions (V, d) for which the fluid was told last where forces may act.
    around
        Lattice nodes below and above a membrane node at which forces may act then, and which axes wrap it around (d,).
    bounds
        Smallest and largest coordinates that nodes may have, each (d,), lattice units.
    stencil
        Of nodes with mass, which `sim.inertial` moves.
    interior
        Keeps up the viscosity within the cells, where that is another.
    """

    def __init__(self, model: CellModel, fluid_model: FluidModel) -> None:
        dimension = model.start.shape[1]
        self.x = model.start.copy()
        self.force = np.zeros_like(self.x)
        self.velocity = np.zeros_like(self.x)
        self.kink = np.zeros_like(self.x)
        self.base = np.zeros(len(self.x), dtype=np.int64)
        self.weight = np.zeros((len(self.x), dimension, 4), dtype=fluid_model.dtype if dimension == 3 else np.float64)
        self.pressure = np.zeros(len(model.membranes))
        self.slip = 0.0
        self.wall_distance = np.inf
        self.marked = np.full_like(self.x, np.inf)
        self.around, self.bounds = _surroundings(model, fluid_model)
        self.work = [None if isinstance(m.law, Ring) else Workspace(m.law) for m in model.membranes]
        self.stencil = None if model.inertia is None else Stencil(len(self.x), fluid_model)
        self.interior = Interior(model, fluid_model) if fluid_model.varied else None


def _surroundings(model: CellModel, fluid_model: FluidModel) -> tuple[tuple, tuple[np.ndarray, np.ndarray]]:
    """Return `Cell.around` and `Cell.bounds`."""
    grid = fluid_model.grid
    last = np.array(grid.shape) - 1.0
    if model.inertia is not None:
        periodic = np.array(grid.periodic)
        bounds = np.where(periodic, -np.inf, 0.0), np.where(periodic, np.inf, np.array(grid.interior) + 1.0)
        return (MARGIN, 1 + MARGIN, periodic), bounds
    # In 2-D the sides of the grid are far from any cell; in 3-D floor and ceiling are where the grid ends.
    edge = float(KERNEL_REACH) if last.size == 2 else 0.0
    return (1 + MARGIN, 2 + MARGIN, np.zeros(last.size, dtype=bool)), (np.full(last.size, edge), last - edge)


def place(model: CellModel, cell: Cell, fluid_model: FluidModel, fluid: Fluid) -> None:
    """Put membranes at rest into the flow, and give their forces to the fluid.

    Raises
    ------
    LostMembrane
        If a node has no finite position or is off the grid.
    """
    follow(cell, fluid_model, fluid)
    _add_up_forces(model, cell, fluid_model)
    spread(model, cell, fluid_model, fluid)
    set_viscosity(cell, fluid_model, fluid)


def set_viscosity(cell: Cell, fluid_model: FluidModel, fluid: Fluid) -> None:
    """Give the flow the viscosity within the cells where they are now."""
    if cell.interior is not None:
        cell.interior.follow(cell.x, fluid_model, fluid)


def move(model: CellModel, cell: Cell, fluid_model: FluidModel, fluid: Fluid) -> None:
    """Move the membranes with the flow, and give the forces at their new place to the fluid.

    Raises
    ------
    LostMembrane
        If a node has no finite position or is off the grid.
    """
    if len(model.membranes) == 1 and isinstance(model.membranes[0].law, Ring):
        _move_ring(model, model.membranes[0].law, cell, fluid_model, fluid)
        return
    kernels, strides = _kernels(fluid_model)
    kernels.interpolate(*strides, cell.base, cell.weight, *fluid.velocity, cell.velocity)
    cell.slip = membrane.advance(cell.x, cell.velocity, cell.force, model.mobility, cell.kink)
    follow(cell, fluid_model, fluid)
    _add_up_forces(model, cell, fluid_model)
    spread(model, cell, fluid_model, fluid)
    set_viscosity(cell, fluid_model, fluid)


def _move_ring(model: CellModel, law: Ring, cell: Cell, fluid_model: FluidModel, fluid: Fluid) -> None:
    """Do the same for a single ring, in one call."""
    (ux, uy), (fx, fy) = fluid.velocity, fluid.force
    came, cell.slip, strain, cell.wall_distance = move_ring(
        model.kernel, fluid_model.grid.shape, *cell.bounds, cell.marked, cell.x, cell.velocity, cell.force, cell.kink,
        cell.base, cell.weight, ux, uy, fx, fy, model.mobility, tuple(law), cell.pressure[0], model.distance,
        model.wall_force, model.wall_range, _kink_strength(model, fluid_model) * model.membranes[0].mobility,
        1 / KINK_STEPS,
    )  # fmt: skip
    _tell(cell, fluid_model, fluid, came)
    set_viscosity(cell, fluid_model, fluid)
    cell.pressure[0] += law.kv / VOLUME_STEPS * strain


def follow(cell: Cell, fluid_model: FluidModel, fluid: Fluid) -> None:
    """Tell the fluid where forces may act, if a node has come so far that it has to know.

    Raises
    ------
    LostMembrane
        If a node has no finite position or is off the grid.
    """
    _tell(cell, fluid_model, fluid, pieces.displacement(cell.x, cell.marked, *cell.bounds))


def _tell(cell: Cell, fluid_model: FluidModel, fluid: Fluid, came: float) -> None:
    """Do so for nodes that have come so far since the last time, as `pieces.displacement` says it."""
    if came < 0:
        raise LostMembrane
    if came < MARGIN:
        return
    grid, (below, above, periodic) = fluid_model.grid, cell.around
    pieces.mark(cell.x, below, above, periodic, grid.interior, grid.shape, fluid.touched)
    set_pieces(fluid_model, fluid)
    cell.marked[:] = cell.x


def spread(model: CellModel, cell: Cell, fluid_model: FluidModel, fluid: Fluid) -> None:
    """Give the membranes' forces to the fluid."""
    kernels, strides = _kernels(fluid_model)
    kernels.weights(model.kernel, cell.x, fluid_model.grid.shape, cell.base, cell.weight)
    kernels.spread(cell.force, *strides, cell.base, cell.weight, *fluid.force)


def _kernels(fluid_model: FluidModel) -> tuple[Any, tuple[int, ...]]:
    """Return the kernels of the dimension, and the strides that they take."""
    strides = fluid_model.grid.strides[1:]
    return (ibm if len(strides) == 1 else ibm3d), strides


def _add_up_forces(model: CellModel, cell: Cell, fluid_model: FluidModel) -> None:
    """Write the forces of the membranes, of each other and of the walls."""
    for index, one in enumerate(model.membranes):
        x, force = cell.x[one.nodes], cell.force[one.nodes]
        law, work, pressure = cast("Ring | Shell", one.law), cell.work[index], float(cell.pressure[index])
        if isinstance(law, Ring):
            strain = membrane.ring_forces(
                x, law.l0, law.theta0, law.ks, law.kb, law.kv, law.area0, pressure, law.ka, force
            )
        else:
            volume, _ = shell_forces(
                cast(Shell, law), x, cell.velocity[one.nodes], pressure, force, cast(Workspace, work)
            )
            strain = (volume - law.volume0) / law.volume0
        cell.pressure[index] += law.kv / VOLUME_STEPS * strain
    if model.contact is not None:
        parts = [one.nodes for one in model.membranes]
        repel(model.contact, [cell.x[nodes] for nodes in parts], [cell.force[nodes] for nodes in parts])
    kernels, strides = _kernels(fluid_model)
    cell.wall_distance = kernels.add_wall_forces(
        cell.x, model.distance, *strides, model.wall_force, model.wall_range, cell.force
    )
    _follow_kink(model, cell, fluid_model)


def _kink_strength(model: CellModel, fluid_model: FluidModel) -> float:
    """Return c/μ of `sim.kernels.ibm.missed_velocity`, lattice units."""
    return model.kink / (CS2 * (1 / fluid_model.omega[0] - 0.5))


def _follow_kink(model: CellModel, cell: Cell, fluid_model: FluidModel) -> None:
    """Bring up to date what interpolation misses of the nodes' velocity."""
    for index, one in enumerate(model.membranes):
        strength = _kink_strength(model, fluid_model) * one.mobility
        x, force, kink = cell.x[one.nodes], cell.force[one.nodes], cell.kink[one.nodes]
        law, work = one.law, cell.work[index]
        if isinstance(law, Ring):
            membrane.kink_velocity(x, force, strength, law.l0, 1 / KINK_STEPS, kink)
        else:
            work = cast(Workspace, work)
            least = law.total_area0 / len(x)
            shell.kink_velocity(
                law.topology.faces, work.normal, force, strength, least, 1 / KINK_STEPS, work.area, kink
            )
