"""The flow: populations in memory, a time step, and what can be read off them."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import itertools
import sys
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import ModuleType

import numpy as np

from sim.boundary import Boundary, Walls, make_boundary
from sim.files import cache_dir, replacing
from sim.grid import Grid, Links, make_links
from sim.kernels import lbm, pieces
from sim.lattice import VelocitySet

SMALLEST_SLAB = 16_384
"""Nodes of a slab, fewer only where there are fewer for each thread: some 100 µs, ten times what it takes to hand
it out."""


@dataclass(frozen=True)
class FluidModel:
    """What does not change while the fluid flows.

    Attributes
    ----------
    lattice, grid
        Velocity set and nodes.
    links, boundary
        Walls and faces, and what happens at them.
    omega
        Relaxation rates of the even and of the odd moments.
    force
        Constant force density (d,), lattice units.
    dtype
        float32 or float64.
    threads, slabs
        Number of threads, and the parts that a thread takes one after the other: first and last run of fluid nodes.
    kernels
        Module with the compiled steps ``even`` and ``odd``.
    varied
        Whether the viscosity differs from node to node.
    """

    lattice: VelocitySet
    grid: Grid
    links: Links = field(repr=False)
    boundary: Boundary = field(repr=False)
    omega: tuple[float, float]
    force: tuple[float, ...]
    dtype: np.dtype
    threads: int
    slabs: tuple[tuple[int, int], ...]
    kernels: ModuleType = field(repr=False)
    varied: bool = False


class Fluid:
    """State of the flow.

    Attributes
    ----------
    memory
        One stretch of numbers for each direction, then for each axis of the force field and of the velocity, and for
        the two rates where the viscosity differs from node to node; flat.
    f
        Populations minus the rest weights, flat: that of direction q at node i is element q * block + i.
    populations
        View of `f` as (q, nodes).
    force
        Force density field per axis, each (nodes,), lattice units; used up by a step at the touched nodes of the fluid,
        and never read anywhere else.
    velocity
        Velocity per axis, each (nodes,), lattice units; written only at touched nodes, zero in the walls.
    rates
        Relaxation rates of the even and of the odd moments, each (nodes,), at first those of the model; none where the
        viscosity is the same everywhere.
    touched
        Where forces may act and velocities are wanted (nodes,) bool; a change takes effect by `set_pieces`.
    piece_row, piece_start, piece_stop
        The same as pieces of the runs of fluid nodes: first piece of each run (runs + 1,), and first node of each
        piece and one past the last, uintp.
    steps
        Number of steps taken.
    model, arguments
        Model of the last step, and what its kernels are called with.
    """

    def __init__(self, model: FluidModel) -> None:
        nodes, dim = model.grid.nodes, model.lattice.d
        count = model.lattice.q + 2 * dim + 2 * model.varied
        self.memory = np.zeros(count * model.grid.block, dtype=model.dtype)
        self.f = self.memory[: model.lattice.q * model.grid.block]
        stretches = self.memory.reshape(-1, model.grid.block)[:, :nodes]
        self.populations, fields = stretches[: model.lattice.q], stretches[model.lattice.q :]
        self.force, self.velocity = tuple(fields[:dim]), tuple(fields[dim : 2 * dim])
        self.rates = tuple(fields[2 * dim :])
        for rate, omega in zip(self.rates, model.omega, strict=False):
            rate[:] = omega
        self.touched = np.zeros(nodes, dtype=bool)
        self.piece_row = np.zeros(model.grid.start.size + 1, dtype=np.uintp)
        self.piece_start = np.zeros(model.grid.start.size + nodes // pieces.GAP, dtype=np.uintp)
        self.piece_stop = np.zeros_like(self.piece_start)
        self.steps = 0
        self.model: FluidModel | None = None
        self.arguments: tuple = ()


def make_fluid_model(
    lattice: VelocitySet,
    grid: Grid,
    tau: float,
    force: tuple[float, ...],
    precision: str = "float32",
    magic: float | None = 3 / 16,
    walls: Walls | None = None,
    threads: int = 1,
    varied: bool = False,
) -> FluidModel:
    """Prepare a flow.

    Parameters
    ----------
    lattice, grid
        Velocity set and nodes, of the same dimension.
    tau
        Relaxation time of the even moments, time steps; ν = (τ - ½)/3.
    force
        Constant force density (d,), lattice units.
    precision
        ``float32`` or ``float64``.
    magic
        Λ = (τ_even - ½)(τ_odd - ½) of the two-relaxation-time operator; None for BGK, one rate for all.
    walls
        What the walls and open faces do; at rest, half-way between nodes when omitted.
    threads
        Number of threads; the results do not depend on it.
    varied
        Whether the viscosity will differ from node to node: see `Fluid.rates`.
    """
    tau_odd = tau if magic is None else magic / (tau - 0.5) + 0.5
    links = make_links(grid, lattice)
    dtype = np.dtype(precision)
    boundary = make_boundary(grid, lattice, links, walls or Walls(), dtype)
    kernels = load_kernels(lattice, grid, precision, varied)
    rates, slabs = (1 / tau, 1 / tau_odd), _slabs(grid, threads)
    return FluidModel(lattice, grid, links, boundary, rates, force, dtype, threads, slabs, kernels, varied)


def _slabs(grid: Grid, threads: int) -> tuple[tuple[int, int], ...]:
    """Return the parts that threads may update at the same time.

    In an odd step no two nodes touch the same slot, nor do their copied links: a slab needs no barrier. Each slab has
    half of a thread's share of the nodes that are left, so that the last ones are small and all threads end together,
    though a core may be busy with something else and a touched node costs more than another.
    """
    done = np.concatenate(([0], np.cumsum(grid.stop - grid.start)))
    nodes = int(done[-1])
    smallest = nodes if threads == 1 else min(SMALLEST_SLAB, -(-nodes // threads))
    ends = [0]
    while ends[-1] < nodes:
        ends.append(ends[-1] + max(smallest, (nodes - ends[-1]) // (2 * threads)))
    cuts = np.searchsorted(done, np.minimum(ends, nodes))
    return tuple((int(a), int(b)) for a, b in itertools.pairwise(cuts) if b > a)


@functools.cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="slab")


@functools.cache
def _load(text: str, stem: str) -> ModuleType:
    """Import generated source from the cache directory, where Numba can cache what it compiles."""
    name = f"{stem}_{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    path = cache_dir("kernels") / f"{name}.py"
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        with replacing(path) as part:
            part.write_text(text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot import {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def load_kernels(lattice: VelocitySet, grid: Grid, precision: str, varied: bool = False) -> ModuleType:
    """Return the module with the compiled steps ``even`` and ``odd`` for a grid's shape, from the cache if there."""
    velocities = [tuple(int(v) for v in row) for row in lattice.c]
    text = lbm.source(velocities, [float(w) for w in lattice.w], grid.strides, grid.block, precision, varied)
    return _load(text, f"{lattice.name.lower()}_{precision}")


