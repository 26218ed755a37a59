"""What is kept of a run while it goes on, and when it is over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sim.cell import Ring
from sim.fluid import flow_rate, moments
from sim.observe import outline_measures
from sim.observe3d import membrane_measures, projected_outline
from sim.predict import exit_position, transit_time
from sim.trace import Outcome, Trace, columns

if TYPE_CHECKING:
    from sim.simulation import Model, State

ROUND_AGAIN = 0.02
"""The cell is round again when its deformation index is this close to the one it started with."""
STUCK_TRANSITS = 5.0
"""A cell is stuck when it moves less than a tenth of dx in this many transit times of the empty constriction."""


@dataclass(frozen=True)
class Sample:
    """What a caller sees while the simulation runs.

    Attributes
    ----------
    phase
        ``warm-up`` or ``squeeze``.
    fraction
        Done of the phase, estimated (0 to 1).
    values
        The newest row of the trace, SI; empty during the warm-up.
    detail
        One short line for people.
    """

    phase: str
    fraction: float
    values: dict[str, float]
    detail: str


class Recorder:
    """Collects samples and outlines, and decides when the run ends."""

    def __init__(self, model: Model, state: State) -> None:
        config, units = model.config, model.flight.units
        self.model = model
        every = float(config.output.every or 0.0)
        self.steps_per_sample = max(2, 2 * round(every / units.dt / 2))  # moments need an even number of steps
        channel = model.channel
        gap = channel.section(config.channel.constriction_length / 2)
        rate = flow_rate(state.drive.model, state.fluid, gap)
        self.depth = config.channel.depth if config.numerics.dimension == 2 else 1.0  # 2-D rates are per metre of it
        self.through = config.fluid.shear_rate is None
        # A fluid at rest has no velocity yet: the predicted one stands for it.
        known = self.through and config.numerics.start == "steady"
        self.gap_velocity = rate / len(gap) * units.velocity if known else model.flight.gap_velocity
        self.inlet = channel.section(config.channel.x_start)
        self.outer, *inner = (one.nodes for one in model.cells.membranes)
        self.nucleus = inner[0] if inner else None
        self.rows: list[dict[str, float]] = []
        self.snapshots: list[tuple[float, np.ndarray]] = []
        path = np.linspace(config.cell.start_x, exit_position(config), 501)
        self.path, self.path_time = path, transit_time(config, channel, self.gap_velocity, path)
        expected = model.flight.numbers["predicted_steps"] / self.steps_per_sample
        self.snapshot_stride = max(1, round(expected / config.output.snapshots))
        self.stuck_samples = int(
            STUCK_TRANSITS * config.channel.constriction_length / self.gap_velocity / (self.steps_per_sample * units.dt)
        )

    def record(self, state: State, slip: float, callbacks: tuple[Callable[[Sample], None], ...]) -> Outcome | None:
        """Take a sample; return the outcome if the run is over."""
        model, units = self.model, self.model.flight.units
        x = model.channel.to_si(state.cell.x)
        row = self._measure(state.cell.x[self.outer], x[self.outer])
        _, inlet = moments(state.drive.model, state.fluid, self.inlet)
        row["time"] = state.steps * units.dt
        row["flow_rate"] = float(inlet[:, 0].sum()) * units.flow_rate * self.depth
        row["pressure_drop"] = state.drive.force * units.force_density * model.channel.length
        row["slip"] = slip * units.velocity / self.gap_velocity
        row["wall_distance"] = state.cell.wall_distance * model.channel.dx
        if len(self.rows) % self.snapshot_stride == 0:
            self._keep_snapshot(row["time"], x)
        self.rows.append(row)
        outcome = self._outcome(row)
        if outcome is not None and self.snapshots[-1][0] != row["time"]:
            self.snapshots.append((row["time"], x))
        self._tell(row, callbacks)
        return outcome

    def _measure(self, x_lu: np.ndarray, x: np.ndarray) -> dict[str, float]:
        law = self.model.cells.membranes[0].law
        if isinstance(law, Ring):
            return outline_measures(x)
        outline = projected_outline(x, law.topology.edges)
        return outline_measures(outline) | membrane_measures(law, x_lu, x, self.model.flight.units)

    def _keep_snapshot(self, time: float, x: np.ndarray) -> None:
        """Keep an outline; when a slow run has twice as many as wanted, keep every second one from there on."""
        self.snapshots.append((time, x))
        if len(self.snapshots) > 2 * self.model.config.output.snapshots:
            self.snapshots = self.snapshots[::2]
            self.snapshot_stride *= 2

    def _outcome(self, row: dict[str, float]) -> Outcome | None:
        config = self.model.config
        channel, dx = config.channel, config.numerics.dx
        if not self.through:
            return Outcome.SHEARED if row["time"] > float(config.numerics.max_time or np.inf) else None
        stop = config.output.stop_x
        if stop is not None and row["rear_x"] > stop:
            return Outcome.REACHED
        left = row["rear_x"] > channel.x_exit
        if stop is None and left and abs(row["di"] - self.rows[0]["di"]) < ROUND_AGAIN:
            return Outcome.EXITED
        wraps = stop is not None and self.model.cells.inertia is not None
        if not wraps and row["front_x"] > channel.x_end - 3 * dx:
            return Outcome.OUTLET
        if row["time"] > float(config.numerics.max_time or np.inf):
            return Outcome.MAX_STEPS
        past = self.rows[-1 - self.stuck_samples] if len(self.rows) > self.stuck_samples else None
        if past is not None and row["x"] - past["x"] < 0.1 * dx:
            return Outcome.STUCK
        return None

    def _tell(self, row: dict[str, float], callbacks: tuple[Callable[[Sample], None], ...]) -> None:
        if not callbacks:
            return
        done = float(np.interp(row["x"], self.path, self.path_time) / self.path_time[-1])
        if not self.through:
            done = row["time"] / float(self.model.config.numerics.max_time or np.inf)
        detail = f"x = {1e6 * row['x']:.1f} µm, DI = {row['di']:.2f}, t = {1e3 * row['time']:.3f} ms"
        for callback in callbacks:
            callback(Sample("squeeze", done, row, detail))

    def trace(self, outcome: Outcome) -> Trace:
        """Return what was recorded; the velocity is the central difference of the centroid."""
        time = np.array([row["time"] for row in self.rows])
        names = columns(self.model.config.numerics.dimension)
        samples = {name: np.array([row[name] for row in self.rows]) for name in names if name not in ("vx", "vy")}
        for axis in ("x", "y"):
            samples["v" + axis] = np.gradient(samples[axis], time) if len(time) > 1 else np.zeros(1)
        nodes = np.array([x for _, x in self.snapshots])
        return Trace(
            samples={name: samples[name] for name in names},
            snapshot_time=np.array([time for time, _ in self.snapshots]),
            snapshots=nodes[:, self.outer],
            faces=self._faces(0),
            outcome=outcome,
            config=self.model.config,
            flow={**self.model.flight.numbers, "gap_velocity_m_per_s": self.gap_velocity},
            nucleus=None if self.nucleus is None else nodes[:, self.nucleus],
            nucleus_faces=None if self.nucleus is None else self._faces(1),
        )

    def _faces(self, membrane: int) -> np.ndarray:
        """Return the node indices of a membrane's triangles (F, 3), in 2-D of its edges (F, 2)."""
        one = self.model.cells.membranes[membrane]
        if isinstance(one.law, Ring):
            nodes = np.arange(one.nodes.stop - one.nodes.start)
            return np.stack([nodes, (nodes + 1) % len(nodes)], axis=1)
        return one.law.topology.faces.astype(np.int64)
