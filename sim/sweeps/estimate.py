"""What a sweep will take: time, memory and disk, from a run that was timed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from sim.config import PHYSICS_VERSION
from sim.files import here, write_text
from sim.sweeps.ledger import HOUSE
from sim.sweeps.plan import Planned

LIMIT = 45.0
"""A calibration ends after this time, s; the rest is extrapolated from how far the cell has come."""


@dataclass(frozen=True)
class Calibration:
    """What a run took.

    Attributes
    ----------
    pace
        Time on the clock over predicted work, s.
    memory
        Most memory of its process less what the flow takes, bytes.
    disk
        Size of its folder, bytes.
    host, physics
        Where and with what it was measured.
    """

    pace: float
    memory: int
    disk: int
    host: str
    physics: int = PHYSICS_VERSION


@dataclass(frozen=True)
class Estimate:
    """What some runs will take: hours of a core, most memory of a worker and disk space, bytes."""

    core_hours: float
    memory: int
    disk: int


def typical(runs: Sequence[Planned]) -> Planned:
    """Return the run of median work."""
    return sorted(runs, key=lambda one: (one.work, one.run))[len(runs) // 2]


def calibrate(one: Planned, seconds: float, fraction: float, memory: int, folder: Path) -> Calibration:
    """Return what a run took that was done to a `fraction` in some `seconds`, in a process of `memory` bytes."""
    files = [path for path in folder.iterdir() if path.is_file()] if folder.is_dir() else []
    disk = sum(path.stat().st_size for path in files) or _expected_size(one)
    return Calibration(seconds / max(fraction, 1e-3) / one.work, memory - one.memory, disk, here())


def _expected_size(one: Planned) -> int:
    """Return about what a run folder takes (bytes): outlines twice, as float64 and as three float32, and two tables."""
    config = one.config
    dimension, nodes = config.numerics.dimension, one.nodes
    snapshot = nodes * (8 * dimension + 12)
    samples = float(config.numerics.max_time or 0) / 4 / float(config.output.every or 1)
    columns = 19 if dimension == 2 else 28
    return int(1.5 * config.output.snapshots * snapshot + samples * columns * (8 + 20))


def estimate(runs: Sequence[Planned], calibration: Calibration) -> Estimate:
    """Return what some runs will take."""
    seconds = calibration.pace * float(np.sum([one.work for one in runs]))
    memory = calibration.memory + max((one.memory for one in runs), default=0)
    return Estimate(seconds / 3600, memory, calibration.disk * len(runs))


def read_calibration(folder: Path) -> Calibration | None:
    """Return the calibration of an earlier start of the sweep, if it was on this machine and still holds."""
    try:
        found = Calibration(**json.loads(_path(folder).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return found if (found.host, found.physics) == (here(), PHYSICS_VERSION) else None


def write_calibration(folder: Path, calibration: Calibration) -> None:
    """Keep a calibration in the folder of the sweep."""
    write_text(_path(folder), json.dumps(asdict(calibration)) + "\n")


def _path(folder: Path) -> Path:
    return folder / HOUSE / "calibration.json"
