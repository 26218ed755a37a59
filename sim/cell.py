"""The cells: their membranes in lattice units."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple, cast

import numpy as np

from sim.channel import Channel
from sim.config import CellConfig, SimulationConfig
from sim.contact import Contact
from sim.kernels.ibm import missed_velocity
from sim.oif import Oif, make_oif
from sim.oifconfig import OifConfig
from sim.shape import Body, bodies, ellipse_diameters, node_size, start_order
from sim.shell import Law, Shell, make_shell
from sim.softsphere import SoftSphere, make_soft_sphere
from sim.units import Units


class Ring(NamedTuple):
    """A ring of springs, per unit depth; see `sim.kernels.membrane`.

    Attributes
    ----------
    l0, area0
        Edge length and enclosed area at rest.
    theta0
        Turning angle at each node at rest (V,).
    ks, kb, ka, kv
        Stretching, bending, perimeter and area constant.
    """

    l0: float
    theta0: np.ndarray
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
    ratio, around
        Viscosity of what it encloses over that of what is around it, and of that over the medium's.
    cell
        Number of the cell in the configuration, from 0, whose outer membrane or nucleus it is.
    """

    nodes: slice
    law: Ring | Shell | Oif = field(repr=False)
    cell: int = 0
    ratio: float = 1.0
    around: float = 1.0

    @property
    def mobility(self) -> float:
        """The velocity that interpolation misses, over that in the medium: by the mean viscosity of the two sides."""
        return 2 / (self.around * (1 + self.ratio))

    @property
    def faces(self) -> np.ndarray:
        """Node indices, from 0, of the triangles (F, 3), in 2-D of the edges (F, 2); int64."""
        if isinstance(self.law, Ring):
            nodes = np.arange(self.nodes.stop - self.nodes.start)
            return np.stack([nodes, np.roll(nodes, -1)], axis=1)
        return self.law.topology.faces.astype(np.int64)


@dataclass(frozen=True)
class Inertia:
    """What makes nodes move as those of the object-in-fluid model do, by their mass (`sim.inertial`); lattice units.

    Attributes
    ----------
    mass, friction
        Of a node.
    damping
        Part of the whole force that a node feels over a step, see `sim.kernels.trilinear.rub`; 1 for explicit friction.
    walls
        What keeps the nodes off the walls.
    """

    mass: float
    friction: float
    damping: float
    walls: SoftSphere


@dataclass(frozen=True)
class CellModel:
    """The membranes of a run and their coupling; lattice units, in 2-D per unit depth.

    Attributes
    ----------
    membranes
        In the order of their nodes: cell by cell in the order of their start, each from the outside to the inside.
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
    kink
        What interpolation misses of the velocity, over f dx/μ: see `sim.kernels.ibm.missed_velocity`.
    contact
        What keeps membranes off each other, if there are several.
    inertia
        Mass, friction and walls of the law `oif`, which takes nothing else from here but the start.
    """

    membranes: tuple[Membrane, ...]
    start: np.ndarray = field(repr=False)
    distance: np.ndarray = field(repr=False)
    wall_force: np.ndarray = field(repr=False)
    wall_range: float
    mobility: np.ndarray = field(repr=False)
    kernel: int
    kink: float
    contact: Contact | None = None
    inertia: Inertia | None = None


def wall_pressure(cell: CellConfig, gap: float, pressure_drop: float) -> float:
    """Return kw (Pa): the pressure at which the wall's repulsion of a cell gives way altogether; `gap` in m.

    Four times what can press a cell against the wall: the whole drive, and a membrane stretched by
    60 % (more than any cell here needs to pass) around the end caps of a cell in the gap.
    """
    return 4 * (pressure_drop + 0.6 * cell.ks * 2 / gap)


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
    cells = bodies(config)
    owner = [number for number in start_order(config) for _ in cells[number]]
    parts = [part for number in start_order(config) for part in cells[number]]
    count = [len(part.nodes) for part in parts]
    ends = np.cumsum(count)
    mobility = 0.0 if numerics.coupling == "no-slip" else units.friction / float(numerics.friction or np.inf)
    magic = numerics.magic if numerics.collision == "trt" else (numerics.tau - 0.5) ** 2
    strength = []
    for cell in config.all_cells:
        size = node_size(cell, numerics) / units.dx ** (numerics.dimension - 1)
        strength.append(wall_pressure(cell, config.channel.gap, pressure_drop) / units.pressure * size)
    return CellModel(
        membranes=tuple(
            Membrane(
                slice(int(end) - len(part.nodes), int(end)),
                _law(part, units),
                cell,
                *_viscosities(config, cell, part is cells[cell][0]),
            )
            for end, part, cell in zip(ends, parts, owner, strict=True)
        ),
        start=channel.to_lattice(np.concatenate([part.nodes + part.centre for part in parts])),
        distance=channel.distance,
        wall_force=np.repeat([strength[cell] for cell in owner], count),
        wall_range=numerics.wall_range / units.dx,
        mobility=np.full(int(ends[-1]), mobility),
        kernel=numerics.kernel,
        kink=missed_velocity(numerics.kernel, magic),
        contact=Contact(max(strength), contact_range(config) / units.dx) if len(parts) > 1 else None,
        inertia=make_inertia(config.cell.oif, config, channel, units) if config.cell.oif else None,
    )


