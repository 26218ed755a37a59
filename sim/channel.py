"""The channel on the lattice: which nodes are fluid, how far the walls are, which slots reflect."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from sim.config import ChannelConfig
from sim.lattice import VelocitySet

PAD = 16
"""Grid shapes are rounded up to multiples of this, so that a sweep compiles few kernels."""


@dataclass(frozen=True)
class Channel:
    """A channel, periodic along x, on a grid with a layer of solid nodes around.

    Flat index of node (i, j): j * shape[0] + i. All arrays are flat.

    Attributes
    ----------
    shape
        Nodes along x and y, padding included.
    nx
        Nodes along x in the fluid: i = 1 … nx.
    origin
        Position of node (0, 0) in m (2,).
    dx
        Lattice spacing in m.
    fluid
        True at fluid nodes (nodes,).
    distance
        Distance to the nearest wall in dx, positive in the fluid (nodes,).
    start, stop
        Runs of fluid nodes along x: first flat index and one past the last (runs,) uintp.
    """

    shape: tuple[int, int]
    nx: int
    origin: np.ndarray
    dx: float
    fluid: np.ndarray
    distance: np.ndarray
    start: np.ndarray
    stop: np.ndarray

    @property
    def nodes(self) -> int:
        """Nodes of the grid, padding included."""
        return self.shape[0] * self.shape[1]

    def column(self, x: float) -> np.ndarray:
        """Return the flat indices of the fluid nodes in the column nearest to `x` (m)."""
        i = int(np.clip(round((x - self.origin[0]) / self.dx), 1, self.nx))
        index = np.arange(self.shape[1]) * self.shape[0] + i
        return index[self.fluid[index]]

    def to_lattice(self, position: np.ndarray) -> np.ndarray:
        """Return positions (…, 2) in m as lattice positions, node (i, j) at (i, j)."""
        return (position - self.origin) / self.dx

    def to_si(self, position_lu: np.ndarray) -> np.ndarray:
        """Return lattice positions (…, 2) in m."""
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


def make_channel(config: ChannelConfig, dx: float) -> Channel:
    """Put the channel on the lattice; walls are half-way between fluid and solid nodes.

    Parameters
    ----------
    config
        Geometry in m.
    dx
        Lattice spacing in m; the gap should be a whole number of them.
    """
    widest = config.width if config.kind == "constriction" else config.gap
    nx = round(config.length / dx)
    across = nodes_across_gap(config, dx)
    ny = int(np.ceil(widest / dx - 1e-9))
    ny += (ny - across) % 2  # same parity as the gap, so that its walls too are half-way
    shape = (_padded(nx + 2), _padded(ny + 2))
    origin = np.array([config.x_start - dx / 2, -(ny + 1) / 2 * dx])
    i, j = np.meshgrid(np.arange(shape[0]), np.arange(shape[1]), indexing="xy")
    x, y = origin[0] + i * dx, origin[1] + j * dx
    distance = wall_distance(config, x, y) / dx
    fluid = (distance > 1e-9) & (i >= 1) & (i <= nx)
    start, stop = _runs(fluid)
    return Channel(shape, nx, origin, dx, fluid.ravel(), distance.ravel(), start, stop)


def _padded(n: int) -> int:
    return -(-n // PAD) * PAD


def _runs(fluid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the flat bounds of stretches of fluid nodes along each row of `fluid` (rows, columns)."""
    edges = np.diff(np.pad(fluid, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    rows, first = np.nonzero(edges == 1)
    _, last = np.nonzero(edges == -1)
    base = rows * fluid.shape[1]
    return (base + first).astype(np.uintp), (base + last).astype(np.uintp)


def ghost_links(channel: Channel, lattice: VelocitySet) -> tuple[np.ndarray, np.ndarray]:
    """Return the pairs (ghost, real) of population slots for walls and for the periodic faces.

    See `sim.kernels.walls`. For every fluid node x and direction q that leaves the fluid, the ghost is
    slot q of the node x + c_q. Its partner is slot opposite(q) of x if that node is solid (half-way
    bounce-back), or slot q of the node one period away if it lies beyond a periodic face.
    """
    width = channel.shape[0]
    nodes = np.flatnonzero(channel.fluid)
    i = nodes % width
    ghosts, reals = [], []
    for q in range(1, lattice.q):
        cx, cy = (int(v) for v in lattice.c[q])
        target = nodes + cx + cy * width
        beyond = (i + cx < 1) | (i + cx > channel.nx)
        wrapped = np.where(beyond, target - cx * channel.nx, target)
        solid = ~channel.fluid[wrapped]
        periodic = beyond & ~solid
        offset, opposite = q * channel.nodes, int(lattice.opposite[q]) * channel.nodes
        ghosts += [offset + target[solid], offset + target[periodic]]
        reals += [opposite + nodes[solid], offset + wrapped[periodic]]
    return np.concatenate(ghosts).astype(np.uintp), np.concatenate(reals).astype(np.uintp)
