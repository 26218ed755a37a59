"""The state of a run on disk, so that a run which was cut off goes on as if it had not been."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sim.coupling import Cell, follow, set_viscosity, spread
from sim.files import new_hdf5, replacing
from sim.trace import Outcome

if TYPE_CHECKING:
    import h5py

    from sim.recorder import Recorder
    from sim.simulation import Model, State

_CELL = ("x", "velocity", "force", "kink", "pressure")


def write_checkpoint(path: Path, model: Model, state: State, recorder: Recorder) -> None:
    """Write all that the rest of a run depends on, in one piece.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    with replacing(path) as part, new_hdf5(part) as file:
        file.attrs["config"] = model.config.to_toml()
        file.attrs["steps"] = [state.steps, state.fluid.steps, recorder.snapshot_stride]
        file.attrs["drive"] = [state.drive.force, state.drive.integral]
        file.attrs["cell"] = [state.cell.slip, state.cell.wall_distance]
        file["f"] = state.fluid.f
        for name in _CELL:
            file[f"cell/{name}"] = getattr(state.cell, name)
        names = list(recorder.cells[0].rows[0])
        file["rows"] = np.array([[[row[name] for name in names] for row in one.rows] for one in recorder.cells])
        file["rows"].attrs["names"] = names
        file["rows"].attrs["outcomes"] = ["" if one.outcome is None else one.outcome.name for one in recorder.cells]
        file["snapshots/time"] = np.array([time for time, _ in recorder.snapshots])
        file["snapshots/vertices"] = np.array([x for _, x in recorder.snapshots])


def read_checkpoint(path: Path, model: Model, state: State, recorder: Recorder) -> bool:
    """Bring a run that has just begun to where its checkpoint was; return whether there was a sound one."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            if str(file.attrs["config"]) != model.config.to_toml():
                return False
            _restore(file, model, state, recorder)
    except (OSError, KeyError, ValueError, TypeError, RuntimeError):
        return False
    return True


def _restore(file: h5py.File, model: Model, state: State, recorder: Recorder) -> None:
    read = {name: np.asarray(file[f"cell/{name}"]) for name in _CELL}
    rows = np.asarray(file["rows"])
    names, outcomes = (np.asarray(file["rows"].attrs[name]).tolist() for name in ("names", "outcomes"))
    outcomes = [Outcome[name] if name else None for name in outcomes]
    times, vertices = np.asarray(file["snapshots/time"]), np.asarray(file["snapshots/vertices"])
    f = np.asarray(file["f"])
    steps, drive, slip = (np.asarray(file.attrs[name]).tolist() for name in ("steps", "drive", "cell"))
    if f.shape != state.fluid.f.shape or read["x"].shape != state.cell.x.shape or len(rows) != len(outcomes):
        raise ValueError("not the arrays of this run")
    # From here on nothing can fail.
    state.fluid.f[:] = f
    state.steps, state.fluid.steps, recorder.snapshot_stride = steps
    force, state.drive.integral = drive
    state.drive.model = dataclasses.replace(state.drive.model, force=(force, *state.drive.model.force[1:]))
    _restore_cell(read, model, state)
    state.cell.slip, state.cell.wall_distance = slip
    for one, samples, outcome in zip(recorder.cells, rows.tolist(), outcomes, strict=True):
        one.rows, one.outcome = [dict(zip(names, row, strict=True)) for row in samples], outcome
    recorder.snapshots = list(zip(times.tolist(), vertices, strict=True))


def _restore_cell(read: dict[str, np.ndarray], model: Model, state: State) -> None:
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
