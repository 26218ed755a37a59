"""What the pre-flight check knows of the law `oif`: what follows from its constants, and whether a step is stable."""

from __future__ import annotations

import numpy as np

from sim.cell import Inertia, make_inertia, make_oif_law
from sim.channel import Channel
from sim.config import SimulationConfig
from sim.oif import Oif, oif_forces
from sim.shape import bodies, node_size
from sim.shell import Workspace
from sim.units import Units, make_units

MAX_FRICTION_RATE = 1.0
"""γ dt/m below which explicit friction slows a node down without overshooting."""
ITERATIONS = 200
OFFSET = 1e-4
"""Displacement over edge length by which forces are compared."""


def resolve_oif(config: SimulationConfig) -> SimulationConfig:
    """Return the configuration with what follows from `cell.oif`: nothing is scaled where nodes have a mass."""
    oif, numerics = config.cell.oif, config.numerics
    if oif is None:
        return config
    follow = {"friction": oif.friction, "wall_range": oif.wall_cutoff, "inertia_scale": numerics.inertia_scale or 1.0}
    numerics = numerics.model_copy(update=follow)
    rate = oif.friction * make_units(config.fluid, numerics).dt / oif.node_mass
    scheme = oif.friction_scheme or ("explicit" if rate < MAX_FRICTION_RATE else "exact")
    cell = config.cell.model_copy(update={"oif": oif.model_copy(update={"friction_scheme": scheme})})
    return config.model_copy(update={"numerics": numerics, "cell": cell})


def oif_limits(
    config: SimulationConfig, lattice: Channel, units: Units, drop: float
) -> list[tuple[str, float, float, str]]:
    """Return name, number, bound and text of what keeps nodes with mass stable; nothing for other laws.

    Parameters
    ----------
    config
        Resolved.
    lattice, units
        Channel and conversion.
    drop
        Drive over the whole channel, Pa.
    """
    cell, oif = config.cell, config.cell.oif
    if oif is None:
        return []
    inertia = make_inertia(oif, config, lattice, units)
    ((body,),) = bodies(config)
    assert body.faces is not None
    mesh = largest_stiffness(make_oif_law(oif, body.nodes, body.faces, units), body.nodes / units.dx)
    # As in `sim.cell.wall_pressure`.
    load = (drop + 0.6 * cell.ks * 2 / config.channel.gap) * node_size(cell, config.numerics)
    wall = inertia.walls.stiffness(load / units.force)
    rate, number = inertia.friction / inertia.mass, verlet_number(inertia, mesh + wall)
    text = f"γ dt/m = {rate:.3g}, "
    if oif.friction_scheme == "explicit":
        friction = ("friction", rate, MAX_FRICTION_RATE, f"{text}explicit (≤ {MAX_FRICTION_RATE:g})")
    else:
        friction = ("friction", 0.0, MAX_FRICTION_RATE, f"{text}integrated exactly")
    text = (
        f"k dt²/m is {number:.3g} of the largest stable (≤ 1): mesh {mesh * units.tension:.3g} N/m, a wall that bears "
        f"the drive {wall * units.tension:.3g} N/m"
    )
    return [friction, ("motion of the nodes", number, 1.0, text)]


def largest_stiffness(law: Oif, x: np.ndarray) -> float:
    """Return the largest force per displacement of a membrane about `x` (V, 3): power iteration on its forces."""
    work = Workspace(law)
    forces, still = (np.empty_like(x), np.empty_like(x)), np.zeros_like(x)
    step = OFFSET * float(law.length0.mean())
    mode = np.random.default_rng(0).standard_normal(x.shape)
    stiffness = 0.0
    for _ in range(ITERATIONS):
        mode /= np.linalg.norm(mode)
        for sign, force in zip((1, -1), forces, strict=True):
            oif_forces(law, np.ascontiguousarray(x + sign * step * mode), still, force, work)
        mode = (forces[1] - forces[0]) / (2 * step)
        stiffness = float(np.linalg.norm(mode))
        if not stiffness:
            break
    return stiffness


def verlet_number(inertia: Inertia, stiffness: float) -> float:
    """Return g k dt²/m over 2 (1 + e), e = 1 - g γ dt/m: velocity Verlet with friction is stable below 1.

    Notes
    -----
    x'' = -k x/m and friction in a step: v becomes e v - g k dt x/m, x becomes x + dt v. The roots of
    z² - (1 + e - g k dt²/m) z + e are within the unit circle if 0 < g k dt²/m < 2 (1 + e). A fluid that gives way is
    left out, which is on the safe side.
    """
    left = 1 - inertia.damping * inertia.friction / inertia.mass
    return inertia.damping * stiffness / inertia.mass / (2 * (1 + left))
