"""Flow between plane walls under an oscillating force (Womersley)."""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy.interpolate import CubicSpline

from sim.cases import Curve, Result, Row, Tick, absolute, relative
from sim.cases.flow import Flow, centres, relaxation_time
from sim.cases.reference import read_reference
from sim.fluid import step
from sim.lattice import D2Q9

SAMPLES = 40
"""Samples of the last period."""
SPEED = 0.01


def response(alpha: float, height: int, tau: float, precision: str) -> np.ndarray:
    """Return the complex velocity over G H²/(2 μ) at the nodes across (height,), for the force G exp(iωt).

    Notes
    -----
    H is half the height, α = H √(ω/ν). The force of time t goes into the collision at t and into the
    velocity read at t.
    """
    half, nu = height / 2, (tau - 0.5) / 3
    # An even number of steps between samples; ν is adapted so that α is met.
    stride = 2 * max(1, round(np.pi * half**2 / (alpha**2 * nu) / SAMPLES))
    period = SAMPLES * stride
    omega = 2 * np.pi / period
    nu = omega * half**2 / alpha**2
    drive = SPEED * 2 * nu / half**2
    flow = Flow(D2Q9, np.ones((4, height), dtype=bool), (True, False), relaxation_time(nu), (), precision)
    settle = int(np.ceil(12 * half**2 / (np.pi**2 / 4 * nu) / period)) * period
    total = np.zeros(height, dtype=complex)
    steady = flow.model
    for n in range(settle + period):
        flow.model = dataclasses.replace(steady, force=(drive * np.cos(omega * n), 0.0))
        if n >= settle and n % stride == 0:
            total += flow.velocity()[0] * np.exp(-1j * omega * n)
        step(flow.model, flow.fluid)
    return total * 2 / SAMPLES / SPEED


def womersley(
    *,
    tick: Tick,
    alphas: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0),
    height: int = 32,
    tau: float = 0.8,
    precisions: tuple[str, ...] = ("float64", "float32"),
) -> Result:
    """Compare amplitude and phase with the closed solution at five distances from the middle."""
    table = read_reference("womersley_plane")
    rows: list[Row] = []
    curves: list[Curve] = []
    y = 2 * centres(height) / height - 1
    runs = [(p, alpha) for p in precisions for alpha in alphas]
    for k, (precision, alpha) in enumerate(runs):
        tick(k / len(runs))
        exact = table.where(alpha=alpha)
        spline = CubicSpline(np.concatenate(([-1], y, [1])), np.pad(response(alpha, height, tau, precision), 1))
        u = spline(exact["y_over_h"])
        ratio = abs(u) / exact["amplitude"]
        worst = int(np.argmax(abs(ratio - 1)))
        name = f"Womersley, α = {alpha:g}, {height} nodes, {precision}"
        place = f"at y/H = {exact['y_over_h'][worst]:g}"
        reference = exact["amplitude"][worst]
        rows.append(relative(f"{name}: amplitude {place}", ratio[worst] * reference, reference, table.source, 0.01))
        phase = np.degrees(np.angle(u))
        lag = (phase - exact["phase_deg"] + 180) % 360 - 180
        worst = int(np.argmax(abs(lag)))
        place = f"at y/H = {exact['y_over_h'][worst]:g}"
        reference = exact["phase_deg"][worst]
        rows.append(absolute(f"{name}: phase (deg) {place}", reference + lag[worst], reference, table.source, 1.0))
        if precision == "float64":
            line = np.linspace(0, 1, 101)
            values = spline(line)
            for panel, label, known, computed in (
                ("amplitude", "|u|/(G H²/2μ)", exact["amplitude"], abs(values)),
                ("phase", "phase of u (°)", exact["phase_deg"], np.degrees(np.angle(values[:-1]))),
            ):
                axes = ("y/H from the middle", label)
                x = exact["y_over_h"].tolist()
                curves.append(Curve(panel, axes, f"α = {alpha:g}", line[: len(computed)].tolist(), computed.tolist()))
                curves.append(Curve(panel, axes, "closed solution", x, known.tolist(), True, True))
    return Result(tuple(rows), tuple(curves))
