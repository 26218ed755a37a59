"""The channel: its outline, and how far its walls are from the nodes of the lattice."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from sim.config import ChannelConfig
from sim.grid import Grid, make_grid, padded


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


def outline(config: ChannelConfig) -> np.ndarray:
    """Return the upper wall as corner points (corners, 2) in m, from inlet to outlet; the lower is its mirror."""
    half, gap = config.width / 2, config.gap / 2
    if config.kind == "straight":
        return np.array([[config.x_start, gap], [config.x_end, gap]])
    end = config.constriction_length
    return np.array(
        [
            [config.x_start, half],
            [-config.entry_taper, half],
            [0.0, gap],
            [end, gap],
            [end + config.exit_taper, half],
            [config.x_end, half],
        ]
    )


def half_height(config: ChannelConfig, x: np.ndarray) -> np.ndarray:
    """Return half the channel's height (m) at `x` (m)."""
    corners = outline(config)
    return np.interp(x, corners[:, 0], corners[:, 1])


def wall_distance(config: ChannelConfig, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the signed distance to the nearest wall (m), positive in the fluid.

    Parameters
    ----------
    x, y
        Positions of equal shape, m.
    """
    corners = outline(config)
    # The wide ends go on beyond the domain, since it is periodic.
    far = config.length
    corners = np.vstack([corners[0] - [far, 0], corners, corners[-1] + [far, 0]])
    point = np.stack([x, np.abs(y)], axis=-1)
    best = np.full(np.shape(x), np.inf)
    for a, b in itertools.pairwise(corners):
        edge = b - a
        square = edge @ edge
        t = np.clip((point - a) @ edge / square, 0, 1) if square > 0 else np.zeros(np.shape(x))
        best = np.minimum(best, np.linalg.norm(point - a - t[..., None] * edge, axis=-1))
    inside = np.abs(y) < half_height(config, x)
    return np.where(inside, best, -best)


def nodes_across_gap(config: ChannelConfig, dx: float) -> int:
    """Return the number of lattice nodes across the gap."""
    return round(config.gap / dx)


def make_channel(config: ChannelConfig, dx: float, dimension: int = 2) -> Channel:
    """Put the channel on the lattice; walls are half-way between fluid and solid nodes.

    Parameters
    ----------
    config
        Geometry in m.
    dx
        Lattice spacing in m; the gap should be a whole number of them.
    dimension
        2, or 3 for the outline extruded to the channel's depth, between a floor and a ceiling.
    """
    widest = config.width if config.kind == "constriction" else config.gap
    across = nodes_across_gap(config, dx)
    ny = int(np.ceil(widest / dx - 1e-9))
    ny += (ny - across) % 2  # same parity as the gap, so that its walls too are half-way
    interior = (round(config.length / dx), ny, max(1, round(config.depth / dx)))[:dimension]
    origin = np.array([config.x_start - dx / 2, *(-(n + 1) / 2 * dx for n in interior[1:])])
    axes = [start + dx * np.arange(padded(n)) for start, n in zip(origin, interior, strict=True)]
    distance = wall_distance(config, *np.meshgrid(axes[0], axes[1], indexing="ij"))
    if dimension == 3:
        distance = np.minimum(distance[..., None], config.depth / 2 - np.abs(axes[2]))
    grid = make_grid(
        distance[tuple(slice(1, n + 1) for n in interior)] > 1e-9 * dx, (True,) + (False,) * (dimension - 1)
    )
    return Channel(grid, origin, dx, distance.ravel(order="F") / dx)
