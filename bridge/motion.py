"""A simulated cell at any time: between snapshots its shape is interpolated, its place follows the dense trace."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from bridge.path import Pose
    from sim.trace import Trace


class Motion:
    """Where a cell's membrane is at any time of its run.

    Parameters
    ----------
    trace
        The run.

    Notes
    -----
    The nodes' places relative to the centroid go through the snapshots as monotone cubics (Fritsch and Carlson
    1980, `scipy.interpolate.PchipInterpolator`), which do not overshoot; the centroid is that of the trace's
    samples, which are many times denser.
    """

    def __init__(self, trace: Trace) -> None:
        from scipy.interpolate import PchipInterpolator

        self._trace = trace
        place = self._place(trace.snapshot_time)
        self._shape = PchipInterpolator(trace.snapshot_time, trace.snapshots - place)
        inner = trace.nucleus
        self._nucleus = None if inner is None else PchipInterpolator(trace.snapshot_time, inner - place)

    @property
    def start(self) -> float:
        """First time at which the cell is known (s)."""
        return float(self._trace.snapshot_time[0])

    @property
    def end(self) -> float:
        """Last time at which the cell is known (s)."""
        return float(self._trace.snapshot_time[-1])

    def pose(self, time: float) -> Pose:
        """Return the membrane at a time (s) between `start` and `end`."""
        from bridge.path import Pose

        place = self._place(np.array([time]))[0]
        nucleus = None if self._nucleus is None else self._nucleus(time) + place
        trace = self._trace
        return Pose(self._shape(time) + place, trace.snapshots[0], trace.faces, nucleus, trace.nucleus_faces)

    def velocity(self, time: float) -> tuple[float, float]:
        """Return the velocity of the centroid along x and y at a time (m/s)."""
        trace = self._trace
        return tuple(float(np.interp(time, trace["time"], trace[name])) for name in ("vx", "vy"))  # type: ignore[return-value]

    def _place(self, time: np.ndarray) -> np.ndarray:
        """Return the centroid at some times (T, 1, d), m; the depth is left to the shape."""
        trace = self._trace
        place = np.zeros((len(time), 1, trace.snapshots.shape[2]))
        place[:, 0, 0] = np.interp(time, trace["time"], trace["x"])
        place[:, 0, 1] = np.interp(time, trace["time"], trace["y"])
        return place
