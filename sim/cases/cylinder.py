"""Flow around a cylinder in a channel (Schäfer & Turek): steady drag and pressure, and the vortex street."""

from __future__ import annotations

import numpy as np

from sim.boundary import Walls
from sim.cases import Curve, Result, Row, Tick, absolute, relative
from sim.cases.flow import Flow, centres, cut, relaxation_time
from sim.cases.reference import read_reference
from sim.lattice import D2Q9

LENGTH, HEIGHT, CENTRE = 22.0, 4.1, 2.0
"""Length and height of the channel, and distance of the cylinder from inlet and lower wall, in diameters."""


class Cylinder:
    """The set-up: parabolic inflow, constant pressure at the outlet, interpolated bounce-back on the circle.

    Attributes
    ----------
    flow
        Starts as the parabola of the inflow.
    diameter, speed
        Nodes across the cylinder, and the mean velocity of the inflow in lattice units.
    """

    def __init__(self, reynolds: float, diameter: int, speed: float, precision: str, radius: float = 0.5) -> None:
        nx, ny = round(LENGTH * diameter), round(HEIGHT * diameter)
        self.diameter, self.speed, self.radius = diameter, speed, radius * diameter
        self.centre = np.full(2, CENTRE * diameter)
        x, y = centres(nx), centres(ny)
        self.inside = np.hypot(x[:, None] - self.centre[0], y - self.centre[1]) > self.radius

        def parabola(height: np.ndarray) -> np.ndarray:
            return 6 * speed * height * (ny - height) / ny**2

        def velocity(at: np.ndarray) -> np.ndarray:
            inflow = np.where(at[:, 0] < 0.25, parabola(np.clip(at[:, 1], 0, ny)), 0.0)
            return np.stack([inflow, np.zeros(len(at))], axis=1)

        def outlet(at: np.ndarray) -> np.ndarray:
            return np.where((at[:, 0] > nx - 0.25) & (at[:, 1] > 0.25) & (at[:, 1] < ny - 0.25), 1.0, np.nan)

        walls = Walls(velocity, lambda at, c: cut(at, c, self.centre, self.radius), outlet)
        tau = relaxation_time(speed * diameter / reynolds)
        self.flow = Flow(D2Q9, self.inside, (False, False), tau, (), precision, walls=walls)
        start = np.zeros((2, nx, ny))
        start[0] = np.where(self.inside, parabola(y), 0.0)
        self.flow.set_populations(np.ones((nx, ny)), start)

    def forces(self) -> np.ndarray:
        """Return the drag and lift coefficients F/(½ ρ U² D)."""
        near = lambda x: np.hypot(*(x - self.centre).T) < self.radius + 1.5  # noqa: E731
        return self.flow.wall_force(near) / (0.5 * self.speed**2 * self.diameter)

    def pressure_difference(self) -> float:
        """Return the pressure in front of the cylinder minus that behind it, over ρ U²."""
        density, _ = self.flow.moments()
        j = int(self.centre[1])
        row = density[:, j] if self.centre[1] % 1 else density[:, j - 1 : j + 1].mean(axis=1)
        x = centres(len(row))
        free = self.inside[:, j - 1 : j + 1].all(axis=1)
        values = []
        for side in (-1, 1):
            surface = self.centre[0] + side * self.radius
            beyond = np.flatnonzero(free & (side * (x - surface) > 0))
            nearest = beyond[np.argsort(abs(x[beyond] - surface))[:3]]
            values.append(np.polyval(np.polyfit(x[nearest] - surface, row[nearest], 2), 0.0))
        return float(values[0] - values[1]) / 3 / self.speed**2