def step(model: FluidModel, fluid: Fluid) -> None:
    """Collide and stream once, in place."""
    if fluid.model is not model:
        _bind(model, fluid)
    if fluid.steps % 2 == 0:
        _sweep(model, model.kernels.even, fluid.arguments + model.boundary.fills)
    else:
        model.boundary.fill(fluid.f)
        _sweep(model, model.kernels.odd, fluid.arguments + model.boundary.drains)
        model.boundary.drain(fluid.f)
    fluid.steps += 1


def _bind(model: FluidModel, fluid: Fluid) -> None:
    """Put together the arguments of the kernels, which are the same in every step."""
    cast = model.dtype.type
    fluid.model = model
    fluid.arguments = (
        fluid.memory,
        model.grid.start,
        model.grid.stop,
        fluid.piece_row,
        fluid.piece_start,
        fluid.piece_stop,
        cast(model.omega[0]),
        cast(model.omega[1]),
        *(cast(g) for g in model.force),
    )


def _sweep(model: FluidModel, kernel: Callable[..., None], arguments: tuple) -> None:
    """Update all slabs, each by the thread that comes to it first."""
    if model.threads == 1:
        for slab in model.slabs:
            kernel(*slab, *arguments)
        return
    waiting = deque(model.slabs)

    def work() -> None:
        while True:
            try:
                slab = waiting.popleft()
            except IndexError:
                return
            kernel(*slab, *arguments)

    pool = _pool(model.threads - 1)
    others = [pool.submit(work) for _ in range(model.threads - 1)] if len(waiting) > 1 else []
    try:
        work()
    finally:
        for other in others:
            if not other.cancel():  # has started
                other.result()


def set_pieces(model: FluidModel, fluid: Fluid) -> None:
    """Bring the pieces of the runs up to date with the touched nodes."""
    grid = model.grid
    pieces.find_pieces(grid.start, grid.stop, fluid.touched, fluid.piece_row, fluid.piece_start, fluid.piece_stop)


def wall_force(model: FluidModel, fluid: Fluid, links: np.ndarray | None = None) -> np.ndarray:
    """Return the force (d,) of the fluid on walls in the last step, by momentum exchange, lattice units.

    Parameters
    ----------
    links
        Which links (mask or indices into `FluidModel.links`) belong to the wall; all that end at walls by default.
        Over a closed wall the rest pressure cancels and is left out.

    Raises
    ------
    ValueError
        After an odd number of steps.
    """
    if fluid.steps % 2:
        raise ValueError("forces can be read after an even number of steps only")
    chosen = model.links.wall if links is None else links
    # c_q f_q went into the wall, and is still in the ghost; c_opposite f_opposite came out.
    exchanged = fluid.f[model.links.ghost[chosen]].astype(np.float64) + fluid.f[model.links.real[chosen]]
    return exchanged @ model.lattice.c[model.links.direction[chosen]]


def moments(model: FluidModel, fluid: Fluid, index: np.ndarray | slice = slice(None)) -> tuple[np.ndarray, np.ndarray]:
    """Return density (n,) and velocity (n, d) of nodes under the constant force, float64, lattice units.

    Raises
    ------
    ValueError
        After an odd number of steps, when populations are not where their nodes are.
    """
    if fluid.steps % 2:
        raise ValueError("moments can be read after an even number of steps only")
    f = fluid.populations[:, index].astype(np.float64)
    density = 1.0 + f.sum(axis=0)
    momentum = f.T @ model.lattice.c + 0.5 * np.asarray(model.force)
    return density, momentum / density[:, None]


def flow_rate(model: FluidModel, fluid: Fluid, column: np.ndarray) -> float:
    """Return the volume flow through a column of nodes, lattice units."""
    return float(moments(model, fluid, column)[1][:, 0].sum())


def restore_mass(model: FluidModel, fluid: Fluid) -> None:
    """Bring the mean density back to 1 by the same addition, at rest, to every node.

    Interpolated bounce-back does not conserve mass (Bouzidi et al. 2001), and a periodic channel has nowhere to get it.
    """
    inside = model.grid.fluid
    missing = -fluid.populations.sum(axis=0, dtype=np.float64)[inside].mean()
    for population, weight in zip(fluid.populations, model.lattice.w, strict=True):
        population[inside] += model.dtype.type(weight * missing)
