"""The flow: populations in memory, a time step, and what can be read off them."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType

import numpy as np

from sim.files import cache_dir, replacing
from sim.grid import Grid, Links, make_links
from sim.kernels import lbm
from sim.kernels.walls import drain_ghosts, fill_ghosts
from sim.lattice import CS2, VelocitySet


@dataclass(frozen=True)
class FluidModel:
    """What does not change while the fluid flows.

    Attributes
    ----------
    lattice, grid
        Velocity set and nodes.
    links
        Walls and periodic faces.
    omega
        Relaxation rates of the even and of the odd moments.
    force
        Constant force density (d,), lattice units.
    dtype
        float32 or float64.
    moving, gain
        Wall links of moving walls, and what each adds to a reflected population.
    kernels
        Module with the compiled steps ``even`` and ``odd``.
    """

    lattice: VelocitySet
    grid: Grid
    links: Links = field(repr=False)
    omega: tuple[float, float]
    force: tuple[float, ...]
    dtype: np.dtype
    moving: np.ndarray = field(repr=False)
    gain: np.ndarray = field(repr=False)
    kernels: ModuleType = field(repr=False)


class Fluid:
    """State of the flow.

    Attributes
    ----------
    f
        Populations minus the rest weights, flat: that of direction q at node i is element q * block + i.
    populations
        View of `f` as (q, nodes).
    force
        Force density field per axis, each (nodes,), lattice units; read only inside the box.
    velocity
        Velocity per axis, each (nodes,), lattice units; written only inside the box, zero in the walls.
    box_start, box_stop
        The part of each run of fluid nodes that lies in the box (runs,) uintp.
    steps
        Number of steps taken.
    """

    def __init__(self, model: FluidModel) -> None:
        nodes, dim = model.grid.nodes, model.lattice.d
        self.f = np.zeros(model.lattice.q * model.grid.block, dtype=model.dtype)
        self.populations = self.f.reshape(model.lattice.q, -1)[:, :nodes]
        self.force = tuple(np.zeros(nodes, dtype=model.dtype) for _ in range(dim))
        self.velocity = tuple(np.zeros(nodes, dtype=model.dtype) for _ in range(dim))
        self.box_start = model.grid.stop.copy()
        self.box_stop = model.grid.stop.copy()
        self.steps = 0


def make_fluid_model(
    lattice: VelocitySet,
    grid: Grid,
    tau: float,
    force: tuple[float, ...],
    precision: str = "float32",
    magic: float | None = 3 / 16,
    wall_velocity: Callable[[np.ndarray], np.ndarray] | None = None,
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
    wall_velocity
        Velocity (n, d) of the wall at given points (n, d), all in lattice units; walls at rest when omitted.
    """
    tau_odd = tau if magic is None else magic / (tau - 0.5) + 0.5
    links = make_links(grid, lattice)
    moving, gain = _moving_walls(lattice, grid, links, wall_velocity)
    dtype = np.dtype(precision)
    kernels = load_kernels(lattice, grid, precision)
    return FluidModel(lattice, grid, links, (1 / tau, 1 / tau_odd), force, dtype, moving, gain.astype(dtype), kernels)


def _moving_walls(
    lattice: VelocitySet, grid: Grid, links: Links, wall_velocity: Callable[[np.ndarray], np.ndarray] | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the links of moving walls and the gain -2 w_q ρ (c_q · u_wall)/cs² of each (Ladd 1994, ρ = 1)."""
    if wall_velocity is None:
        return np.zeros(0, dtype=np.uintp), np.zeros(0)
    c, w = lattice.c[links.direction], lattice.w[links.direction]
    velocity = wall_velocity(grid.coordinates(links.node) + c / 2)
    gain = -2 * w * np.einsum("nd,nd->n", c, velocity) / CS2
    moving = np.flatnonzero(gain)
    return moving.astype(np.uintp), gain[moving]


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


def load_kernels(lattice: VelocitySet, grid: Grid, precision: str) -> ModuleType:
    """Return the module with the compiled steps ``even`` and ``odd`` for a grid's shape, from the cache if there."""
    velocities = [tuple(int(v) for v in row) for row in lattice.c]
    text = lbm.source(velocities, [float(w) for w in lattice.w], grid.strides, grid.block, precision)
    return _load(text, f"{lattice.name.lower()}_{precision}")


def step(model: FluidModel, fluid: Fluid) -> None:
    """Collide and stream once, in place."""
    grid, cast = model.grid, model.dtype.type
    arguments = (
        fluid.f,
        grid.start,
        grid.stop,
        fluid.box_start,
        fluid.box_stop,
        0,
        grid.start.size,
        cast(model.omega[0]),
        cast(model.omega[1]),
        *(cast(g) for g in model.force),
        *fluid.force,
        *fluid.velocity,
    )
    if fluid.steps % 2 == 0:
        model.kernels.even(*arguments)
    else:
        walls = (model.links.ghost, model.links.real, model.moving, model.gain)
        fill_ghosts(fluid.f, *walls)
        model.kernels.odd(*arguments)
        drain_ghosts(fluid.f, *walls)
    fluid.steps += 1


def set_box(model: FluidModel, fluid: Fluid, low: np.ndarray, high: np.ndarray) -> None:
    """Declare where forces act and velocities are wanted: nodes from `low` to `high`, both included (d,)."""
    grid = model.grid
    position = grid.coordinates(grid.start.astype(np.intp))
    inside = ((position[:, 1:] >= low[1:]) & (position[:, 1:] <= high[1:])).all(axis=1)
    row = grid.start - position[:, 0].astype(np.uintp)
    first = np.clip(row + np.uintp(low[0]), grid.start, grid.stop)
    last = np.clip(row + np.uintp(high[0] + 1), grid.start, grid.stop)
    fluid.box_start[:] = np.where(inside, first, grid.stop)
    fluid.box_stop[:] = np.where(inside, last, grid.stop)


def wall_force(model: FluidModel, fluid: Fluid, links: np.ndarray | slice = slice(None)) -> np.ndarray:
    """Return the force (d,) of the fluid on a wall in the last step, by momentum exchange, lattice units.

    Parameters
    ----------
    links
        Which wall links belong to the wall; all by default. Over a closed wall the rest pressure cancels and
        is left out.

    Raises
    ------
    ValueError
        After an odd number of steps.
    """
    if fluid.steps % 2:
        raise ValueError("forces can be read after an even number of steps only")
    reflected = fluid.f[model.links.real[: model.links.walls]].astype(np.float64)
    gain = np.zeros(model.links.walls)
    gain[model.moving.astype(np.intp)] = model.gain
    # c_q f*_q goes into the wall and c_opposite (f*_q + gain) comes out.
    exchanged = (2 * reflected - gain)[:, None] * model.lattice.c[model.links.direction]
    return exchanged[links].sum(axis=0)


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
