"""The flow: populations in memory, a time step, and what can be read off them."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import sys
from dataclasses import dataclass, field
from types import ModuleType

import numpy as np

from sim.channel import Channel, ghost_links
from sim.files import cache_dir, replacing
from sim.kernels import lbm
from sim.kernels.walls import drain_ghosts, fill_ghosts
from sim.lattice import VelocitySet


@dataclass(frozen=True)
class FluidModel:
    """What does not change while the fluid flows.

    Attributes
    ----------
    lattice, channel
        Velocity set and geometry.
    omega
        Relaxation rates of the even and of the odd moments.
    force
        Constant force density (d,), lattice units.
    dtype
        float32 or float64.
    ghost, real
        Pairs of slots for walls and periodic faces, see `sim.channel.ghost_links`.
    """

    lattice: VelocitySet
    channel: Channel
    omega: tuple[float, float]
    force: tuple[float, ...]
    dtype: np.dtype
    ghost: np.ndarray = field(repr=False)
    real: np.ndarray = field(repr=False)
    kernels: ModuleType = field(repr=False)


class Fluid:
    """State of the flow.

    Attributes
    ----------
    f
        Populations minus the rest weights, flat (q * nodes,).
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
        nodes, dim = model.channel.nodes, model.lattice.d
        self.f = np.zeros(model.lattice.q * nodes, dtype=model.dtype)
        self.force = tuple(np.zeros(nodes, dtype=model.dtype) for _ in range(dim))
        self.velocity = tuple(np.zeros(nodes, dtype=model.dtype) for _ in range(dim))
        self.box_start = model.channel.stop.copy()
        self.box_stop = model.channel.stop.copy()
        self.steps = 0


def make_fluid_model(
    lattice: VelocitySet,
    channel: Channel,
    tau: float,
    force: tuple[float, ...],
    precision: str = "float32",
    magic: float | None = 3 / 16,
) -> FluidModel:
    """Prepare a flow in `channel`.

    Parameters
    ----------
    tau
        Relaxation time of the even moments, time steps; ν = (τ - ½)/3.
    force
        Constant force density, lattice units.
    precision
        ``float32`` or ``float64``.
    magic
        Λ = (τ_even - ½)(τ_odd - ½) of the two-relaxation-time operator; None for BGK, one rate for all.
    """
    tau_odd = tau if magic is None else magic / (tau - 0.5) + 0.5
    ghost, real = ghost_links(channel, lattice)
    kernels = load_kernels(lattice, channel.shape, precision)
    return FluidModel(lattice, channel, (1 / tau, 1 / tau_odd), force, np.dtype(precision), ghost, real, kernels)


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


def load_kernels(lattice: VelocitySet, shape: tuple[int, ...], precision: str) -> ModuleType:
    """Return the module with the compiled steps ``even`` and ``odd`` for a grid shape, from the cache if there."""
    strides = tuple(int(np.prod(shape[:k])) for k in range(len(shape)))
    velocities = [tuple(int(v) for v in row) for row in lattice.c]
    nodes = int(np.prod(shape))
    text = lbm.source(velocities, [float(w) for w in lattice.w], strides, nodes, precision)
    return _load(text, f"{lattice.name.lower()}_{precision}")


def step(model: FluidModel, fluid: Fluid) -> None:
    """Collide and stream once, in place."""
    channel, cast = model.channel, model.dtype.type
    arguments = (
        fluid.f,
        channel.start,
        channel.stop,
        fluid.box_start,
        fluid.box_stop,
        0,
        channel.start.size,
        cast(model.omega[0]),
        cast(model.omega[1]),
        *(cast(g) for g in model.force),
        *fluid.force,
        *fluid.velocity,
    )
    if fluid.steps % 2 == 0:
        model.kernels.even(*arguments)
    else:
        fill_ghosts(fluid.f, model.ghost, model.real)
        model.kernels.odd(*arguments)
        drain_ghosts(fluid.f, model.ghost, model.real)
    fluid.steps += 1


def set_box(model: FluidModel, fluid: Fluid, low: np.ndarray, high: np.ndarray) -> None:
    """Declare where forces act and velocities are wanted: nodes from `low` to `high`, both included (d,)."""
    start, stop, width = model.channel.start, model.channel.stop, model.channel.shape[0]
    row = start // width
    inside = (row >= low[1]) & (row <= high[1])
    first = np.clip(row * width + low[0], start, stop)
    last = np.clip(row * width + high[0] + 1, start, stop)
    fluid.box_start[:] = np.where(inside, first, stop)
    fluid.box_stop[:] = np.where(inside, last, stop)


def moments(model: FluidModel, fluid: Fluid, index: np.ndarray | slice = slice(None)) -> tuple[np.ndarray, np.ndarray]:
    """Return density (n,) and velocity (n, d) of nodes under the constant force, float64, lattice units.

    Raises
    ------
    ValueError
        After an odd number of steps, when populations are not where their nodes are.
    """
    if fluid.steps % 2:
        raise ValueError("moments can be read after an even number of steps only")
    f = fluid.f.reshape(model.lattice.q, -1)[:, index].astype(np.float64)
    density = 1.0 + f.sum(axis=0)
    momentum = f.T @ model.lattice.c + 0.5 * np.asarray(model.force)
    return density, momentum / density[:, None]


def flow_rate(model: FluidModel, fluid: Fluid, column: np.ndarray) -> float:
    """Return the volume flow through a column of nodes, lattice units."""
    return float(moments(model, fluid, column)[1][:, 0].sum())
