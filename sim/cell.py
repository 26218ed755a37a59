"""The cells: their membranes in lattice units."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from sim import mesh
from sim.channel import Channel
from sim.config import CellConfig, SimulationConfig
from sim.contact import Contact
from sim.shell import Shell, make_shell
from sim.units import Units


class Ring(NamedTuple):
    """A ring of springs, per unit depth; see `sim.kernels.membrane`.

    Attributes
    ----------
    l0, theta0, area0
        Edge length, turning angle and enclosed area at rest.
    ks, kb, ka, kv
        Stretching, bending, perimeter and area constant.
    """

    l0: float
    theta0: float
    area0: float
    ks: float
    kb: float
    ka: float
    kv: float


@dataclass(frozen=True)
class Membrane:
    """One closed membrane.

    Attributes
    ----------
    nodes
        Which of the run's nodes belong to it.
    law
        What holds it together.
    """

    nodes: slice
    law: Ring | Shell = field(repr=False)


@dataclass(frozen=True)
class CellModel:
    """The membranes of a run and their coupling; lattice units, in 2-D per unit depth.

    Attributes
    ----------
    membranes
        In the order of their nodes.
    start
        Nodes at the start (V, d), lattice positions.
    distance
        Distance to the nearest wall at the nodes of the grid, flat.
    wall_force
        Largest repulsion of each node (V,).
    wall_range
        Range of the repulsion.
    mobility
        1/γ of each node (V,); 0 for no slip.
    kernel
        Width of the immersed-boundary kernel.
    contact
        What keeps membranes off each other, if there are several.
    """

    membranes: tuple[Membrane, ...]
    start: np.ndarray = field(repr=False)
    distance: np.ndarray = field(repr=False)
    wall_force: np.ndarray = field(repr=False)
    wall_range: float
    mobility: np.ndarray = field(repr=False)
    kernel: int
    contact: Contact | None = None


def wall_pressure(config: SimulationConfig, pressure_drop: float) -> float:
    """Return kw (Pa): the pressure at which the wall's repulsion gives way altogether.

    Four times what can press a cell against the wall: the whole drive, and a membrane stretched by
    60 % (more than any cell here needs to pass) around the end caps of a cell in the gap.
    """
    return 4 * (pressure_drop + 0.6 * config.cell.ks * 2 / config.channel.gap)


def mesh_level(cell: CellConfig, dx: float) -> int:
    """Return the level of the cell's icosphere: the one asked for, or that whose edges are about dx long."""
    return cell.mesh_level or mesh.icosphere_level(cell.diameter, dx)


def node_count(config: SimulationConfig) -> int:
    """Return the number of nodes of the cell's membrane."""
    cell, numerics = config.cell, config.numerics
    if numerics.dimension == 2:
        return mesh.ring_count(cell.diameter, numerics.dx)
    return 10 * 4 ** mesh_level(cell, numerics.dx) + 2


def node_size(config: SimulationConfig) -> float:
    """Return the part of the membrane that a node stands for: m² in 3-D, m in 2-D."""
    if config.numerics.dimension == 2:
        return config.numerics.dx
    return float(np.pi * config.cell.diameter**2 / node_count(config))


def make_cells(config: SimulationConfig, channel: Channel, units: Units, pressure_drop: float) -> CellModel:
    """Build the membranes of a resolved configuration.

    Parameters
    ----------
    config
        Resolved: friction is given unless the coupling is no-slip.
    channel, units
        Geometry and conversion.
    pressure_drop
        Drive over the whole channel, Pa.
    """
    numerics = config.numerics
    make = _make_ring if numerics.dimension == 2 else _make_shell
    rng = np.random.default_rng(config.seed)
    bodies = [make(cell, numerics.dx, units, rng) for cell in membranes(config.cell)]
    ends = np.cumsum([len(nodes) for nodes, _ in bodies])
    count = int(ends[-1])
    mobility = 0.0 if numerics.coupling == "no-slip" else units.friction / float(numerics.friction or np.inf)
    size = node_size(config) / units.dx ** (numerics.dimension - 1)
    strength = wall_pressure(config, pressure_drop) / units.pressure * size
    return CellModel(
        membranes=tuple(
            Membrane(slice(int(end) - len(nodes), int(end)), law)
            for end, (nodes, law) in zip(ends, bodies, strict=True)
        ),
        start=channel.to_lattice(np.concatenate([nodes for nodes, _ in bodies])),
        distance=channel.distance,
        wall_force=np.full(count, strength),
        wall_range=numerics.wall_range / units.dx,
        mobility=np.full(count, mobility),
        kernel=numerics.kernel,
        contact=Contact(strength, contact_range(config) / units.dx) if len(bodies) > 1 else None,
    )


def membranes(cell: CellConfig) -> list[CellConfig]:
    """Return the membranes of a cell from the outside to the inside, each as a cell of its own."""
    nucleus = cell.nucleus
    if nucleus is None:
        return [cell]
    return [cell, cell.model_copy(update=nucleus.model_dump() | {"nucleus": None, "inflation": 1.0})]


def contact_range(config: SimulationConfig) -> float:
    """Return the distance (m) below which nodes of two membranes repel: none slips through between others dx apart."""
    return max(config.numerics.wall_range, 1.5 * config.numerics.dx)


def _make_ring(cell: CellConfig, dx: float, units: Units, rng: np.random.Generator) -> tuple[np.ndarray, Ring]:
    """Return the nodes (V, 2) of a cell in m, and its law."""
    nodes = mesh.ring(cell.diameter, dx, float(rng.uniform(0, 2 * np.pi)))
    law = Ring(
        l0=float(np.linalg.norm(nodes[1] - nodes[0])) / units.dx,
        theta0=2 * np.pi / len(nodes),
        area0=np.pi / 4 * (cell.diameter / units.dx) ** 2,
        ks=cell.ks / units.tension,
        kb=cell.kb / units.energy,
        ka=cell.ka_global / units.tension,
        kv=cell.kv / units.pressure,
    )
    return nodes + np.array([cell.start_x, cell.start_y]), law


def _make_shell(cell: CellConfig, dx: float, units: Units, rng: np.random.Generator) -> tuple[np.ndarray, Shell]:
    """Return the nodes (V, 3) of a cell in m, and its law."""
    shape = mesh.icosphere(mesh_level(cell, dx), cell.diameter, rng)
    law = make_shell(
        shape.nodes / units.dx,
        shape.faces,
        ks=cell.ks / units.tension,
        kb=cell.kb / units.energy,
        ka_local=cell.ka_local / units.tension,
        ka_global=cell.ka_global / units.tension,
        kv=cell.kv / units.pressure,
        viscosity=cell.membrane_viscosity / (units.tension * units.dt),
        law=cell.law,
        skalak_c=cell.skalak_c,
        inflation=cell.inflation,
    )
    return shape.nodes + np.array([cell.start_x, cell.start_y, cell.start_z]), law
