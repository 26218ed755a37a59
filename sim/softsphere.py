"""The soft-sphere walls of the law `oif`: planes and prisms, each of which repels on its own."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from sim.channel import Channel
from sim.config import ChannelConfig
from sim.kernels.oif import add_walls
from sim.oifconfig import OifConfig
from sim.units import Units

WALL_LENGTH = 1e-6
"""Distance at which `cell.oif.wall_energy` is stated, m."""


@dataclass(frozen=True)
class SoftSphere:
    """Walls that repel nodes with the force a n d^-(n+1); lattice units.

    Attributes
    ----------
    planes
        Axis, position and direction (±1) into the fluid of each plane (P, 3).
    prisms
        Corners in the x-y plane of each prism along z, counter-clockwise (B, 4, 2).
    period
        Length of the channel along x.
    energy, exponent, cutoff
        a at a distance of one lattice unit, n, and the distance at which the force drops to zero.
    """

    planes: np.ndarray = field(repr=False)
    prisms: np.ndarray = field(repr=False)
    period: float
    energy: float
    exponent: float
    cutoff: float

    def stiffness(self, load: float) -> float:
        """Return the slope of the force of a wall where it bears `load`."""
        strength = self.energy * self.exponent
        if not strength or not load:
            return 0.0
        distance = min((strength / load) ** (1 / (self.exponent + 1)), self.cutoff)
        return strength * (self.exponent + 1) * distance ** -(self.exponent + 2)


def make_soft_sphere(oif: OifConfig, config: ChannelConfig, channel: Channel, units: Units) -> SoftSphere:
    """Return the walls of a channel: sides, floor and ceiling, and the blocks that make a constriction."""
    planes = [(1.0, -config.height / 2, 1.0), (1.0, config.height / 2, -1.0)]
    if config.kind != "couette":
        planes += [(2.0, -config.depth / 2, 1.0), (2.0, config.depth / 2, -1.0)]
    lattice = [(axis, (at - channel.origin[int(axis)]) / channel.dx, side) for axis, at, side in planes]
    blocks = _blocks(config) if config.kind == "constriction" else []
    prisms = [(block - channel.origin[:2]) / channel.dx for block in blocks]
    return SoftSphere(
        planes=np.array(lattice),
        prisms=np.array(prisms).reshape(-1, 4, 2),
        period=float(channel.grid.interior[0]),
        energy=oif.wall_energy / units.energy * (WALL_LENGTH / units.dx) ** oif.wall_exponent,
        exponent=oif.wall_exponent,
        cutoff=oif.wall_cutoff / units.dx,
    )


def _blocks(config: ChannelConfig) -> list[np.ndarray]:
    """Return the corners (4, 2) in m of what narrows the channel, above and below the centre line."""
    blocks = []
    for k in range(config.count):
        start = k * config.period
        end = start + config.constriction_length
        upper = np.array(
            [
                [start - config.entry_taper, config.width / 2],
                [start, config.gap / 2],
                [end, config.gap / 2],
                [end + config.exit_taper, config.width / 2],
            ]
        )
        blocks += [upper, (upper * [1, -1])[::-1]]
    return blocks


def repel(walls: SoftSphere, x: np.ndarray, force: np.ndarray) -> float:
    """Add the repulsion of the walls to the forces of nodes, both (V, 3); return the smallest distance of a node."""
    return add_walls(x, walls.planes, walls.prisms, walls.period, walls.energy, walls.exponent, walls.cutoff, force)
