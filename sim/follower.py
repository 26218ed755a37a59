"""What is kept of one cell of a run, and what becomes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sim.cell import Ring
from sim.kernels import ibm, ibm3d
from sim.observe import outline_measures
from sim.observe3d import membrane_measures, projected_outline
from sim.preflight import cell_numbers
from sim.trace import Outcome, Trace, columns

if TYPE_CHECKING:
    from sim.simulation import Model

ROUND_AGAIN = 0.02
"""The cell is round again when its deformation index is this close to the one it started with."""


class Follower:
    """Follows one cell.

    Attributes
    ----------
    number
        Of the cell, from 0.
    rows
        Its samples so far, SI.
    outcome
        What became of it, as soon as that is known.
    """

    def __init__(self, model: Model, number: int) -> None:
        self.model, self.number = model, number
        self.membranes = [one for one in model.cells.membranes if one.cell == number]
        self.rows: list[dict[str, float]] = []
        self.outcome: Outcome | None = None

    def measure(self, x_lu: np.ndarray, x: np.ndarray) -> dict[str, float]:
        """Return what is measured of the cell, with all nodes of the run in lattice units and in m (V, d)."""
        outer = self.membranes[0]
        x_lu, x = x_lu[outer.nodes], x[outer.nodes]
        if isinstance(outer.law, Ring):
            return outline_measures(x)
        outline = projected_outline(x, outer.law.topology.edges)
        return outline_measures(outline) | membrane_measures(outer.law, x_lu, x, self.model.flight.units)

    def wall_distance(self, x_lu: np.ndarray) -> float:
        """Return the smallest distance of the cell's nodes from a wall, with all nodes of the run (V, d), dx."""
        x = np.concatenate([x_lu[one.nodes] for one in self.membranes])
        kernels: Any = ibm if x.shape[1] == 2 else ibm3d
        strides: tuple[Any, ...] = self.model.channel.grid.strides[1:]
        none = np.zeros(len(x))
        return kernels.add_wall_forces(x, self.model.channel.distance, *strides, none, 1.0, np.zeros_like(x))

    def add(self, row: dict[str, float], stuck_samples: int) -> None:
        """Keep a sample, and say what has become of the cell if it shows that."""
        self.rows.append(row)
        if self.outcome is None:
            self.outcome = self._decide(row, stuck_samples)

    def leave(self) -> None:
        """Say what has become of a cell that the end of the run found on its way."""
        if self.outcome is None:
            out = self.rows[-1]["rear_x"] > self.model.config.channel.x_exit
            self.outcome = Outcome.OUTLET if out else Outcome.UNFINISHED

    @property
    def at_outlet(self) -> bool:
        """Whether the cell has come to the end of the channel, and cannot go on from its start."""
        config = self.model.config
        wraps = config.output.stop_x is not None and self.model.cells.inertia is not None
        return not wraps and self.rows[-1]["front_x"] > config.channel.x_end - 3 * config.numerics.dx

    def _decide(self, row: dict[str, float], stuck_samples: int) -> Outcome | None:
        config = self.model.config
        channel, dx = config.channel, config.numerics.dx
        if config.fluid.shear_rate is not None:
            return Outcome.SHEARED if row["time"] > float(config.numerics.max_time or np.inf) else None
        stop = config.output.stop_x
        if stop is not None and row["rear_x"] > stop:
            return Outcome.REACHED
        left = row["rear_x"] > channel.x_exit
        if stop is None and left and abs(row["di"] - self.rows[0]["di"]) < ROUND_AGAIN:
            return Outcome.EXITED
        if self.at_outlet:
            return Outcome.OUTLET
        if row["time"] > float(config.numerics.max_time or np.inf):
            return Outcome.MAX_STEPS
        past = self.rows[-1 - stuck_samples] if len(self.rows) > stuck_samples else None
        if past is not None and row["x"] - past["x"] < 0.1 * dx:
            return Outcome.STUCK
        return None

    def trace(self, times: np.ndarray, nodes: np.ndarray, gap_velocity: float) -> Trace:
        """Return what was recorded; the velocity is the central difference of the centroid.

        Parameters
        ----------
        times, nodes
            Of the snapshots (S,), s, and all nodes of the run in them (S, V, d), m.
        gap_velocity
            Mean velocity in the empty gap, m/s.
        """
        time = np.array([row["time"] for row in self.rows])
        flight = self.model.flight
        names = columns(flight.config.numerics.dimension)
        samples = {name: np.array([row[name] for row in self.rows]) for name in names if name not in ("vx", "vy")}
        for axis in ("x", "y"):
            samples["v" + axis] = np.gradient(samples[axis], time) if len(time) > 1 else np.zeros(1)
        outer, *inner = self.membranes
        own = cell_numbers(flight, flight.config.all_cells[self.number])
        return Trace(
            samples={name: samples[name] for name in names},
            snapshot_time=times,
            snapshots=nodes[:, outer.nodes],
            faces=outer.faces,
            outcome=self.outcome or Outcome.UNFINISHED,
            config=flight.config,
            flow={**flight.numbers, **own, "gap_velocity_m_per_s": gap_velocity},
            nucleus=nodes[:, inner[0].nodes] if inner else None,
            nucleus_faces=inner[0].faces if inner else None,
            number=self.number,
        )
