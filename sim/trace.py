"""The record of one simulated cell, and the run folder that holds it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sim.command import InputError
from sim.config import CellConfig, SimulationConfig, load_config

if TYPE_CHECKING:
    import numpy as np

COLUMNS = {
    "time": ("s", "time since the cell was placed in the steady flow"),
    "x": ("m", "centroid of the outline's area along the channel; 0 = entry plane of the constriction"),
    "y": ("m", "centroid of the outline's area across the channel; 0 = centre line"),
    "vx": ("m/s", "velocity of the centroid along the channel"),
    "vy": ("m/s", "velocity of the centroid across the channel"),
    "rear_x": ("m", "trailing edge"),
    "front_x": ("m", "leading edge"),
    "length": ("m", "extent of the outline along the channel, a of the deformation index"),
    "height": ("m", "extent of the outline across the channel, b of the deformation index"),
    "di": ("1", "deformation index (a - b)/(a + b) of the outline's bounding box, signed"),
    "major_axis": ("m", "major axis of the ellipse of equal second moments"),
    "minor_axis": ("m", "minor axis of the ellipse of equal second moments"),
    "di_ellipse": ("1", "deformation index of the ellipse of equal second moments, signed by its orientation"),
    "area": ("m²", "area enclosed by the outline"),
    "perimeter": ("m", "perimeter of the outline"),
    "flow_rate": ("m³/s", "flow rate of the channel"),
    "pressure_drop": ("Pa", "pressure drop that drives the flow, over the whole channel"),
    "slip": ("1", "largest |v - u| of a membrane node over the mean flow velocity in the empty gap"),
    "wall_distance": ("m", "smallest distance between a membrane node and a wall"),
}
"""Column of the trace: its unit and meaning. The outline of a 3-D cell is what is seen of it along z."""

COLUMNS_3D = {
    "z": ("m", "centroid of the volume along the optical axis; 0 = mid-depth"),
    "depth": ("m", "extent of the cell along the optical axis"),
    "volume": ("m³", "volume enclosed by the membrane"),
    "surface": ("m²", "area of the membrane"),
    "areal_strain": ("1", "area of the membrane over that at rest, less 1"),
    "largest_areal_strain": ("1", "the same of the triangle that is stretched most"),
    "tension": ("N/m", "isotropic tension of the membrane, mean over its area"),
    "stretching_energy": ("J", "elastic energy of the membrane's stretching"),
    "bending_energy": ("J", "elastic energy of the membrane's bending"),
}
"""Further columns of a three-dimensional run."""


def columns(dimension: int) -> dict[str, tuple[str, str]]:
    """Return the columns of a run: name to unit and meaning."""
    return COLUMNS | COLUMNS_3D if dimension == 3 else COLUMNS


class Outcome(Enum):
    """How a run ended; the text says what to try next."""

    EXITED = "the cell has left the exit taper and is round again"
    OUTLET = "the outlet was reached before the cell was round again: lengthen channel.outlet_length"
    REACHED = "the trailing edge has reached output.stop_x"
    SHEARED = "the cell has been sheared for the time asked for"
    STUCK = "the cell does not move: raise fluid.pressure_drop, or lower cell.ks or cell.diameter"
    MAX_STEPS = "the time is over before the cell was out: raise numerics.max_time or fluid.pressure_drop"
    UNFINISHED = "another cell ended the run before this one was out: see what became of that one"
    UNSTABLE = "lower numerics.inertia_scale (halve it), cell.kv or cell.ks, or refine numerics.dx"

    @property
    def came_through(self) -> bool:
        """Whether the cell came through the channel, or as far in it as was asked for."""
        return self in (Outcome.EXITED, Outcome.OUTLET, Outcome.REACHED)

    @property
    def passed(self) -> bool:
        """Whether the cell came through, or was sheared as long as it should be."""
        return self.came_through or self is Outcome.SHEARED


@dataclass(frozen=True)
class Trace:
    """One simulated cell.

    Attributes
    ----------
    samples
        For each name in `columns` an array (T,) of float64 in SI.
    snapshot_time
        Times of the kept outlines (S,), s.
    snapshots
        Membrane nodes at those times (S, V, d), m.
    faces
        Connectivity of the membrane (F, d): in 2-D the two nodes of each edge.
    outcome
        How the run ended.
    config
        The resolved configuration.
    flow
        The empty channel's steady flow: ``mean_gap_velocity`` (m/s), ``reynolds`` (1) and other
        numbers of the pre-flight check, by name, in SI.
    nucleus, nucleus_faces
        The same of the nucleus as `snapshots` and `faces` of the cell; None without one.
    number
        Of the cell among those of the run, from 0.
    others
        Of the first cell the traces of the others, at the same times.
    """

    samples: Mapping[str, np.ndarray]
    snapshot_time: np.ndarray
    snapshots: np.ndarray
    faces: np.ndarray
    outcome: Outcome
    config: SimulationConfig
    flow: Mapping[str, float] = field(default_factory=dict)
    nucleus: np.ndarray | None = None
    nucleus_faces: np.ndarray | None = None
    number: int = 0
    others: tuple[Trace, ...] = ()

    @property
    def together(self) -> tuple[Trace, ...]:
        """This cell's trace and those of the others."""
        return (self, *self.others)

    @property
    def cell(self) -> CellConfig:
        """What the cell is made of."""
        return self.config.all_cells[self.number]

    @property
    def label(self) -> str:
        """The cell's class."""
        return self.cell.name or self.config.name

    def __getitem__(self, name: str) -> np.ndarray:
        """Return the samples of one column (T,)."""
        return self.samples[name]


