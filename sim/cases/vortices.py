"""Decaying Taylor–Green vortices: order of accuracy and viscosity."""

from __future__ import annotations

import numpy as np

from sim.cases import Curve, Result, Row, Tick, absolute, relative
from sim.cases.flow import Flow, viscosity
from sim.lattice import CS2, D2Q9

SPEED_64 = 0.01
"""Initial speed at 64²; it goes with 1/N (diffusive scaling), so that Mach's error falls as fast as the others."""


def vortices(size: int, time: float, speed: float, nu: float) -> tuple[np.ndarray, np.ndarray]:
    """Return density (x, y) and velocity (2, x, y) of the exact decaying vortices, lattice units.

    Notes
    -----
    u = -U cos kx sin ky exp(-2νk²t), v = U sin kx cos ky exp(-2νk²t) and
    p = -ρU²/4 (cos 2kx + cos 2ky) exp(-4νk²t), k = 2π/N (Taylor & Green 1937).
    """
    k = 2 * np.pi / size
    x, y = np.meshgrid(k * np.arange(size), k * np.arange(size), indexing="ij")
    decay = np.exp(-2 * nu * k**2 * time)
    velocity = speed * decay * np.array([-np.cos(x) * np.sin(y), np.sin(x) * np.cos(y)])
    density = 1 - (speed * decay) ** 2 / (4 * CS2) * (np.cos(2 * x) + np.cos(2 * y))
    return density, velocity


def _stress(size: int, tau: float, speed: float) -> np.ndarray:
    """Return the off-equilibrium populations (q, x, y) of the initial shear, -w_q τ/cs² (c_a c_b) ∂_a u_b."""
    k = 2 * np.pi / size
    x, y = np.meshgrid(k * np.arange(size), k * np.arange(size), indexing="ij")
    stretch = speed * k * np.sin(x) * np.sin(y)  # ∂u/∂x = -∂v/∂y; ∂u/∂y + ∂v/∂x = 0
    strength = -D2Q9.w * tau / CS2 * (D2Q9.c[:, 0] ** 2 - D2Q9.c[:, 1] ** 2)
    return strength[:, None, None] * stretch


def decay(size: int, tau: float, precision: str) -> tuple[float, float]:
    """Return the error of the velocity (rms over rms) after about one decay time, and the fitted ν over (τ - ½)/3."""
    nu, speed = viscosity(tau), SPEED_64 * 64 / size
    flow = Flow(D2Q9, np.ones((size, size), dtype=bool), (True, True), tau, (), precision)
    flow.set_populations(*vortices(size, 0.0, speed, nu), _stress(size, tau, speed))
    # The same physical time on all grids whose size is a multiple of eight.
    steps = 2 * max(2, round(8**2 / (8 * np.pi**2 * nu) / 2)) * (size // 8) ** 2
    pieces = (size // 8) ** 2
    times, energies = [], []
    for _ in range(pieces):
        flow.advance(steps // pieces)
        times.append(flow.fluid.steps)
        energies.append(np.log((flow.moments()[1] ** 2).sum()))
    u, exact = flow.moments()[1], vortices(size, flow.fluid.steps, speed, nu)[1]
    error = np.sqrt(((u - exact) ** 2).sum() / (exact**2).sum())
    rate = -np.polyfit(times, energies, 1)[0] / 4
    return float(error), float(rate / (2 * np.pi / size) ** 2 / nu)


def taylor_green(
    *,
    tick: Tick,
    sizes: tuple[int, ...] = (16, 32, 64),
    taus: tuple[float, ...] = (0.6, 1.0),
    precisions: tuple[str, ...] = ("float64", "float32"),
) -> Result:
    """Fit the order over grids of diffusive scaling, and the viscosity on the finest.

    Notes
    -----
    No order is fitted near τ = 0.8, where the leading errors in space and time cancel.
    """
    rows: list[Row] = []
    curves: list[Curve] = []
    axes = ("log:nodes across one period", "log:rms error of u over rms of u")
    runs = [(p, tau) for p in precisions for tau in taus]
    for k, (precision, tau) in enumerate(runs):
        tick(k / len(runs))
        errors, factors = np.array([decay(size, tau, precision) for size in sizes]).T
        order = -np.polyfit(np.log(sizes), np.log(errors), 1)[0]
        name = f"Taylor–Green, tau = {tau:g}, {precision}"
        rows.append(absolute(f"{name}: order, {sizes[0]}² to {sizes[-1]}²", order, 2.0, "second order", 0.1))
        source = "exact: decay exp(-2νk²t), ν = (τ - ½)/3"
        rows.append(relative(f"{name}: viscosity at {sizes[-1]}² over ν", factors[-1], 1.0, source, 1e-3))
        curves.append(
            Curve(
                "Taylor–Green",
                axes,
                f"τ = {tau:g}, {precision}",
                [float(n) for n in sizes],
                errors.tolist(),
                points=True,
            )
        )
    slope = [0.01 * (sizes[0] / n) ** 2 for n in sizes]
    curves.append(Curve("Taylor–Green", axes, "slope -2", list(map(float, sizes)), slope, True))
    return Result(tuple(rows), tuple(curves))
