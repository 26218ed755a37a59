"""Flow between plane walls: Poiseuille and Couette, which half-way bounce-back can make exact."""

from __future__ import annotations

from typing import Any

import numpy as np

from sim.boundary import Walls
from sim.cases import Curve, Result, Row, Tick, absolute, relative
from sim.cases.flow import Flow, centres, viscosity
from sim.cases.reference import read_reference
from sim.lattice import D2Q9

LENGTH = 4
"""Nodes along the periodic x; nothing changes along it."""
EXACT = {"float64": 1e-8, "float32": 1e-4}
"""What "exact" means: largest error over the largest velocity."""
SPEED = 0.02
Y_AXIS, U_AXIS = "y/h", "u/u(h/2)"


def _channel(height: int, tau: float, precision: str, drive: float = 0.0, **options: Any) -> Flow:
    inside = np.ones((LENGTH, height), dtype=bool)
    flow = Flow(D2Q9, inside, (True, False), tau, (drive,), precision, **options)
    # The slowest mode decays as exp(-π² ν t/h²).
    flow.advance(int(30 * height**2 / (np.pi**2 * viscosity(tau))))
    return flow


def parabola(height: int, tau: float, magic: float | None, precision: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the computed and the exact velocity over that at the middle of a plane channel (height,).

    Notes
    -----
    Exact: u = G y (h - y)/(2 ν) with the walls half a node beyond the first and last fluid nodes.
    """
    drive = SPEED * 8 * viscosity(tau) / height**2
    flow = _channel(height, tau, precision, drive, magic=magic)
    y = centres(height)
    return flow.velocity()[0] / SPEED, drive * y * (height - y) / (2 * viscosity(tau)) / SPEED


def poiseuille(
    *,
    tick: Tick,
    heights: tuple[int, ...] = (8, 16),
    taus: tuple[float, ...] = (0.55, 0.8, 1.0, 2.0),
    precisions: tuple[str, ...] = ("float64", "float32"),
) -> Result:
    """Compute plane Poiseuille flow.

    Notes
    -----
    Two relaxation times with Λ = 3/16 put the wall exactly half-way (Ginzburg); otherwise the largest error
    over the middle velocity is |16 Λ - 3|/(3 h²), with Λ = (τ - ½)² for BGK.
    """
    rows: list[Row] = []
    curves: list[Curve] = []
    runs = [(p, h, tau) for p in precisions for h in heights for tau in taus]
    for k, (precision, height, tau) in enumerate(runs):
        tick(k / len(runs))
        u, exact = parabola(height, tau, 3 / 16, precision)
        name = f"Poiseuille, TRT, h = {height}, tau = {tau:g}, {precision}: largest error"
        rows.append(absolute(name, abs(u - exact).max(), 0.0, "exact: u = G y(h - y)/2μ", EXACT[precision]))
    rows += _predicted_errors(heights, precisions)
    height = heights[0]
    y = np.linspace(0, 1, 101)
    curves.append(Curve("Poiseuille", (Y_AXIS, U_AXIS), "exact", y.tolist(), (4 * y * (1 - y)).tolist(), True))
    for label, tau, magic in (("TRT, τ = 2", 2.0, 3 / 16), ("BGK, τ = 1", 1.0, None), ("BGK, τ = 2", 2.0, None)):
        u, _ = parabola(height, tau, magic, "float64")
        points = (centres(height) / height).tolist()
        curves.append(Curve("Poiseuille", (Y_AXIS, U_AXIS), label, points, u.tolist(), points=True))
    return Result(tuple(rows), tuple(curves))


def _predicted_errors(heights: tuple[int, ...], precisions: tuple[str, ...]) -> list[Row]:
    """Return how the error compares with the prediction where walls are not exact."""
    table = read_reference("poiseuille_bounceback")
    rows = []
    for height, tau, magic, predicted in zip(
        *(table[name] for name in ("h", "tau", "magic", "predicted")), strict=True
    ):
        if predicted == 0 or height not in heights:
            continue
        for precision in precisions:
            u, exact = parabola(int(height), tau, None if magic == (tau - 0.5) ** 2 else magic, precision)
            name = f"Poiseuille, BGK, h = {height:g}, tau = {tau:g}, {precision}: largest error"
            rows.append(relative(name, abs(u - exact).max(), predicted, "predicted: |16Λ - 3|/(3h²)", 0.01))
    return rows


def couette(
    *,
    tick: Tick,
    height: int = 16,
    taus: tuple[float, ...] = (0.6, 1.0, 2.0),
    precisions: tuple[str, ...] = ("float64", "float32"),
) -> Result:
    """Compute the shear between walls that move in opposite directions, and the force on them.

    Notes
    -----
    Exact: u = U (2 y/h - 1), force on the upper wall -2 ρ ν U/h per length.
    """

    def walls(x: np.ndarray) -> np.ndarray:
        return np.stack([np.where(x[:, 1] > height / 2, SPEED, -SPEED), np.zeros(len(x))], axis=1)

    y = centres(height)
    exact = 2 * y / height - 1
    rows = []
    curves = [Curve("Couette", (Y_AXIS, "u/U"), "exact", [0.0, 1.0], [-1.0, 1.0], True)]
    runs = [(p, tau) for p in precisions for tau in taus]
    for k, (precision, tau) in enumerate(runs):
        tick(k / len(runs))
        flow = _channel(height, tau, precision, walls=Walls(velocity=walls))
        u = flow.velocity()[0] / SPEED
        name = f"Couette, h = {height}, tau = {tau:g}, {precision}"
        source = "exact: u = U(2y/h - 1)"
        rows.append(absolute(f"{name}: largest error", abs(u - exact).max(), 0.0, source, EXACT[precision]))
        drag = flow.wall_force(lambda x: x[:, 1] > height / 2)[0] / LENGTH
        stress = -2 * viscosity(tau) * SPEED / height
        rows.append(
            absolute(f"{name}: wall force over ρνU/h", drag / stress * -2, -2.0, "exact: 2ρνU/h", EXACT[precision])
        )
        if precision == "float64":
            points = (y / height).tolist()
            curves.append(Curve("Couette", (Y_AXIS, "u/U"), f"τ = {tau:g}", points, u.tolist(), points=True))
    return Result(tuple(rows), tuple(curves))
