"""The cell: its membrane's constants in lattice units, its state, and its coupling to the flow."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from sim import mesh
from sim.channel import Channel
from sim.config import SimulationConfig
from sim.fluid import Fluid, FluidModel, set_box
from sim.kernels import ibm, membrane
from sim.units import Units

AREA_STEPS = 400
"""Steps in which the multiplier of the area constraint grows by as much as the penalty kv gives at once.

The fluid of the lattice is compressible: a cell under a tension of mN/m loses some per cent of its area.
A penalty stiff enough to prevent that is unstable in an explicit step; the multiplier (augmented
Lagrangian, Glowinski & Le Tallec 1989) holds the area with a soft penalty.
"""
KERNEL_REACH = 2
"""Lattice nodes that a membrane node touches to either side."""
BOX_MARGIN = 6
"""Lattice nodes between the membrane and the edge of the box when the box is drawn anew."""


class LostMembrane(ArithmeticError):
    """A membrane node has no finite position or is off the grid."""


@dataclass(frozen=True)
class Membrane:
    """A ring of springs; all constants in lattice units, per unit depth.

    Attributes
    ----------
    start
        Nodes at the start (V, 2), lattice positions.
    distance
        Distance to the nearest wall at the nodes of the grid, flat, lattice units.
    l0, theta0, area0
        Edge length, turning angle and enclosed area at rest.
    ks, kb, ka, kv
        Stretching, bending, perimeter and area constant, see `sim.kernels.membrane`.
    wall_force, wall_range
        Largest repulsion of a node and its range.
    mobility
        1/γ of a node; 0 for no slip.
    kernel
        Width of the immersed-boundary kernel.
    """

    start: np.ndarray = field(repr=False)
    distance: np.ndarray = field(repr=False)
    l0: float
    theta0: float
    area0: float
    ks: float
    kb: float
    ka: float
    kv: float
    wall_force: float
    wall_range: float
    mobility: float
    kernel: int


class Cell:
    """State of the membrane.

    Attributes
    ----------
    x
        Node positions (V, 2), lattice units.
    force, velocity
        Force on and flow velocity at each node (V, 2), lattice units.
    pressure
        Multiplier λ of the area constraint, lattice units.
    slip, wall_distance
        Largest slip and smallest wall distance of a node in the last step, lattice units.
    """

    def __init__(self, model: Membrane) -> None:
        self.x = model.start.copy()
        self.force = np.zeros_like(self.x)
        self.velocity = np.zeros_like(self.x)
        self.base = np.zeros(len(self.x), dtype=np.int64)
        self.weight = np.zeros((len(self.x), 2, 4))
        self.pressure = 0.0
        self.slip = 0.0
        self.wall_distance = np.inf
        self.box = (np.zeros(2, dtype=np.int64), np.zeros(2, dtype=np.int64))
        self.extent = (np.zeros(2, dtype=np.int64), np.zeros(2, dtype=np.int64))


def wall_pressure(config: SimulationConfig, pressure_drop: float) -> float:
    """Return kw (Pa): the pressure at which the wall's repulsion gives way altogether.

    Four times what can press a cell against the wall: the whole drive, and a membrane stretched by
    60 % (more than any cell here needs to pass) around the end caps of a cell in the gap.
    """
    return 4 * (pressure_drop + 0.6 * config.cell.ks * 2 / config.channel.gap)


def make_membrane(config: SimulationConfig, channel: Channel, units: Units, pressure_drop: float) -> Membrane:
    """Build the membrane of a resolved configuration.

    Parameters
    ----------
    config
        Resolved: friction is given unless the coupling is no-slip.
    channel, units
        Geometry and conversion.
    pressure_drop
        Drive over the whole channel, Pa.
    """
    cell, numerics = config.cell, config.numerics
    angle = float(np.random.default_rng(config.seed).uniform(0, 2 * np.pi))
    nodes = mesh.ring(cell.diameter, numerics.dx, angle) + np.array([cell.start_x, cell.start_y])
    l0 = float(np.linalg.norm(nodes[1] - nodes[0])) / units.dx
    mobility = 0.0 if numerics.coupling == "no-slip" else units.friction / float(numerics.friction or np.inf)
    return Membrane(
        start=channel.to_lattice(nodes),
        distance=channel.distance,
        l0=l0,
        theta0=2 * np.pi / len(nodes),
        area0=np.pi / 4 * (cell.diameter / units.dx) ** 2,
        ks=cell.ks / units.tension,
        kb=cell.kb / units.energy,
        ka=cell.ka_global / units.tension,
        kv=cell.kv / units.pressure,
        wall_force=wall_pressure(config, pressure_drop) / units.pressure * l0,
        wall_range=numerics.wall_range / units.dx,
        mobility=mobility,
        kernel=numerics.kernel,
    )


def begin_step(model: Membrane, cell: Cell, fluid_model: FluidModel, fluid: Fluid) -> None:
    """Find the membrane's forces and give them to the fluid."""
    stride = fluid_model.grid.shape[0]
    _follow(cell, fluid_model, fluid)
    strain = membrane.ring_forces(
        cell.x, model.l0, model.theta0, model.ks, model.kb, model.kv, model.area0, cell.pressure, model.ka, cell.force
    )
    cell.pressure += model.kv / AREA_STEPS * strain
    cell.wall_distance = membrane.add_wall_forces(
        cell.x, model.distance, stride, model.wall_force, model.wall_range, cell.force
    )
    ibm.weights(model.kernel, cell.x, stride, cell.base, cell.weight)
    ibm.spread(cell.force, stride, cell.base, cell.weight, fluid.force[0], fluid.force[1])


def end_step(model: Membrane, cell: Cell, fluid_model: FluidModel, fluid: Fluid) -> None:
    """Move the membrane with the flow of the step just taken."""
    stride = fluid_model.grid.shape[0]
    ibm.interpolate(stride, cell.base, cell.weight, fluid.velocity[0], fluid.velocity[1], cell.velocity)
    ibm.clear(stride, cell.base, fluid.force[0], fluid.force[1])
    cell.slip = membrane.advance(cell.x, cell.velocity, cell.force, model.mobility)


def _follow(cell: Cell, fluid_model: FluidModel, fluid: Fluid) -> None:
    """Draw the fluid's box anew when the membrane comes within a kernel's reach of its edge."""
    low, high = cell.box
    first, last = cell.extent
    where = ibm.locate(cell.x, KERNEL_REACH, low, high, first, last)
    if where == 0:
        return
    grid = np.array(fluid_model.grid.shape) - 1
    if where < 0 or (first < KERNEL_REACH).any() or (last > grid - KERNEL_REACH).any():
        raise LostMembrane
    low[:], high[:] = np.maximum(first - BOX_MARGIN, 0), np.minimum(last + BOX_MARGIN, grid)
    set_box(fluid_model, fluid, low, high)
