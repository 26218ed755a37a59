"""Drag of a simple cubic array of spheres."""

from __future__ import annotations

import numpy as np
from scipy.interpolate import CubicSpline

from sim.boundary import Walls
from sim.cases import Curve, Result, Row, Tick, relative
from sim.cases.flow import Flow, centres, cut, viscosity
from sim.cases.reference import Table, read_reference
from sim.lattice import D3Q19

REYNOLDS = 0.05


def known_drag(table: Table, fraction: float) -> float:
    """Return K at a volume fraction, by a spline of ln K over φ^⅓ through Zick & Homsy, below them Hasimoto."""
    zick = table["k_zick_homsy"]
    known = np.where(np.isfinite(zick), zick, table["k_hasimoto"])
    x, y = np.concatenate(([0.0], np.cbrt(table["phi"]))), np.concatenate(([0.0], np.log(known)))
    return float(np.exp(CubicSpline(x, y)(np.cbrt(fraction))))


def drag(
    fraction: float, period: int, interpolated: bool, precision: str, tick: Tick, tau: float = 1.0
) -> tuple[float, float]:
    """Return the volume fraction that was met and K = F/(6 π μ a U) of an array of spheres.

    Parameters
    ----------
    fraction
        Volume fraction φ asked for.
    period
        Spacing of the spheres, lattice units.
    interpolated
        Whether walls cut the links where the sphere does, rather than half-way.
    precision, tau
        Of the flow.
    tick
        Told about the progress.

    Notes
    -----
    Half-way walls make a staircase: its radius a is that of a sphere of the volume of the solid nodes. F is the
    mean pressure gradient times the volume of a period, fluid and sphere together; U is the flow rate per area of
    the period. The Reynolds number 2 a U/ν is below REYNOLDS, so that K does not depend on it.
    """
    a = period * np.cbrt(3 * fraction / (4 * np.pi))
    x = centres(period) - period / 2
    inside = x[:, None, None] ** 2 + x[:, None] ** 2 + x**2 > a**2
    walls = Walls(fraction=lambda at, c: cut(at, c, np.full(3, period / 2), a)) if interpolated else None
    if not interpolated:
        fraction = 1 - np.count_nonzero(inside) / inside.size
        a = period * np.cbrt(3 * fraction / (4 * np.pi))
    nu = viscosity(tau)
    drive = 3 * np.pi * nu**2 * REYNOLDS / period**3
    flow = Flow(D3Q19, inside, (True, True, True), tau, (drive,), precision, walls=walls)
    every = round(period**2 / (4 * np.pi**2 * nu) / 2)
    flow.steady(lambda: flow.velocity().sum(), 1e-4, every, 100 * every, tick)
    superficial = flow.velocity().sum() / period**3
    return fraction, float(drive * period**3 / (6 * np.pi * nu * a * superficial))


def spheres(
    *,
    tick: Tick,
    half_way: tuple[float, ...] = (0.064,),
    interpolated: tuple[float, ...] = (0.064, 0.216),
    period: int = 30,
    precisions: tuple[str, ...] = ("float64", "float32"),
    tau: float = 1.0,
) -> Result:
    """Compare the drag with the tables at several volume fractions, with half-way and with interpolated walls."""
    table = read_reference("sphere_array_drag")
    rows: list[Row] = []
    runs = [(precisions[0], False, f) for f in half_way] + [(precisions[0], True, f) for f in interpolated]
    runs += [(p, bool(interpolated), (*half_way, *interpolated)[-1]) for p in precisions[1:]]
    found: dict[bool, list[tuple[float, float]]] = {False: [], True: []}
    for k, (precision, cuts, fraction) in enumerate(runs):
        met, value = drag(fraction, period, cuts, precision, lambda f, k=k: tick((k + f) / len(runs)), tau)
        wall = "interpolated" if cuts else "half-way"
        case = f"spheres, φ = {met:.4f}, period {period}, {wall} walls, {precision}: F/(6πμaU)"
        rows.append(relative(case, value, known_drag(table, met), table.source, 0.02))
        found[cuts].append((float(np.cbrt(met)), value))
    panel, axes = "simple cubic array of spheres", ("φ^⅓", "log:F/(6πμaU)")
    line = np.linspace(0.05, 0.65, 61)
    reference = [known_drag(table, x**3) for x in line]
    curves = [Curve(panel, axes, "Zick & Homsy 1982, Hasimoto 1959", line.tolist(), reference, True)]
    for cuts, label in ((False, "half-way walls"), (True, "interpolated walls")):
        if not found[cuts]:
            continue
        x, y = [p[0] for p in found[cuts]], [p[1] for p in found[cuts]]
        curves.append(Curve(panel, axes, f"{label}, period {period}", x, y, points=True))
    return Result(tuple(rows), tuple(curves))
