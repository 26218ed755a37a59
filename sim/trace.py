"""The record of one simulated cell, and the run folder that holds it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sim.command import InputError
from sim.config import SimulationConfig, load_config
from sim.files import new_hdf5

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
    OUTLET = "the cell has reached the outlet before it was round again: lengthen channel.outlet_length"
    REACHED = "the trailing edge has reached output.stop_x"
    SHEARED = "the cell has been sheared for the time asked for"
    STUCK = "the cell does not move: raise fluid.pressure_drop, or lower cell.ks or cell.diameter"
    MAX_STEPS = "the time is over before the cell was out: raise numerics.max_time or fluid.pressure_drop"
    UNSTABLE = "lower numerics.inertia_scale (halve it), cell.kv or cell.ks, or refine numerics.dx"

    @property
    def passed(self) -> bool:
        """Whether the cell came as far as it should, or was sheared as long as it should be."""
        return self in (Outcome.EXITED, Outcome.OUTLET, Outcome.REACHED, Outcome.SHEARED)


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
    import numpy as np

    folder = Path(folder)
    if not is_complete(folder):
        raise InputError(f"{folder}: not a finished run folder; run `python -m sim.run` (again) to make one")
    config = load_config(str(folder / "config.toml"))
    try:
        with h5py.File(folder / "result.h5", "r") as file:
            names = columns(config.numerics.dimension)
            inner = ("nucleus", "nucleus_faces") if config.cell.nucleus else ()
            arrays = [f"trace/{name}" for name in names]
            arrays += [f"snapshots/{name}" for name in ("time", "vertices", "faces", *inner)]
            for name in ("trace", "snapshots", *arrays):
                if not isinstance(file.get(name, getlink=True), h5py.HardLink):
                    raise KeyError(f"/{name} is missing or a link out of the file")
            if str(file.attrs["config"]) != (folder / "config.toml").read_text(encoding="utf-8"):
                raise ValueError("config.toml beside it is not that of this run")
            trace = Trace(
                samples={name: np.asarray(file[f"trace/{name}"], dtype=np.float64) for name in names},
                snapshot_time=np.asarray(file["snapshots/time"], dtype=np.float64),
                snapshots=np.asarray(file["snapshots/vertices"], dtype=np.float64),
                faces=np.asarray(file["snapshots/faces"]),
                outcome=Outcome[str(file.attrs["outcome"])],
                config=config,
                flow=json.loads(str(file.attrs["flow"])),
                **{name: np.asarray(file[f"snapshots/{name}"]) for name in inner},
            )
        _check_arrays(trace)
    except (OSError, KeyError, ValueError, TypeError, AttributeError, RuntimeError) as error:
        reason = error.args[0] if isinstance(error, KeyError) and error.args else error
        raise InputError(
            f"{folder / 'result.h5'}: damaged, or written by another version of sim.run ({reason}); "
            "move the folder away and run it again"
        ) from error
    return trace


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


def write_result(path: Path, trace: Trace, features: Mapping[str, float | None]) -> None:
    """Write trace, features and snapshots to one HDF5 file that ParaView opens as a time series.

    The ``/VTKHDF`` group holds the membrane as temporal PolyData (version 2.1); the same bytes
    come out for the same trace.
    """
    import numpy as np

    with new_hdf5(path) as file:
        file.attrs["outcome"] = trace.outcome.name
        file.attrs["config"] = trace.config.to_toml()
        file.attrs["flow"] = json.dumps(dict(trace.flow), sort_keys=True)
        group = file.create_group("trace")
        for name, (unit, meaning) in columns(trace.config.numerics.dimension).items():
            data = group.create_dataset(name, data=np.asarray(trace[name], dtype=np.float64))
            data.attrs["unit"], data.attrs["description"] = unit, meaning
        group = file.create_group("features")
        for name, value in features.items():
            group.attrs[name] = np.nan if value is None else float(value)
        group = file.create_group("snapshots")
        group.create_dataset("time", data=trace.snapshot_time).attrs["unit"] = "s"
        group.create_dataset("vertices", data=trace.snapshots).attrs["unit"] = "m"
        group.create_dataset("faces", data=trace.faces)
        if trace.nucleus is not None:
            group.create_dataset("nucleus", data=trace.nucleus).attrs["unit"] = "m"
            group.create_dataset("nucleus_faces", data=trace.nucleus_faces)
        _write_vtkhdf(file, trace)


def _write_vtkhdf(file: Any, trace: Trace) -> None:
    import numpy as np

    steps, count, dimension = trace.snapshots.shape
    points = np.zeros((steps * count, 3), dtype=np.float32)
    points[:, :dimension] = trace.snapshots.reshape(-1, dimension)
    cells = len(trace.faces)
    root = file.create_group("VTKHDF")
    root.attrs["Version"] = np.array([2, 1], dtype=np.int64)
    root.attrs.create("Type", b"PolyData", dtype="S8")
    root.create_dataset("Points", data=points)
    root.create_dataset("NumberOfPoints", data=np.full(steps, count, dtype=np.int64))
    filled = "Polygons" if dimension == 3 else "Lines"
    for kind in ("Vertices", "Lines", "Polygons", "Strips"):
        mine = kind == filled
        group = root.create_group(kind)
        connectivity = trace.faces.ravel() if mine else np.zeros(0)
        offsets = np.arange(cells + 1) * trace.faces.shape[1] if mine else np.zeros(1)
        group.create_dataset("Connectivity", data=connectivity.astype(np.int64))
        group.create_dataset("Offsets", data=offsets.astype(np.int64))
        group.create_dataset("NumberOfCells", data=np.full(steps, cells if mine else 0, dtype=np.int64))
        ids = trace.faces.size if mine else 0
        group.create_dataset("NumberOfConnectivityIds", data=np.full(steps, ids, dtype=np.int64))
    group = root.create_group("Steps")
    group.attrs["NSteps"] = np.int64(steps)
    group.create_dataset("Values", data=trace.snapshot_time)
    group.create_dataset("PartOffsets", data=np.arange(steps, dtype=np.int64))
    group.create_dataset("NumberOfParts", data=np.ones(steps, dtype=np.int64))
    group.create_dataset("PointOffsets", data=np.arange(steps, dtype=np.int64) * count)
    zeros = np.zeros((steps, 4), dtype=np.int64)
    group.create_dataset("CellOffsets", data=zeros)
    group.create_dataset("ConnectivityIdOffsets", data=zeros)
