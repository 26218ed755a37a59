"""Drag of a sphere of nodes that rub on the fluid, as in the object-in-fluid model, against ESPResSo's own."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from scipy.optimize import brentq

from sim import mesh
from sim.cases import Curve, Result, Row, Tick, relative
from sim.cases.flow import Flow, relaxation_time, viscosity
from sim.cases.reference import read_reference
from sim.fluid import set_pieces, step
from sim.kernels import trilinear
from sim.kernels.pieces import mark
from sim.lattice import D3Q19
from sim.trilinear import Stencil, read_flow

_kernels: Any = trilinear
RADIUS = 4.0
"""Of the nodes, lattice units."""
STEP = 0.1
"""Length of a step in the reference's unit of time; its units of length and density are those of the lattice."""
PERIOD = 32
SPEED = 2e-4
"""About the mean flow, lattice units: Re 0.01."""
SETTLING = 8.0
"""Steps over the time in which momentum diffuses over a period, L²/4π²ν."""


def hydrodynamic_radius(resistance: float, period: float) -> float:
    """Return R of the simple cubic array of spheres whose drag is `resistance` times 6 π μ U, lattice units.

    Notes
    -----
    1/R - 2.837/L + (4π/3) R²/L³ - 27.4 R⁵/L⁶ (Hasimoto 1959); U is the superficial velocity.
    """

    def excess(r: float) -> float:
        inverse = 1 / r - 2.837297 / period + 4 * np.pi / 3 * r**2 / period**3 - 27.4 * r**5 / period**6
        return inverse - 1 / resistance

    return cast(float, brentq(excess, 0.1, period / 4))


def drag(friction: float, precision: str, tick: Tick) -> float:
    """Return the hydrodynamic radius of a fixed sphere of nodes over their distance from its centre.

    Parameters
    ----------
    friction
        γ of a node, lattice units.
    precision
        Of the flow.
    tick
        Told about the progress.

    Notes
    -----
    The flow starts uniform and is driven about as it takes; radius and drag are read when it has spread over the
    period, which is long before its mean stops changing.
    """
    tau = relaxation_time(STEP)
    nu = viscosity(tau)
    unit = mesh.icosphere(3, 2.0).nodes
    x = RADIUS * unit / np.linalg.norm(unit, axis=1)[:, None] + (PERIOD + 1) / 2
    drive = 6 * np.pi * nu * RADIUS * SPEED / PERIOD**3
    box = np.ones((PERIOD,) * 3, dtype=bool)
    flow = Flow(D3Q19, box, (True,) * 3, tau, (drive,), precision, magic=(tau - 0.5) / 2)  # odd modes as there
    velocity = np.zeros((3, PERIOD, PERIOD, PERIOD))
    velocity[0] = 0.7 * SPEED
    flow.set_populations(np.ones(velocity.shape[1:]), velocity)
    model, fluid, stencil = flow.model, flow.fluid, Stencil(len(x), flow.model)
    mark(x, 0, 1, np.zeros(3, dtype=bool), model.grid.interior, model.grid.shape, fluid.touched)
    set_pieces(model, fluid)
    still, force = np.zeros_like(x), np.zeros_like(x)
    steps = 2 * round(SETTLING * PERIOD**2 / (4 * np.pi**2 * nu) / 2)
    for count in range(steps):
        read_flow(stencil, x, model, fluid)
        force[:] = 0.0
        _kernels.rub(stencil.corner, stencil.share, *fluid.velocity, still, friction, 1.0, force, *fluid.force)
        step(model, fluid)
        if count % 200 == 0:
            tick(count / steps)
    mean = float(flow.velocity().mean())
    return hydrodynamic_radius(float(force[:, 0].sum()) / (6 * np.pi * nu * mean), PERIOD) / RADIUS


def spheres(*, tick: Tick, frictions: tuple[float, ...] = (0.2, 0.83, 2.0, 5.0), precision: str = "float32") -> Result:
    """Compare the radius at several frictions (nN µs/µm) with what ESPResSo gives."""
    table = read_reference("oif_drag")
    rows: list[Row] = []
    found: list[float] = []
    for k, friction in enumerate(frictions):
        found.append(drag(friction * STEP, precision, lambda f, k=k: tick((k + f) / len(frictions))))
        known = float(table.where(friction=friction)["ratio"][0])
        case = f"sphere of 642 nodes, γ = {friction:g} nN µs/µm: hydrodynamic radius over that of the nodes"
        rows.append(relative(case, found[-1], known, table.source, 0.01))
    panel, axes = "sphere of nodes with friction", ("γ (nN µs/µm)", "hydrodynamic radius / radius")
    reference = Curve(panel, axes, "ESPResSo", table["friction"].tolist(), table["ratio"].tolist(), True, True)
    return Result(tuple(rows), (reference, Curve(panel, axes, "here", list(frictions), found)))
