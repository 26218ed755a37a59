"""The steady flow of the empty channel, computed once and kept in the user's cache."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from sim.command import UnstableSimulation
from sim.config import PHYSICS_VERSION, SimulationConfig
from sim.drive import Controller, Drive, control
from sim.files import cache_dir, read_arrays, replacing
from sim.fluid import Fluid, moments, step
from sim.health import MAX_DENSITY_CHANGE, MAX_MACH
from sim.lattice import CS2
from sim.trace import Outcome

RESIDUAL_STEPS = 500
MAX_STEPS = 400_000
PART = 32_768
"""Nodes whose moments are taken at a time."""

Tell = Callable[[float, str], None]
"""Told what fraction is done, and one line for people."""


def warm_up(config: SimulationConfig, controller: Controller | None, fluid: Fluid, drive: Drive, tell: Tell) -> None:
    """Bring a fluid at rest and its drive to the steady flow: from the cache, or by computing it.

    Raises
    ------
    UnstableSimulation
        If the flow does not become steady or leaves the range of validity.
    """
    path = flow_path(config)
    if _read(path, fluid, drive):
        return
    _compute(config.numerics.steady_tolerance, controller, fluid, drive, tell)
    try:
        with replacing(path) as part:
            np.savez(part, f=fluid.f, force=drive.force)
    except OSError:
        path.unlink(missing_ok=True)  # a cache that cannot be written costs time the next time, no more


def flow_path(config: SimulationConfig) -> Path:
    """Return where the empty channel's flow of a resolved configuration is kept."""
    return cache_dir("warmup") / f"{flow_digest(config)}.npz"


def flow_digest(config: SimulationConfig) -> str:
    """Name the empty channel's flow by all that it depends on."""
    which = {"dimension", "dx", "tau", "inertia_scale", "collision", "magic", "walls", "precision", "steady_tolerance"}
    numerics = config.numerics.model_dump(include=which)
    content = [PHYSICS_VERSION, config.fluid.model_dump(), config.channel.model_dump(), numerics]
    if config.viscosities_differ:
        content.append("rates of each node")  # another kernel, which may round otherwise
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _read(path: Path, fluid: Fluid, drive: Drive) -> bool:
    """Read a stored flow and its force into place; return whether there was a sound one."""
    stored = read_arrays(path)
    if stored is None or not {"f", "force"} <= stored.keys():
        return False
    f, force = stored["f"], float(stored["force"])
    if f.shape != fluid.f.shape or f.dtype != fluid.f.dtype:
        return False
    fluid.f[:] = f
    drive.model = dataclasses.replace(drive.model, force=(force, *drive.model.force[1:]))
    drive.integral = force
    return True


def _compute(tolerance: float, controller: Controller | None, fluid: Fluid, drive: Drive, tell: Tell) -> None:
    """Run the empty channel until the velocity changes by less than the tolerance in `RESIDUAL_STEPS` steps."""
    inside = np.flatnonzero(drive.model.grid.fluid)
    before = np.zeros((len(inside), drive.model.lattice.d))
    first = None
    while fluid.steps < MAX_STEPS:
        for _ in range(RESIDUAL_STEPS):
            control(drive, fluid, controller)
            step(drive.model, fluid)
        density, velocity = _moments(drive, fluid, inside)
        largest = np.linalg.norm(velocity, axis=1).max()
        if not (
            np.isfinite(largest) and largest < MAX_MACH * np.sqrt(CS2) and abs(density - 1).max() < MAX_DENSITY_CHANGE
        ):
            raise UnstableSimulation(
                f"the flow of the empty channel broke down at step {fluid.steps}; {Outcome.UNSTABLE.value}"
            )
        residual = float(np.linalg.norm(velocity - before, axis=1).max() / largest)
        if residual < tolerance:
            drive.integral = drive.force  # as one that reads this flow from the cache will have it
            return
        first = first or residual
        done = float(np.clip(np.log(first / residual) / np.log(first / tolerance), 0, 1)) if first > residual else 0.0
        tell(done, f"change {residual:.1e} in {RESIDUAL_STEPS} steps")
        before = velocity
    raise UnstableSimulation(
        f"the flow of the empty channel is not steady after {MAX_STEPS} steps (change {residual:.1e}, "
        f"wanted {tolerance:g}): raise numerics.steady_tolerance or lower numerics.inertia_scale"
    )


def _moments(drive: Drive, fluid: Fluid, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return density and velocity of some nodes, a part at a time: together they take more memory than the flow."""
    parts = [moments(drive.model, fluid, part) for part in np.array_split(inside, 1 + len(inside) // PART)]
    density, velocity = zip(*parts, strict=True)
    return np.concatenate(density), np.concatenate(velocity)