def header(name: str) -> str:
    """Return a column's name in ``trace.csv``: the name and its unit."""
    unit = (COLUMNS | COLUMNS_3D)[name][0]
    suffix = {"1": "", "m/s": "_m_per_s", "m²": "_m2", "m³": "_m3", "m³/s": "_m3_per_s", "N/m": "_n_per_m", "J": "_j"}
    return name + suffix.get(unit, f"_{unit}")


def is_complete(folder: Path | str) -> bool:
    """Return whether `folder` holds a finished run."""
    return all((Path(folder) / name).is_file() for name in ("config.toml", "result.h5", "provenance.json"))


def read_trace(folder: Path | str) -> Trace:
    """Read the trace of a finished run folder.

    Raises
    ------
    InputError
        If the folder holds no finished run or its files are damaged.
    """
    import h5py

    folder = Path(folder)
    if not is_complete(folder):
        raise InputError(f"{folder}: not a finished run folder; run `python -m sim.run` (again) to make one")
    config = load_config(str(folder / "config.toml"))
    try:
        with h5py.File(folder / "result.h5", "r") as file:
            if str(file.attrs["config"]) != (folder / "config.toml").read_text(encoding="utf-8"):
                raise ValueError("config.toml beside it is not that of this run")
            first, *others = (_read_cell(file, config, number) for number in range(len(config.all_cells)))
        for trace in (first, *others):
            _check_arrays(trace)
    except (OSError, KeyError, ValueError, TypeError, AttributeError, RuntimeError) as error:
        reason = error.args[0] if isinstance(error, KeyError) and error.args else error
        raise InputError(
            f"{folder / 'result.h5'}: damaged, or written by another version of sim.run ({reason}); "
            "move the folder away and run it again"
        ) from error
    return replace(first, others=tuple(others))


def group_of(number: int) -> str:
    """Return where in the file a cell's trace is, from 0."""
    return "" if number == 0 else f"cells/{number + 1}/"


def _read_cell(file: Any, config: SimulationConfig, number: int) -> Trace:
    """Read one cell of a run."""
    import h5py
    import numpy as np

    at = group_of(number)
    names = columns(config.numerics.dimension)
    inner = ("nucleus", "nucleus_faces") if config.all_cells[number].nucleus else ()
    arrays = [f"trace/{name}" for name in names]
    arrays += [f"snapshots/{name}" for name in ("time", "vertices", "faces", *inner)]
    for name in ("trace", "snapshots", *arrays):
        if not isinstance(file.get(at + name, getlink=True), h5py.HardLink):
            raise KeyError(f"/{at}{name} is missing or a link out of the file")
    about = file[at.rstrip("/")].attrs if at else file.attrs
    nucleus = {name: np.asarray(file[f"{at}snapshots/{name}"]) for name in inner}
    return Trace(
        samples={name: np.asarray(file[f"{at}trace/{name}"], dtype=np.float64) for name in names},
        snapshot_time=np.asarray(file[f"{at}snapshots/time"], dtype=np.float64),
        snapshots=np.asarray(file[f"{at}snapshots/vertices"], dtype=np.float64),
        faces=np.asarray(file[f"{at}snapshots/faces"]),
        outcome=Outcome[str(about["outcome"])],
        config=config,
        flow=json.loads(str(about["flow"])),
        number=number,
        nucleus=nucleus.get("nucleus"),
        nucleus_faces=nucleus.get("nucleus_faces"),
    )


def _check_arrays(trace: Trace) -> None:
    """Raise ValueError unless the arrays of a trace fit together and are finite."""
    import numpy as np

    shapes = {values.shape for values in trace.samples.values()}
    if len(shapes) > 1 or len(shapes.pop()) != 1 or len(trace["time"]) == 0:
        raise ValueError("the columns of /trace differ in length or hold nothing")
    steps, snapshots = len(trace.snapshot_time), trace.snapshots
    dimension = trace.config.numerics.dimension
    if steps == 0 or snapshots.ndim != 3 or snapshots.shape[::2] != (steps, dimension) or snapshots.shape[1] < 3:
        raise ValueError(f"/snapshots/vertices {snapshots.shape} are no outlines at {steps} times")
    for name, values in (("time", trace["time"]), ("x", trace["x"]), ("vertices", snapshots)):
        if not np.isfinite(values).all():
            raise ValueError(f"{name} holds NaN or infinity")
