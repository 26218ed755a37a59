"""The emulator's file: HDF5 with the runs and the hyper-parameters; nothing in it is executed."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.command import InputError
from sim.emulation.emulator import Emulator, Score
from sim.emulation.inputs import Design, Input
from sim.emulation.surface import ExitModel, Surface
from sim.emulation.traces import TraceBasis
from sim.files import new_hdf5, replacing

if TYPE_CHECKING:
    import h5py

VERSION = 1


def write_emulator(path: Path, emulator: Emulator) -> None:
    """Write an emulator; the same emulator gives the same bytes."""
    with replacing(path) as part, new_hdf5(part) as file:
        file.attrs["kind"], file.attrs["version"] = "mimlab emulator", VERSION
        header = {
            "inputs": [dataclasses.asdict(item) for item in emulator.design.inputs],
            "fixed": dict(emulator.design.fixed),
            "outputs": list(emulator.surfaces),
            "scores": {name: dataclasses.asdict(score) for name, score in emulator.scores.items()},
            "meta": dict(emulator.meta),
        }
        file.attrs["header"] = json.dumps(header)
        file["design"] = emulator.design.points
        file["moments"] = emulator.moments
        exit_ = file.create_group("exit")
        exit_["passed"], exit_["theta"] = emulator.exit.passed, emulator.exit.theta
        for name, surface in emulator.surfaces.items():
            _write_surface(file.create_group(f"surfaces/{name}"), surface)
        if emulator.traces is not None:
            _write_traces(file.create_group("traces"), emulator.traces)


def _write_surface(group: h5py.Group, surface: Surface) -> None:
    group["points"], group["values"], group["theta"] = surface.points, surface.values, surface.theta
    group.attrs["log"] = surface.log


def _write_traces(group: h5py.Group, basis: TraceBasis) -> None:
    for field in ("x", "mean", "components", "spread", "leftover"):
        group[field] = getattr(basis, field)
    for k, surface in enumerate(basis.scores):
        _write_surface(group.create_group(f"scores/{k}"), surface)


def read_emulator(path: Path) -> Emulator:
    """Read an emulator; its Gaussian processes are solved again from the runs, to the same predictions.

    Raises
    ------
    InputError
        If the file is no emulator, damaged or of another version.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            if file.attrs.get("kind") != "mimlab emulator":
                raise InputError(f"{path}: no emulator; make one with python -m sim.emulate fit SWEEP --out {path}")
            if file.attrs["version"] != VERSION:
                raise InputError(f"{path}: version {file.attrs['version']}, here {VERSION}: fit the sweep again")
            return _read(file, json.loads(str(file.attrs["header"])))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; make one with python -m sim.emulate fit SWEEP --out {path}") from None
    except (OSError, KeyError, ValueError, TypeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: no emulator, or damaged ({error}); fit the sweep again") from error


def _read(file: h5py.File, header: dict[str, Any]) -> Emulator:
    points = np.asarray(file["design"])
    return Emulator(
        design=Design(tuple(Input(**item) for item in header["inputs"]), points, header["fixed"]),
        exit=ExitModel(points, np.asarray(file["exit/passed"]), np.asarray(file["exit/theta"])),
        surfaces={name: _read_surface(file[f"surfaces/{name}"]) for name in header["outputs"]},
        scores={name: Score(**score) for name, score in header["scores"].items()},
        moments=np.asarray(file["moments"]),
        traces=_read_traces(file["traces"]) if "traces" in file else None,
        meta=header["meta"],
    )


def _read_surface(group: Any) -> Surface:
    points, values, theta = (np.asarray(group[name]) for name in ("points", "values", "theta"))
    if points.ndim != 2 or values.shape != points.shape[:1] or theta.shape != (points.shape[1] + 2,):
        raise ValueError(f"{group.name}: arrays do not fit together")
    return Surface(points, values, bool(group.attrs["log"]), theta)


def _read_traces(group: Any) -> TraceBasis:
    arrays = {field: np.asarray(group[field]) for field in ("x", "mean", "components", "spread", "leftover")}
    scores = tuple(_read_surface(group[f"scores/{k}"]) for k in range(len(arrays["components"])))
    return TraceBasis(**arrays, scores=scores)
