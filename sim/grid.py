"""The lattice as flat arrays: which nodes are fluid, in which runs, and which population slots reflect or wrap."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sim.lattice import VelocitySet

PAD = 16
"""Grid shapes are rounded up to multiples of this, so that a sweep compiles few kernels."""
MOST_PADDING = 1 / 64
"""Where PAD would add more to an axis of more than 4 PAD nodes, a smaller power of two takes its place: lines of the
cache that no run needs are fetched all the same, so that a padded row costs time as well as memory."""


@dataclass(frozen=True)
class Grid:
    """A box of nodes with a layer of others around; flat index of node (i, j, k): i + shape[0] (j + shape[1] k).

    Attributes
    ----------
    shape
        Nodes along each axis, x first, padding included.
    interior
        Nodes of the box along each axis: 1 … interior[a].
    periodic
        Which axes are periodic.
    fluid
        True at fluid nodes (nodes,); fluid nodes lie in the box.
    start, stop
        Runs of fluid nodes along x: first flat index and one past the last (runs,) uintp.
    """

    shape: tuple[int, ...]
    interior: tuple[int, ...]
    periodic: tuple[bool, ...]
    fluid: np.ndarray
    start: np.ndarray
    stop: np.ndarray

    @property
    def nodes(self) -> int:
        """Nodes of the grid, padding included."""
        return int(np.prod(self.shape))

    @property
    def block(self) -> int:
        """Length of one direction's stretch in the flat array of populations.

        It is not a round number on purpose: streams a power of two apart would share one cache set.
        """
        return -(-self.nodes // 1024) * 1024 + 48

    @cached_property
    def strides(self) -> tuple[int, ...]:
        """Distance of neighbours in the flat arrays along each axis."""
        return tuple(int(np.prod(self.shape[:a])) for a in range(len(self.shape)))

    def coordinates(self, index: np.ndarray) -> np.ndarray:
        """Return the lattice coordinates (n, d) of flat indices (n,)."""
        return np.stack(np.unravel_index(index, self.shape, order="F"), axis=-1)

    def wrap(self, position: np.ndarray) -> np.ndarray:
        """Return lattice coordinates (n, d) moved by whole periods into the box along the periodic axes."""
        interior = np.array(self.interior)
        return np.where(np.array(self.periodic), (position - 1) % interior + 1, position)

    def box(self, flat: np.ndarray) -> np.ndarray:
        """Return a view of a flat array (…, nodes) as (…, x, y[, z]) of the box."""
        lead = flat.shape[:-1]
        full = flat.reshape(*lead, *self.shape[::-1])
        full = np.moveaxis(full, range(len(lead), full.ndim), range(full.ndim - 1, len(lead) - 1, -1))
        return full[(..., *(slice(1, n + 1) for n in self.interior))]


def make_grid(fluid: np.ndarray, periodic: tuple[bool, ...]) -> Grid:
    """Return the grid whose box has the given fluid nodes.

    Parameters
    ----------
    fluid
        Mask (x, y[, z]) bool.
    periodic
        Which axes are periodic.
    """
    interior = fluid.shape
    shape = tuple(padded(n) for n in interior)
    full = np.zeros(shape, dtype=bool)
    full[tuple(slice(1, n + 1) for n in interior)] = fluid
    flat = full.ravel(order="F")
    start, stop = _runs(flat, shape[0])
    return Grid(shape, interior, periodic, flat, start, stop)


def padded(interior: int) -> int:
    """Return the length of an axis of the grid whose box has `interior` nodes."""
    needed = interior + 2
    step = PAD
    while needed > 4 * PAD and -needed % step > MOST_PADDING * needed:
        step //= 2
    return needed + -needed % step


def _runs(fluid: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the flat bounds of stretches of fluid nodes along x."""
    rows = np.pad(fluid.reshape(-1, width), ((0, 0), (1, 1))).astype(np.int8)
    edges = np.diff(rows, axis=1)
    row, first = np.nonzero(edges == 1)
    _, last = np.nonzero(edges == -1)
    return (row * width + first).astype(np.uintp), (row * width + last).astype(np.uintp)


@dataclass(frozen=True)
class Links:
    """Pairs of population slots at walls and periodic faces, in the order of their fluid nodes.

    For every fluid node x and direction q that leaves the fluid, the ghost is slot q of the node x + c_q.
    Its partner is slot opposite(q) of x if that node is solid (half-way bounce-back), or slot q of the
    node one period away. See `sim.kernels.walls`.

    Attributes
    ----------
    ghost, real
        Slots (n,) unsigned.
    wall
        Whether the link ends at a wall (n,) bool.
    direction
        q of each link (n,).
    node
        x of each link, flat (n,), not decreasing.
    """

    ghost: np.ndarray
    real: np.ndarray
    wall: np.ndarray
    direction: np.ndarray
    node: np.ndarray


def make_links(grid: Grid, lattice: VelocitySet) -> Links:
    """Return the links of a grid."""
    nodes = _next_to_others(grid, lattice)
    position = grid.coordinates(nodes)
    strides = np.array(grid.strides)
    interior = np.array(grid.interior)
    parts = []
    for q in range(1, lattice.q):
        target = position + lattice.c[q]
        wrapped = grid.wrap(target)
        inside = ((wrapped >= 1) & (wrapped <= interior)).all(axis=1)
        partner = wrapped @ strides
        solid = np.logical_not(inside)
        solid[inside] = ~grid.fluid[partner[inside]]
        leaving = solid | (wrapped != target).any(axis=1)
        ghost = q * grid.block + target @ strides
        reflected = int(lattice.opposite[q]) * grid.block + nodes
        real = np.where(solid, reflected, q * grid.block + partner)
        direction = np.full(len(nodes), q)
        parts.append(np.stack([ghost, real, solid, direction, nodes])[:, leaving])
    ghost, real, wall, direction, node = np.concatenate(parts, axis=1)
    order = np.argsort(node, kind="stable")
    # There are millions of links in a large periodic box: they are kept in as few bytes as they need.
    slot = np.min_scalar_type(lattice.q * grid.block)
    return Links(
        ghost[order].astype(slot),
        real[order].astype(slot),
        wall[order] > 0,
        direction[order].astype(np.uint8),
        node[order].astype(np.min_scalar_type(-grid.nodes)),
    )


def _next_to_others(grid: Grid, lattice: VelocitySet) -> np.ndarray:
    """Return the flat indices of the fluid nodes with a neighbour that is solid or outside the box."""
    surrounded = grid.fluid.copy()
    for offset in lattice.c[1:] @ np.array(grid.strides):
        surrounded &= np.roll(grid.fluid, -offset)
    return np.flatnonzero(grid.fluid & ~surrounded)
