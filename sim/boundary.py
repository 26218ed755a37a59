"""Boundary conditions: which slots are copied, combined or set at the walls and faces of a grid."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sim.grid import Grid, Links
from sim.kernels.walls import combine_slots, open_slots
from sim.lattice import CS2, VelocitySet

SHORTEST_ROW = 8
"""Copied links that follow each other are copied as a row from this number on."""

PointFunction = Callable[[np.ndarray], np.ndarray]
"""Takes points (n, d) in lattice units, node (i, j) at (i, j)."""


@dataclass(frozen=True)
class Walls:
    """What the walls of a flow do; at rest and half-way between nodes where nothing is said.

    Attributes
    ----------
    velocity
        Velocity (n, d) of the wall at the points half-way along the links, lattice units.
    fraction
        Takes nodes (n, d) and directions (n, d) and returns where along each link the wall is, in (0, 1], or NaN for
        half-way bounce-back: interpolated bounce-back of Bouzidi et al. 2001, linear.
    outlet
        Density (n,) at the points half-way along the links that end at an open face, NaN at walls: anti-bounce-back
        (Ginzburg et al. 2008).
    """

    velocity: PointFunction | None = None
    fraction: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
    outlet: PointFunction | None = None


@dataclass(frozen=True)
class Boundary:
    """The rules of all links, ready for the kernels.

    Attributes
    ----------
    fills, drains
        Links that are copies, see `_copies`: ghosts from real slots, made by the even kernel after the run of the real
        slot, for the odd step to read; real slots from ghosts, made by the odd kernel after the run of the node.
    before, after
        Arguments of `combine_slots` before and after an odd step.
    open_before, open_after
        Arguments of `open_slots` before and after an odd step.
    """

    fills: tuple[np.ndarray, ...]
    drains: tuple[np.ndarray, ...]
    before: tuple[np.ndarray, ...]
    after: tuple[np.ndarray, ...]
    open_before: tuple
    open_after: tuple

    def fill(self, f: np.ndarray) -> None:
        """Apply the rules that are no copies, before an odd step."""
        _apply(f, self.before, self.open_before)

    def drain(self, f: np.ndarray) -> None:
        """Apply the rules that are no copies, after an odd step."""
        _apply(f, self.after, self.open_after)


def _apply(f: np.ndarray, combined: tuple[np.ndarray, ...], opened: tuple) -> None:
    if combined[0].size:
        combine_slots(f, *combined)
    if opened[0].size:
        open_slots(f, *opened)


def make_boundary(grid: Grid, lattice: VelocitySet, links: Links, walls: Walls, dtype: np.dtype) -> Boundary:
    """Sort the links of a grid by what happens at them."""
    count = len(links.node)
    c, w = lattice.c[links.direction], lattice.w[links.direction]
    position = grid.coordinates(links.node)
    middle = position + c / 2
    density, fraction = np.full(count, np.nan), np.full(count, np.nan)
    gain = np.zeros(count)
    at_wall = np.flatnonzero(links.wall)
    if walls.outlet is not None:
        density[at_wall] = walls.outlet(middle[at_wall])
    if walls.fraction is not None:
        fraction[at_wall] = walls.fraction(position[at_wall], c[at_wall])
    if walls.velocity is not None:
        speed = np.einsum("nd,nd->n", c[at_wall], walls.velocity(middle[at_wall]))
        gain[at_wall] = -2 * w[at_wall] * speed / CS2  # Ladd 1994, at density 1
    opened = np.isfinite(density)
    combined = (np.isfinite(fraction) | (gain != 0)) & ~opened
    plain = ~opened & ~combined
    ghost, real, runs = links.ghost[plain], links.real[plain], len(grid.start)
    return Boundary(
        _copies(_run(grid, real % np.uintp(grid.block)), runs, ghost, real),
        _copies(_run(grid, links.node[plain]), runs, real, ghost),
        *_combinations(grid, lattice, links, combined, fraction, gain, dtype),
        *_openings(grid, lattice, links, opened, density, dtype),
    )


def _run(grid: Grid, node: np.ndarray) -> np.ndarray:
    """Return the run that each fluid node belongs to."""
    return np.searchsorted(grid.start, node.astype(np.uintp), side="right") - 1


def _copies(run: np.ndarray, runs: int, target: np.ndarray, origin: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return copies sorted by the run after whose update they are made, single ones and rows of consecutive slots.

    The first of the single ones of each run and their end (runs + 1,), target and origin (n,); the same for the rows,
    and the lengths of the rows.
    """
    order = np.lexsort((target, run))
    run, target, origin = run[order], target[order], origin[order]
    new = np.ones(len(order) + 1, dtype=bool)
    new[1:-1] = (np.diff(target) != 1) | (np.diff(origin) != 1) | (np.diff(run) != 0)
    length = np.diff(np.flatnonzero(new))
    first = np.flatnonzero(new[:-1])[length >= SHORTEST_ROW]
    single = np.repeat(length < SHORTEST_ROW, length)
    bounds = np.arange(runs + 1)
    return (
        np.searchsorted(run[single], bounds).astype(np.uint32),
        target[single],
        origin[single],
        np.searchsorted(run[first], bounds).astype(np.uint32),
        target[first],
        origin[first],
        length[length >= SHORTEST_ROW].astype(np.uint32),
    )