def _viscosities(config: SimulationConfig, number: int, outer: bool) -> tuple[float, float]:
    """Return `Membrane.ratio` and `Membrane.around` of a cell's outer membrane or its nucleus."""
    ratio = config.all_cells[number].viscosity_ratio or 1.0
    return (ratio, 1.0) if outer else (1.0, ratio)


def contact_range(config: SimulationConfig) -> float:
    """Return the distance (m) below which nodes of two membranes repel: none slips through between others dx apart."""
    return max(config.numerics.wall_range, 1.5 * config.numerics.dx)


def _law(body: Body, units: Units) -> Ring | Shell | Oif:
    """Return the law of a membrane that is at rest in its shape."""
    if body.faces is None:
        return _ring(body, units)
    oif = body.cell.oif
    return _shell(body, units) if oif is None else make_oif_law(oif, body.nodes, body.faces, units)


def _ring(body: Body, units: Units) -> Ring:
    cell, nodes = body.cell, body.nodes
    along, across = (diameter / units.dx for diameter in ellipse_diameters(cell))
    edge = np.roll(nodes, -1, axis=0) - nodes
    before = np.roll(edge, 1, axis=0)
    turn = np.arctan2(before[:, 0] * edge[:, 1] - before[:, 1] * edge[:, 0], (before * edge).sum(axis=1))
    return Ring(
        l0=float(np.linalg.norm(nodes[1] - nodes[0])) / units.dx,
        theta0=np.full(len(nodes), 2 * np.pi / len(nodes)) if along == across else turn,
        area0=np.pi / 4 * (along**2 if along == across else along * across),
        ks=cell.ks / units.tension,
        kb=cell.kb / units.energy,
        ka=cell.ka_global / units.tension,
        kv=cell.kv / units.pressure,
    )


def _shell(body: Body, units: Units) -> Shell:
    cell = body.cell
    assert body.faces is not None
    return make_shell(
        body.nodes / units.dx,
        body.faces,
        ks=cell.ks / units.tension,
        kb=cell.kb / units.energy,
        ka_local=cell.ka_local / units.tension,
        ka_global=cell.ka_global / units.tension,
        kv=cell.kv / units.pressure,
        viscosity=cell.membrane_viscosity / (units.tension * units.dt),
        law=cast(Law, cell.law),
        skalak_c=cell.skalak_c,
        inflation=cell.inflation,
    )


def make_oif_law(oif: OifConfig, nodes: np.ndarray, faces: np.ndarray, units: Units) -> Oif:
    """Return the law, in lattice units, of a membrane that is at rest with `nodes` (V, 3) in m and `faces` (F, 3)."""
    return make_oif(
        nodes / units.dx,
        faces,
        ks=oif.ks / units.tension,
        kb=oif.kb / units.force,
        kal=oif.kal / units.tension,
        kag=oif.kag / units.tension,
        kv=oif.kv / units.pressure,
        kvisc=oif.kvisc / units.friction,
    )


def make_inertia(oif: OifConfig, config: SimulationConfig, channel: Channel, units: Units) -> Inertia:
    """Return mass, friction and walls in lattice units; friction is explicit where its scheme is open."""
    mass, friction = oif.node_mass / (units.density * units.dx**3), oif.friction / units.friction
    rate = friction / mass
    damping = -math.expm1(-rate) / rate if oif.friction_scheme == "exact" else 1.0
    return Inertia(mass, friction, damping, make_soft_sphere(oif, config.channel, channel, units))
