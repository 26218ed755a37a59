"""Pressure drop of a slit between wide reservoirs."""

from __future__ import annotations

import numpy as np

from sim.cases import Curve, Result, Row, Tick, relative
from sim.cases.flow import Flow, viscosity
from sim.cases.reference import read_reference
from sim.lattice import D2Q9


def pressure_drop(
    h: int, length: int, reservoir: int, tau: float, precision: str, tick: Tick
) -> tuple[float, np.ndarray, np.ndarray]:
    """Return Δp h²/(μ Q) of a slit, and the pressure over Δp along its axis as positions over h and values.

    Parameters
    ----------
    h, length
        Height and length of the slit in nodes.
    reservoir
        Length of each reservoir and half the spacing of the slits, in heights of the slit.
    tau, precision
        Of the flow.
    tick
        Told about the progress.

    Notes
    -----
    A row of slits, periodic along both axes. The body force G acts everywhere, so that the pressure a flow
    between reservoirs at rest would have is p - G x, and Δp = G times the period.
    """
    wide, total = 2 * reservoir * h, length + 2 * reservoir * h
    inside = np.ones((total, wide), dtype=bool)
    first, bottom = (total - length) // 2, (wide - h) // 2
    inside[first : first + length] = False
    inside[first : first + length, bottom : bottom + h] = True
    nu = viscosity(tau)
    speed = 0.08 / h  # so that the Reynolds number of the slit is ½ on every grid at τ = 1
    drive = speed * nu / h * (12 * length / h + 10.2) / total
    flow = Flow(D2Q9, inside, (True, True), tau, (drive,), precision)
    middle = first + length // 2
    every = round(wide**2 / (4 * np.pi**2 * nu) / 4)
    flow.steady(lambda: flow.velocity()[middle].sum(), 1e-5, every, 400 * every, tick)
    density, (u, _) = flow.moments()
    rate = u.sum(axis=1).mean()
    x = np.arange(total) + 0.5
    rows = slice(bottom + h // 2 - 1, bottom + h // 2 + 1)
    pressure = (density[:, rows].mean(axis=1) - 1) / 3 - drive * (x - total / 2)
    return float(drive * total * h**2 / (nu * rate)), (x - total / 2) / h, pressure / (drive * total)


def contraction(
    *,
    tick: Tick,
    h: int = 24,
    lengths: tuple[float, ...] = (1.0, 3.0),
    reservoir: int = 3,
    tau: float = 1.0,
    precisions: tuple[str, ...] = ("float64", "float32"),
) -> Result:
    """Compare the pressure drop of slits of several lengths (over h) with entrance loss plus Poiseuille."""
    table = read_reference("contraction_stokes")
    rows: list[Row] = []
    curves: list[Curve] = []
    axes = ("x/h along the axis, from the middle of the slit", "(p - p₀)/Δp")
    runs = [(p, ratio) for p in precisions for ratio in (lengths if p == "float64" else lengths[:1])]
    for k, (precision, ratio) in enumerate(runs):
        start = k / len(runs)
        length = round(ratio * h)
        value, x, pressure = pressure_drop(
            h, length, reservoir, tau, precision, lambda done, at=start: tick(at + done / len(runs))
        )
        known = table["entrance"][0] + table["poiseuille"][0] * length / h
        case = f"slit, h = {h} nodes, L = {ratio:g} h, reservoirs {2 * reservoir} h high, {precision}: Δp h²/(μQ)"
        rows.append(relative(case, value, known, table.source, 0.05))
        if precision == "float64":
            curves.append(Curve("slit between reservoirs", axes, f"L = {ratio:g} h", x.tolist(), pressure.tolist()))
            slope = table["poiseuille"][0] / known
            ends = [-ratio / 2, ratio / 2]
            label = f"Poiseuille's slope, L = {ratio:g} h"
            curves.append(Curve("slit between reservoirs", axes, label, ends, [-slope * e for e in ends], True))
    return Result(tuple(rows), tuple(curves))
