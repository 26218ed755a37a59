"""Drag of a simple cubic array of spheres."""

from __future__ import annotations

import numpy as np
from scipy.interpolate import CubicSpline

from sim.cases import Curve, Result, Row, Tick, relative
from sim.cases.flow import Flow, centres, viscosity
from sim.cases.reference import Table, read_reference
from sim.lattice import D3Q19


def known_drag(table: Table, fraction: float) -> float:
    """Return K at a volume fraction, by a spline of ln K over φ^⅓ through Zick & Homsy, below them Hasimoto."""
    zick = table["k_zick_homsy"]
    known = np.where(np.isfinite(zick), zick, table["k_hasimoto"])
    x, y = np.concatenate(([0.0], np.cbrt(table["phi"]))), np.concatenate(([0.0], np.log(known)))
    return float(np.exp(CubicSpline(x, y)(np.cbrt(fraction))))


def drag(fraction: float, period: int, tau: float, precision: str, tick: Tick) -> tuple[float, float]:
    """Return the volume fraction that was met and K = F/(6 π μ a U) of an array of spheres.

    Parameters
    ----------
    fraction
        Volume fraction φ asked for.
    period
        Spacing of the spheres, lattice units.
    tau, precision
        Of the flow.
    tick
        Told about the progress.

    Notes
    -----
    The radius a is that of a sphere of the volume of the solid nodes. F is the mean pressure gradient times the
    volume of a period, fluid and sphere together; U is the flow rate per area of the period.
    """
    a = period * np.cbrt(3 * fraction / (4 * np.pi))
    x = centres(period) - period / 2
    inside = x[:, None, None] ** 2 + x[:, None] ** 2 + x**2 > a**2
    solid = period**3 - np.count_nonzero(inside)
    a = np.cbrt(3 * solid / (4 * np.pi))
    nu = viscosity(tau)
    drive = 0.01 * 6 * np.pi * nu * a / period**3
    flow = Flow(D3Q19, inside, (True, True, True), tau, (drive,), precision)
    every = round(period**2 / (4 * np.pi**2 * nu) / 2)
    flow.steady(lambda: flow.velocity().sum(), 1e-5, every, 100 * every, tick)
    superficial = flow.velocity().sum() / period**3
    return solid / period**3, float(drive * period**3 / (6 * np.pi * nu * a * superficial))


def spheres(
    *,
    tick: Tick,
    fractions: tuple[float, ...] = (0.027, 0.064, 0.125, 0.216),
    period: int = 30,
    tau: float = 1.0,
    precisions: tuple[str, ...] = ("float64", "float32"),
) -> Result:
    """Compare the drag with the tables at several volume fractions."""
    table = read_reference("sphere_array_drag")
    rows: list[Row] = []
    curves: list[Curve] = []
    axes = ("φ^⅓", "log:K = F/(6πμaU)")
    runs = [(p, fraction) for p in precisions for fraction in (fractions if p == "float64" else fractions[1:2])]
    found = []
    for k, (precision, fraction) in enumerate(runs):
        start = k / len(runs)
        met, value = drag(fraction, period, tau, precision, lambda done, at=start: tick(at + done / len(runs)))
        case = f"spheres, φ = {fraction:g}, period {period}, {precision}: K at φ = {met:.4f}"
        rows.append(relative(case, value, known_drag(table, met), table.source, 0.02))
        found.append((np.cbrt(met), value))
    line = np.linspace(0.05, 0.65, 61)
    reference = [known_drag(table, x**3) for x in line]
    curves.append(Curve("simple cubic array", axes, "Zick & Homsy 1982, Hasimoto 1959", line.tolist(), reference, True))
    x, y = zip(*found, strict=True)
    curves.append(Curve("simple cubic array", axes, f"period {period}", list(map(float, x)), list(y), points=True))
    return Result(tuple(rows), tuple(curves))
