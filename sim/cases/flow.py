"""A flow in a box, as the reference cases want it: set up, advanced, made steady and read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from sim.boundary import Walls
from sim.cases import Tick
from sim.command import UnstableSimulation
from sim.fluid import Fluid, make_fluid_model, moments, step, wall_force
from sim.grid import make_grid
from sim.lattice import CS2, VelocitySet


def centres(nodes: int) -> np.ndarray:
    """Return the distance of nodes 1 … `nodes` from the wall half-way before the first, lattice units (nodes,)."""
    return np.arange(nodes) + 0.5


def viscosity(tau: float) -> float:
    """Return the kinematic viscosity (τ - ½)/3 in lattice units."""
    return CS2 * (tau - 0.5)


def relaxation_time(nu: float) -> float:
    """Return τ for a kinematic viscosity in lattice units."""
    return nu / CS2 + 0.5


def cut(x: np.ndarray, c: np.ndarray, centre: np.ndarray, radius: float) -> np.ndarray:
    """Return at what fraction of c (n, d) links from nodes x (n, d) enter a circle or sphere; NaN where they do not."""
    offset = x - centre
    a, b = (c**2).sum(axis=1), (offset * c).sum(axis=1)
    square = b**2 - a * ((offset**2).sum(axis=1) - radius**2)
    fraction = (-b - np.sqrt(np.maximum(square, 0))) / a
    return np.where((square > 0) & (fraction > 0) & (fraction <= 1), fraction, np.nan)


def _from_corner(walls: Walls | None) -> Walls:
    """Return walls that take positions as `sim.fluid` counts them, given walls that take them from the corner."""
    if walls is None:
        return Walls()
    velocity, fraction, outlet = walls.velocity, walls.fraction, walls.outlet
    return Walls(
        velocity and (lambda x: velocity(x - 0.5)),
        fraction and (lambda x, c: fraction(x - 0.5, c)),
        outlet and (lambda x: outlet(x - 0.5)),
    )


class Flow:
    """A model with its state; positions are counted from the corner of the box, nodes at `centres`.

    Attributes
    ----------
    model, fluid
        As in `sim.fluid`.
    inside
        Mask of the fluid nodes (x, y[, z]).
    """

    def __init__(
        self,
        lattice: VelocitySet,
        inside: np.ndarray,
        periodic: tuple[bool, ...],
        tau: float,
        force: Sequence[float] = (),
        precision: str = "float64",
        walls: Walls | None = None,
        **options: Any,
    ) -> None:
        grid = make_grid(inside, periodic)
        constant = (*map(float, force), 0.0, 0.0, 0.0)[: lattice.d]
        self.model = make_fluid_model(lattice, grid, tau, constant, precision, walls=_from_corner(walls), **options)
        self.fluid = Fluid(self.model)
        self.inside = inside

    def set_populations(self, density: np.ndarray, velocity: np.ndarray, off: np.ndarray | float = 0.0) -> None:
        """Set the populations to equilibrium with density (x, y[, z]) and velocity (d, x, y[, z]), plus `off`.

        Parameters
        ----------
        off
            Off-equilibrium part (q, x, y[, z]).
        """
        lattice = self.model.lattice
        cu = np.tensordot(lattice.c.astype(float), velocity, 1)
        square = 4.5 * cu**2 - 1.5 * (velocity**2).sum(axis=0)
        w = lattice.w.reshape((-1,) + (1,) * lattice.d)
        f = w * (density - 1 + density * (3 * cu + square)) + off
        self.model.grid.box(self.fluid.populations)[:] = np.where(self.inside, f, 0.0)

    def advance(self, steps: int) -> None:
        """Take at least `steps` steps, an even number, and check that the flow is finite.

        Raises
        ------
        UnstableSimulation
            If a population is NaN or infinite.
        """
        for _ in range(steps + steps % 2):
            step(self.model, self.fluid)
        if not np.isfinite(self.fluid.f.sum()):
            raise UnstableSimulation(
                f"the flow is not finite after {self.fluid.steps} steps: lower its speed or raise tau"
            )

    def steady(
        self,
        read: Callable[[], np.ndarray | float],
        tolerance: float,
        every: int,
        most: int,
        tick: Tick = lambda _: None,
    ) -> int:
        """Advance until what `read` returns changes by less than a fraction, or `most` steps are taken.

        Parameters
        ----------
        read
            Returns a number or an array.
        tolerance
            Largest change in `every` steps over the largest value.
        every, most
            Steps between looks, and in all.

        Returns
        -------
        int
            Steps taken.
        """
        old = np.asarray(read())
        start = self.fluid.steps
        first = None
        while self.fluid.steps - start < most:
            self.advance(every)
            new = np.asarray(read())
            change = abs(new - old).max() / max(abs(new).max(), 1e-300)
            first = first or change
            if change < tolerance:
                break
            # The change falls exponentially, so that its logarithm tells how far it has come.
            done = np.log(first / change) / np.log(first / tolerance) if first > tolerance else 1.0
            tick(float(np.clip(done, (self.fluid.steps - start) / most, 0.99)))
            old = new
        return self.fluid.steps - start

    def moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Return density (x, y[, z]) and velocity (d, x, y[, z]), 1 and 0 in the walls, lattice units."""
        grid = self.model.grid
        density, velocity = moments(self.model, self.fluid)
        return grid.box(density), np.where(self.inside, grid.box(velocity.T), 0.0)

    def velocity(self, axis: int = 0) -> np.ndarray:
        """Return one component of the velocity (x, y[, z]), lattice units."""
        return self.moments()[1][axis]

    def wall_force(self, select: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Return the force (d,) on the wall where `select` of the links' midpoints (n, d) is true, lattice units."""
        links, grid = self.model.links, self.model.grid
        middle = grid.coordinates(links.node) - 0.5 + self.model.lattice.c[links.direction] / 2
        return wall_force(self.model, self.fluid, links.wall & select(middle))