def _combinations(
    grid: Grid,
    lattice: VelocitySet,
    links: Links,
    chosen: np.ndarray,
    fraction: np.ndarray,
    gain: np.ndarray,
    dtype: np.dtype,
) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
    """Return the arguments of `combine_slots` before and after an odd step.

    With δ the fraction and x' = x - c_q: for δ < ½ the reflected population is 2δ f_q(x) + (1 - 2δ) f_q(x'), otherwise
    f_q(x)/2δ + (1 - 1/2δ) f_opposite(x); a moving wall adds gain min(1, 1/2δ). Where δ < ½ and x' is no fluid, δ counts
    as ½. Before an odd step f_q(x) lies in slot opposite(q) of x; after it, where x scattered it.
    """
    q, node = links.direction[chosen].astype(np.intp), links.node[chosen].astype(np.intp)
    strides = np.array(grid.strides)
    behind = node - lattice.c[q] @ strides
    wrapped = grid.wrap(grid.coordinates(node) - lattice.c[q]) @ strides
    delta = np.where(np.isfinite(fraction[chosen]), fraction[chosen], 0.5)
    delta = np.where((delta < 0.5) & ~grid.fluid[wrapped], 0.5, delta)
    close = delta < 0.5
    here, opposite = q * grid.block, lattice.opposite[q] * grid.block
    near_weight = np.where(close, 2 * delta, 1 / (2 * delta))
    values = (near_weight, 1 - near_weight, gain[chosen] * np.minimum(1, 1 / (2 * delta)))
    ghost, real = links.ghost[chosen], links.real[chosen]
    other_before = np.where(close, opposite + wrapped, here + node)
    other_after = np.where(close, here + node, opposite + behind)
    numbers = tuple(value.astype(dtype) for value in values)
    before = (ghost, real, other_before.astype(np.uintp), *numbers)
    after = (real, ghost, other_after.astype(np.uintp), *numbers)
    return before, after


def _openings(
    grid: Grid, lattice: VelocitySet, links: Links, chosen: np.ndarray, density: np.ndarray, dtype: np.dtype
) -> tuple[tuple, tuple]:
    """Return the arguments of `open_slots` before and after an odd step."""
    q, node = links.direction[chosen].astype(np.intp), links.node[chosen].astype(np.intp)
    offset = lattice.c @ np.array(grid.strides)
    k = np.arange(lattice.q)
    local = (lattice.opposite * grid.block)[None, :] + node[:, None]
    scattered = (k * grid.block + offset)[None, :] + node[:, None]
    opening = ((density[chosen] - 1).astype(np.float64), lattice.c.astype(np.float64))
    numbers = (lattice.c[q].astype(np.float64), lattice.w[q].astype(np.float64), opening)
    ghost, real = links.ghost[chosen], links.real[chosen]
    before = (ghost, real, local.astype(np.uintp), *numbers)
    after = (real, ghost, scattered.astype(np.uintp), *numbers)
    return before, after
