"""Flow in rectangular ducts against the series solution."""

from __future__ import annotations

import numpy as np
from scipy.interpolate import RectBivariateSpline

from sim.cases import Curve, Result, Row, Tick, absolute, relative
from sim.cases.flow import Flow, centres, viscosity
from sim.cases.reference import read_reference
from sim.lattice import D3Q19

LENGTH = 4
SPEED = 0.02
TERMS = np.arange(1, 400, 2) * np.pi


def conductance(w: float, h: float) -> float:
    """Return F of a duct, mean velocity = F G h²/(12 μ), h the shorter side: 1 - (192/π⁵)(h/w) Σ tanh(nπw/2h)/n⁵."""
    w, h = max(w, h), min(w, h)
    return float(1 - 192 * h / w * (np.tanh(TERMS * w / (2 * h)) / TERMS**5).sum())


def profile(w: float, h: float, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Return u μ/(G h²) in a duct 0 < y < h, 0 < z < w, y and z of equal shape.

    Notes
    -----
    u = (4 G h²/μ) Σ over odd n of (1 - cosh(nπ(z - w/2)/h)/cosh(nπw/2h)) sin(nπy/h)/(nπ)³.
    """
    n = TERMS.reshape((-1,) + (1,) * np.ndim(y))
    # cosh(a)/cosh(b) with a ≤ b, without overflow.
    a, b = n * abs(z - w / 2) / h, n * w / (2 * h)
    ratio = np.exp(a - b) * (1 + np.exp(-2 * a)) / (1 + np.exp(-2 * b))
    return 4 * ((1 - ratio) * np.sin(n * y / h) / n**3).sum(axis=0)


def section(u: np.ndarray) -> tuple[RectBivariateSpline, float]:
    """Return the velocity across a duct (h, w) as a spline that is zero on the walls, and its mean."""
    h, w = u.shape
    y = np.concatenate(([0.0], centres(h), [h]))
    z = np.concatenate(([0.0], centres(w), [w]))
    spline = RectBivariateSpline(y, z, np.pad(u, 1))
    return spline, float(spline.integral(0, h, 0, w)) / (h * w)


def flow_in_duct(h: int, w: int, tau: float, precision: str) -> np.ndarray:
    """Return u μ/(G h²) at the nodes (h, w) of a duct under a constant force."""
    nu = viscosity(tau)
    drive = SPEED * 8 * nu / h**2
    flow = Flow(D3Q19, np.ones((LENGTH, h, w), dtype=bool), (True, False, False), tau, (drive,), precision)
    flow.advance(int(25 * h**2 / (np.pi**2 * nu)))
    return flow.velocity()[0] * nu / (drive * h**2)


def ducts(
    *,
    tick: Tick,
    tau: float = 1.0,
    precisions: tuple[str, ...] = ("float64", "float32"),
    square: tuple[int, ...] = (10, 20),
    paper: tuple[tuple[int, int], ...] = ((10, 38), (13, 50), (26, 100)),
) -> Result:
    """Compare flow rate and largest velocity with the series, and see the error fall with the square of the spacing.

    Notes
    -----
    13 × 50 nodes is 5.2 × 20 exactly; 10 × 38 misses the ratio by 1.2 %, which is part of the error shown.
    """
    table = read_reference("duct_series")
    rows: list[Row] = []
    curves: list[Curve] = []
    shapes = [((1.0, 1.0), [(n, n) for n in square]), ((20.0, 5.2), list(paper))]
    runs = [(p, sides, sizes) for p in precisions for sides, sizes in shapes]
    for k, (precision, sides, sizes) in enumerate(runs):
        tick(k / len(runs))
        exact = table.where(w=sides[0], h=sides[1])
        errors = []
        for h, w in sizes:
            u = flow_in_duct(h, w, tau, precision)
            spline, mean = section(u)
            name = f"duct {sides[0]:g}:{sides[1]:g}, {h} × {w} nodes, {precision}"
            rows.append(relative(f"{name}: F = 12μū/(Gh²)", 12 * mean, exact["factor"][0], table.source, 0.01))
            ratio = float(spline(h / 2, w / 2)[0, 0]) / mean
            rows.append(relative(f"{name}: u_max/ū", ratio, exact["max_over_mean"][0], table.source, 0.01))
            y, z = np.meshgrid(centres(h), centres(w), indexing="ij")
            known = profile(w, h, y, z)
            errors.append(np.sqrt(((u - known) ** 2).sum() / (known**2).sum()))
            if precision == precisions[0]:
                curves += _curves(u, known, sides, (h, w))
        if precision == "float64":
            heights = [h for h, _ in sizes]
            order = -np.polyfit(np.log(heights), np.log(errors), 1)[0]
            name = f"duct {sides[0]:g}:{sides[1]:g}, {heights[0]} to {heights[-1]} nodes, {precision}"
            rows.append(absolute(f"{name}: order of the profile's rms error", order, 2.0, "second order", 0.1))
    return Result(tuple(rows), tuple(curves))


def _curves(u: np.ndarray, known: np.ndarray, sides: tuple[float, float], size: tuple[int, int]) -> list[Curve]:
    """Return the profiles along the short side, in the middle of the long one."""
    h, w = size
    panel, axes = f"duct {sides[0]:g}:{sides[1]:g}", ("y/h, along the short side", "u μ/(G h²) at the middle of the long side")
    y = np.linspace(0, h, 101)
    x = (centres(h) / h).tolist()
    middle = (u[:, (w - 1) // 2] + u[:, w // 2]) / 2
    line = profile(w, h, y, np.full(101, w / 2))
    exact = Curve(panel, axes, "series", (y / h).tolist(), line.tolist(), True)
    del known
    return [exact, Curve(panel, axes, f"{h} × {w} nodes", x, middle.tolist(), points=True)]
