"""The state of a run on disk, so that a run which was cut off goes on as if it had not been."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.coupling import Cell, follow, set_viscosity, spread
from sim.files import read_arrays, replacing
from sim.trace import Outcome

if TYPE_CHECKING:
    from sim.recorder import Recorder
    from sim.simulation import Model, State

_CELL = ("x", "velocity", "force", "kink", "pressure")
_PARTS = 64
"""In how many the populations are written: NumPy copies what it writes, and they are most of the memory of a run."""


def write_checkpoint(path: Path, model: Model, state: State, recorder: Recorder) -> None:
    """Write all that the rest of a run depends on, in one piece.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    cells = recorder.cells
    names = list(cells[0].rows[0])
    content: dict[str, Any] = {
        "config": model.config.to_toml(),
        "steps": [state.steps, state.fluid.steps, recorder.snapshot_stride],
        "drive": [state.drive.force, state.drive.integral],
        "slip": [state.cell.slip, state.cell.wall_distance],
        "names": names,
        "rows": [[[row[name] for name in names] for row in one.rows] for one in cells],
        "outcomes": ["" if one.outcome is None else one.outcome.name for one in cells],
        "times": [time for time, _ in recorder.snapshots],
        "vertices": np.array([x for _, x in recorder.snapshots]),
    }
    content |= {name: getattr(state.cell, name) for name in _CELL}
    content |= {f"f{k}": part for k, part in enumerate(np.array_split(state.fluid.f, _PARTS))}
    with replacing(path) as part, part.open("wb") as stream:
        np.savez(stream, **content)


def read_checkpoint(path: Path, model: Model, state: State, recorder: Recorder) -> bool:
    """Bring a run that has just begun to where its checkpoint was; return whether there was a sound one."""
    stored = read_arrays(path)
    if stored is None:
        return False
    try:
        if str(stored["config"]) != model.config.to_toml():
            return False
        _restore(stored, model, state, recorder)
    except (KeyError, ValueError, TypeError):
        return False
    return True


def _restore(read: Mapping[str, np.ndarray], model: Model, state: State, recorder: Recorder) -> None:
    names, rows, times = (read[name].tolist() for name in ("names", "rows", "times"))
    outcomes = [Outcome[name] if name else None for name in read["outcomes"].tolist()]
    steps, (force, integral), (slip, distance) = (read[name].tolist() for name in ("steps", "drive", "slip"))
    f = np.concatenate([read[f"f{k}"] for k in range(_PARTS)])
    vertices, moved = read["vertices"], {name: read[name] for name in _CELL}
    if f.shape != state.fluid.f.shape or moved["x"].shape != state.cell.x.shape or len(rows) != len(outcomes):
        raise ValueError("not the arrays of this run")
    # From here on nothing can fail.
    state.fluid.f[:] = f
    state.steps, state.fluid.steps, recorder.snapshot_stride = steps
    state.drive.integral = integral
    state.drive.model = dataclasses.replace(state.drive.model, force=(force, *state.drive.model.force[1:]))
    _restore_cell(moved, model, state)
    state.cell.slip, state.cell.wall_distance = slip, distance
    for one, samples, outcome in zip(recorder.cells, rows, outcomes, strict=True):
        one.rows, one.outcome = [dict(zip(names, row, strict=True)) for row in samples], outcome
    recorder.snapshots = list(zip(times, vertices, strict=True))


def _restore_cell(read: Mapping[str, np.ndarray], model: Model, state: State) -> None:
    """Put the membranes where they were, with their forces on the fluid.

    Nodes with mass find their forces on the fluid anew before it moves on.
    """
    cell: Cell = state.cell
    for field in state.fluid.force:
        field[:] = 0
    for name in _CELL:
        getattr(cell, name)[:] = read[name]
    follow(cell, model.fluid, state.fluid)
    if model.cells.inertia is None:
        spread(model.cells, cell, model.fluid, state.fluid)
        set_viscosity(cell, model.fluid, state.fluid)