def steady(
    *, tick: Tick, diameter: int = 20, speed: float = 0.02, precision: str = "float64", radius: float = 0.5
) -> Result:
    """Compute benchmark 2D-1: Re = 20, drag and pressure difference.

    Parameters
    ----------
    diameter
        Nodes across the nominal cylinder.
    speed
        Mean velocity of the inflow, lattice units.
    radius
        Radius of the cylinder that is really there, in nominal diameters.
    """
    table = read_reference("schaefer_turek").where(case="2D-1")
    cylinder = Cylinder(20.0, diameter, speed, precision, radius)
    turn = 2 * round(diameter / speed)
    history: list[np.ndarray] = []

    def read() -> np.ndarray:
        history.append(cylinder.forces())
        return np.array([history[-1][0], cylinder.pressure_difference()])

    cylinder.flow.steady(read, 2e-5, turn, 150 * turn, tick)
    drag, pressure = read()
    case = f"cylinder 2D-1, Re 20, {diameter} nodes, {precision}"
    known = {name: table.where(quantity=name)["value"][0] for name in ("drag", "pressure_difference")}
    si_pressure = pressure * 0.2**2  # published for 0.2 m/s and 1 kg/m³
    rows = (
        relative(f"{case}: drag coefficient", drag, known["drag"], table.source, 0.01),
        relative(f"{case}: Δp (Pa)", si_pressure, known["pressure_difference"], table.source, 0.01),
    )
    time = [2.0 * k for k in range(len(history))]
    axes = ("t U/D", "drag coefficient")
    ends = [time[0], time[-1]]
    curves = (
        Curve("cylinder, Re 20", axes, f"{diameter} nodes, {precision}", time[1:], [float(c[0]) for c in history[1:]]),
        Curve("cylinder, Re 20", axes, "reference", ends, [known["drag"]] * 2, True),
    )
    return Result(rows, curves)


def vortex_street(
    *,
    tick: Tick,
    diameter: int = 20,
    speed: float = 0.06,
    precision: str = "float32",
    radius: float = 0.5,
    drag_too: bool = False,
) -> Result:
    """Compute benchmark 2D-2: Re = 100, Strouhal number of the vortex street.

    Parameters
    ----------
    diameter, speed, radius
        As in `steady`.
    drag_too
        Whether to hold the largest drag to 2 % as well, which takes 30 nodes or more across the cylinder.
    """
    table = read_reference("schaefer_turek").where(case="2D-2")
    cylinder = Cylinder(100.0, diameter, speed, precision, radius)
    every = 2 * max(1, round(diameter / speed / 80))
    duration = 90.0  # in D/U: the street is fully grown after about 60
    forces = []
    samples = round(duration * diameter / speed / every)
    for k in range(samples):
        tick(k / samples)
        cylinder.flow.advance(every)
        forces.append(cylinder.forces())
    time = (1 + np.arange(samples)) * every * speed / diameter
    drag, lift = np.array(forces).T
    late = time > duration - 20
    strouhal = frequency(time[late], lift[late])
    case = f"cylinder 2D-2, Re 100, {diameter} nodes, {precision}"
    known = {name: table.where(quantity=name)["value"][0] for name in ("drag_max", "strouhal")}
    rows: list[Row] = [absolute(f"{case}: Strouhal number", strouhal, known["strouhal"], table.source, 0.005)]
    if drag_too:
        rows.append(
            relative(f"{case}: largest drag coefficient", drag[late].max(), known["drag_max"], table.source, 0.02)
        )
    label = f"{diameter} nodes, {precision}"
    return Result(tuple(rows), _street_curves(time, drag, lift, label, known["drag_max"]))


def _street_curves(
    time: np.ndarray, drag: np.ndarray, lift: np.ndarray, label: str, largest: float
) -> tuple[Curve, ...]:
    """Return drag and lift over time, and the largest drag that is known."""
    panel, axes = "cylinder, Re 100", ("t U/D", "coefficient")
    shown = time > 20  # sound of the sudden start dies away
    return (
        Curve(panel, axes, f"drag, {label}", time[shown].tolist(), drag[shown].tolist()),
        Curve(panel, axes, f"lift, {label}", time[shown].tolist(), lift[shown].tolist()),
        Curve(panel, axes, "largest drag, reference", [20.0, float(time[-1])], [largest] * 2, True),
    )


def frequency(time: np.ndarray, signal: np.ndarray) -> float:
    """Return the mean frequency of a signal from its upward crossings of its mean."""
    off = signal - (signal.max() + signal.min()) / 2
    up = np.flatnonzero((off[:-1] < 0) & (off[1:] >= 0))
    crossing = time[up] - off[up] * (time[up + 1] - time[up]) / (off[up + 1] - off[up])
    if len(crossing) < 3:
        return float("nan")
    return float((len(crossing) - 1) / (crossing[-1] - crossing[0]))
