"""What is kept of a run while it goes on, and when it is over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from sim.fields import FieldKeeper
from sim.fluid import flow_rate, moments
from sim.follower import Follower
from sim.predict import exit_position, transit_time, whole_path
from sim.trace import Outcome, Trace

if TYPE_CHECKING:
    from sim.simulation import Model, State

STUCK_TRANSITS = 5.0
"""A cell is stuck when it moves less than a tenth of dx in this many transit times of the empty constriction."""
HALTING = (Outcome.STUCK, Outcome.MAX_STEPS)
"""Outcomes of one cell that end the run for all."""


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
        The newest row of the trace, of several cells that of the last one that is not out, SI; empty during the
        warm-up.
    detail
        One short line for people.
    """

    phase: str
    fraction: float
    values: dict[str, float]
    detail: str


class Recorder:
    """Collects samples and outlines, and decides when the run ends."""

    def __init__(self, model: Model, state: State, fields: FieldKeeper | None = None) -> None:
        config, units = model.config, model.flight.units
        self.model, self.fields = model, fields
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
        self.cells = [Follower(model, number) for number in range(len(config.all_cells))]
        self.snapshots: list[tuple[float, np.ndarray]] = []
        path = whole_path(config, exit_position(config), 501)
        self.path, self.path_time = path, transit_time(config, channel, self.gap_velocity, path)
        expected = model.flight.numbers["predicted_steps"] / self.steps_per_sample
        self.snapshot_stride = max(1, round(expected / config.output.snapshots))
        patience = STUCK_TRANSITS * config.channel.constriction_length / self.gap_velocity
        self.stuck_samples = max(1, int(patience / (self.steps_per_sample * units.dt)))

    @property
    def count(self) -> int:
        """Samples so far."""
        return len(self.cells[0].rows)

    @property
    def snapshot_times(self) -> list[float]:
        """Times of the kept outlines, s."""
        return [time for time, _ in self.snapshots]

    def record(self, state: State, slip: float, callbacks: tuple[Callable[[Sample], None], ...]) -> bool:
        """Take a sample; return whether the run is over."""
        x = self.model.channel.to_si(state.cell.x)
        common = self._measure_flow(state, slip)
        if self.count % self.snapshot_stride == 0:
            self._keep_snapshot(common["time"], x)
        for cell in self.cells:
            row = cell.measure(state.cell.x, x) | common
            if len(self.cells) > 1:
                row["wall_distance"] = cell.wall_distance(state.cell.x) * self.model.channel.dx
            cell.add(row, self.stuck_samples)
        over = self._is_over()
        for cell in self.cells if over else ():
            cell.leave()
        if over and self.snapshots[-1][0] != common["time"]:
            self.snapshots.append((common["time"], x))
        if self.fields is not None and self.snapshots[-1][0] == common["time"]:
            self.fields.follow(self.snapshot_times, self.model, state)
        self._tell(callbacks)
        return over

    def _measure_flow(self, state: State, slip: float) -> dict[str, float]:
        """Return what all cells have in common."""
        model, units = self.model, self.model.flight.units
        _, inlet = moments(state.drive.model, state.fluid, self.inlet)
        return {
            "time": state.steps * units.dt,
            "flow_rate": float(inlet[:, 0].sum()) * units.flow_rate * self.depth,
            "pressure_drop": state.drive.force * units.force_density * model.channel.length,
            "slip": slip * units.velocity / self.gap_velocity,
            "wall_distance": state.cell.wall_distance * model.channel.dx,
        }

    def _keep_snapshot(self, time: float, x: np.ndarray) -> None:
        """Keep an outline; when a slow run has twice as many as wanted, keep every second one from there on."""
        self.snapshots.append((time, x))
        if len(self.snapshots) > 2 * self.model.config.output.snapshots:
            self.snapshots = self.snapshots[::2]
            self.snapshot_stride *= 2

    def _is_over(self) -> bool:
        """Return whether all cells are done, or one of them keeps the others from being so."""
        if all(cell.outcome is not None for cell in self.cells):
            return True
        return any(cell.outcome in HALTING or (self.through and cell.at_outlet) for cell in self.cells)

    def _tell(self, callbacks: tuple[Callable[[Sample], None], ...]) -> None:
        """Tell how far the last of the cells that are not out has come."""
        if not callbacks:
            return
        waiting = [cell for cell in self.cells if cell.outcome is None] or self.cells
        last = min(waiting, key=lambda cell: cell.rows[-1]["x"])
        row = last.rows[-1]
        done = float(np.interp(row["x"], self.path, self.path_time) / self.path_time[-1])
        if not self.through:
            done = row["time"] / float(self.model.config.numerics.max_time or np.inf)
        which = "" if len(self.cells) == 1 else f"cell {last.number + 1} of {len(self.cells)}: "
        detail = f"{which}x = {1e6 * row['x']:.1f} µm, DI = {row['di']:.2f}, t = {1e3 * row['time']:.3f} ms"
        for callback in callbacks:
            callback(Sample("squeeze", done, row, detail))

    def trace(self) -> Trace:
        """Return what was recorded."""
        times, nodes = np.array(self.snapshot_times), np.array([x for _, x in self.snapshots])
        first, *others = (cell.trace(times, nodes, self.gap_velocity) for cell in self.cells)
        return replace(first, others=tuple(others))
