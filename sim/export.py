"""The result of a run as one HDF5 file, which ParaView opens as a time series of membranes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sim.files import new_hdf5
from sim.trace import Trace, columns, group_of

if TYPE_CHECKING:
    import h5py


class _Surface(NamedTuple):
    """One membrane at all snapshot times: nodes (S, V, d), faces (F, d), number of its cell from 1, and what it is."""

    nodes: np.ndarray
    faces: np.ndarray
    cell: int
    nucleus: int


def write_result(path: Path, trace: Trace, features: Sequence[Mapping[str, float | None]]) -> None:
    """Write traces, features and snapshots to one HDF5 file that ParaView opens as a time series.

    Parameters
    ----------
    path
        Where to write; the same bytes come out for the same trace.
    trace
        Of the first cell, with those of the others.
    features
        Of each cell.

    Notes
    -----
    The first cell stands in ``/trace``, ``/features`` and ``/snapshots``, the second in the same groups of
    ``/cells/2``, and so on. The ``/VTKHDF`` group holds all membranes as temporal PolyData (version 2.1); where there
    are several, the cell data ``cell`` and ``nucleus`` (0 or 1) tell them apart.
    """
    with new_hdf5(path) as file:
        for one, values in zip(trace.together, features, strict=True):
            group = file if one.number == 0 else file.create_group(group_of(one.number))
            _write_cell(group, one, values)
        _write_vtkhdf(file, trace)


def _write_cell(file: h5py.Group, trace: Trace, features: Mapping[str, float | None]) -> None:
    file.attrs["outcome"] = trace.outcome.name
    if trace.number == 0:
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


def _surfaces(trace: Trace) -> list[_Surface]:
    found = []
    for one in trace.together:
        found.append(_Surface(one.snapshots, one.faces, one.number + 1, 0))
        if one.nucleus is not None and one.nucleus_faces is not None:
            found.append(_Surface(one.nucleus, one.nucleus_faces, one.number + 1, 1))
    return found


def _write_vtkhdf(file: h5py.File, trace: Trace) -> None:
    surfaces = _surfaces(trace)
    nodes = np.concatenate([s.nodes for s in surfaces], axis=1)
    first = np.cumsum([0] + [s.nodes.shape[1] for s in surfaces])
    faces = np.concatenate([s.faces + start for s, start in zip(surfaces, first[:-1], strict=True)])
    steps, count, dimension = nodes.shape
    points = np.zeros((steps * count, 3), dtype=np.float32)
    points[:, :dimension] = nodes.reshape(-1, dimension)
    root = file.create_group("VTKHDF")
    root.attrs["Version"] = np.array([2, 1], dtype=np.int64)
    root.attrs.create("Type", b"PolyData", dtype="S8")
    root.create_dataset("Points", data=points)
    root.create_dataset("NumberOfPoints", data=np.full(steps, count, dtype=np.int64))
    filled = "Polygons" if dimension == 3 else "Lines"
    for kind in ("Vertices", "Lines", "Polygons", "Strips"):
        mine = kind == filled
        group = root.create_group(kind)
        connectivity = faces.ravel() if mine else np.zeros(0)
        offsets = np.arange(len(faces) + 1) * faces.shape[1] if mine else np.zeros(1)
        group.create_dataset("Connectivity", data=connectivity.astype(np.int64))
        group.create_dataset("Offsets", data=offsets.astype(np.int64))
        group.create_dataset("NumberOfCells", data=np.full(steps, len(faces) if mine else 0, dtype=np.int64))
        ids = faces.size if mine else 0
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
    if len(surfaces) > 1:
        _tell_apart(root, surfaces, steps)


def _tell_apart(root: h5py.Group, surfaces: list[_Surface], steps: int) -> None:
    """Write which cell each face belongs to, and whether to its nucleus: the same at all times."""
    group, offsets = root.create_group("CellData"), root.require_group("Steps").create_group("CellDataOffsets")
    for name in ("cell", "nucleus"):
        values = np.concatenate([np.full(len(s.faces), getattr(s, name), dtype=np.int32) for s in surfaces])
        group.create_dataset(name, data=values)
        offsets.create_dataset(name, data=np.zeros(steps, dtype=np.int64))
