"""The channel on the lattice."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from sim.config import ChannelConfig
from sim.grid import Grid, make_grid, padded
from sim.outline import wall_distance
from sim.solid import solid_distance


@dataclass(frozen=True)
class Channel:
    """A channel, periodic along x, on the lattice.

    Attributes
    ----------
    grid
        Fluid nodes and walls.
    origin
        Position of node (0, 0[, 0]) in m (d,).
    dx
        Lattice spacing in m.
    distance
        Distance to the nearest wall in dx, positive in the fluid, flat (nodes,).
    """

    grid: Grid
    origin: np.ndarray
    dx: float
    distance: np.ndarray

    @property
    def length(self) -> float:
        """Length of one period along x in m."""
        return self.grid.interior[0] * self.dx

    def heights(self) -> np.ndarray:
        """Return the height of each cross-section (nx,) in m, in 3-D at mid-depth."""
        mask = self.grid.box(self.grid.fluid)
        return (mask if mask.ndim == 2 else mask[:, :, mask.shape[2] // 2]).sum(axis=1) * self.dx

    def volume(self, depth: float) -> float:
        """Return the volume of one period in m³; `depth` (m) is that of a two-dimensional channel."""
        nodes = int(self.grid.fluid.sum())
        return nodes * self.dx**2 * (depth if len(self.origin) == 2 else self.dx)

    def wall_fraction(self, position: np.ndarray, direction: np.ndarray) -> np.ndarray:
        """Return where the wall cuts links (n,) from fluid nodes to solid ones, as a fraction of their length.

        Half-way links, which need no interpolation, give NaN; `position` and `direction` are lattice units (n, d).
        """
        strides = np.array(self.grid.strides)
        inner = self.distance[position @ strides]
        outer = self.distance[(position + direction) @ strides]
        fraction = np.clip(inner / (inner - np.minimum(outer, 0)), 1e-3, 1)
        return np.where(abs(fraction - 0.5) < 1e-6, np.nan, fraction)

    def section(self, x: float) -> np.ndarray:
        """Return the flat indices of the fluid nodes of the cross-section nearest to `x` (m)."""
        grid = self.grid
        i = int(np.clip(round((x - self.origin[0]) / self.dx), 1, grid.interior[0]))
        index = np.arange(i, grid.nodes, grid.shape[0])
        return index[grid.fluid[index]]

    def to_lattice(self, position: np.ndarray) -> np.ndarray:
        """Return positions (…, d) in m as lattice positions, node (i, j) at (i, j)."""
        return (position - self.origin) / self.dx

    def to_si(self, position_lu: np.ndarray) -> np.ndarray:
        """Return lattice positions (…, d) in m."""
        return position_lu * self.dx + self.origin


def nodes_across_gap(config: ChannelConfig, dx: float) -> int:
    """Return the number of lattice nodes across the gap."""
    return round(config.gap / dx)


@functools.lru_cache(maxsize=2)
def make_channel(config: ChannelConfig, dx: float, dimension: int = 2) -> Channel:
    """Put the channel on the lattice; walls are half-way between fluid and solid nodes. The last ones are kept.

    Parameters
    ----------
    config
        Geometry in m.
    dx
        Lattice spacing in m; the gap should be a whole number of them.
    dimension
        2, or 3 for the outline extruded to the channel's depth, between a floor and a ceiling; a Couette channel is
        periodic along z instead, a tube is round, and a solid is what it is.
    """
    across = nodes_across_gap(config, dx)
    ny = int(np.ceil(config.height / dx - 1e-9))
    ny += (ny - across) % 2  # same parity as the gap, so that its walls too are half-way
    depth = config.gap if config.kind == "cylinder" else config.depth
    interior = (round(config.length / dx), ny, max(1, round(depth / dx)))[:dimension]
    origin = np.array([config.x_start - dx / 2, *(-(n + 1) / 2 * dx for n in interior[1:])])
    axes = [start + dx * np.arange(padded(n)) for start, n in zip(origin, interior, strict=True)]
    if config.kind == "cylinder" and dimension == 3:
        y, z = np.meshgrid(axes[1], axes[2], indexing="ij")
        distance = np.broadcast_to(config.gap / 2 - np.hypot(y, z), [len(axis) for axis in axes])
    elif config.kind == "stl" and dimension == 3:
        distance = solid_distance(config, dx, axes)
    else:
        distance = wall_distance(config, *np.meshgrid(axes[0], axes[1], indexing="ij"))
    if config.kind == "couette" and dimension == 3:
        distance = np.repeat(distance[..., None], len(axes[2]), axis=2)
    elif config.kind not in ("cylinder", "stl") and dimension == 3:
        distance = np.minimum(distance[..., None], config.depth / 2 - np.abs(axes[2]))
    periodic = (True, False, config.kind == "couette")[:dimension]
    grid = make_grid(distance[tuple(slice(1, n + 1) for n in interior)] > 1e-9 * dx, periodic)
    return Channel(grid, origin, dx, distance.ravel(order="F") / dx)
