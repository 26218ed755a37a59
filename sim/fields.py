"""Velocity and pressure of the flow: kept in SI while a run goes on, and one file in the end that ParaView opens."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sim.channel import Channel, make_channel
from sim.command import InputError
from sim.files import replacing
from sim.fluid import moments
from sim.lattice import CS2

if TYPE_CHECKING:
    import h5py

    from sim.simulation import Model, State
    from sim.trace import Trace


class FieldKeeper:
    """Keeps the fields of every so many snapshots, one file each, so that a run that was killed still has them.

    Parameters
    ----------
    folder
        Where to keep them; made if needed.
    every
        Of how many snapshots one has its field kept.
    """

    def __init__(self, folder: Path, every: int) -> None:
        self.folder, self.every = folder, every
        self._needed: set[str] = set()

    def follow(self, times: Sequence[float], model: Model, state: State) -> None:
        """Keep the field of now, the last of the snapshots' `times` (s), if it is its turn.

        What is not wanted any more is dropped, but for what a run that goes on from the last checkpoint would want.
        """
        wanted = self._wanted(times, model.flight.units.dt)
        if len(times) % self.every == 1 % self.every:
            self.folder.mkdir(parents=True, exist_ok=True)
            with replacing(self.folder / wanted[-1]) as part, part.open("wb") as stream:
                np.save(stream, sample(model, state), allow_pickle=False)
        for path in self.folder.glob("*.npy"):
            if path.name not in wanted and path.name not in self._needed:
                path.unlink()

    def checkpointed(self, times: Sequence[float], dt: float) -> None:
        """Take note that a checkpoint with the snapshots' `times` (s) has been written."""
        self._needed = set(self._wanted(times, dt))

    def check(self, times: Sequence[float], dt: float) -> None:
        """Raise an `InputError` where the field of a snapshot is not there."""
        for name in self._wanted(times, dt):
            if not (self.folder / name).is_file():
                raise InputError(
                    f"{self.folder / name}: the fields of a run that was cut off are gone; "
                    "remove the checkpoint beside that folder and run it again"
                )
        self.checkpointed(times, dt)

    def _wanted(self, times: Sequence[float], dt: float) -> list[str]:
        return [_name(time, dt) for time in times[:: self.every]]


def _name(time: float, dt: float) -> str:
    return f"{round(time / dt):012d}.npy"


def sample(model: Model, state: State) -> np.ndarray:
    """Return velocity (m/s) and pressure (Pa) at the nodes of the channel now, ([z,] y, x, 4) float32.

    The pressure is that over the mean at the outlet; within walls it is NaN, and the velocity is zero.

    Notes
    -----
    In the periodic lattice a uniform force drives the flow; the pressure that falls along the channel instead is added.
    A layer at a time, so that no copy of all populations is made.
    """
    channel, units, drive, fluid = model.channel, model.flight.units, state.drive, state.fluid
    grid = channel.grid
    nodes, dimension = grid.nodes, len(grid.shape)
    layer = int(np.prod(grid.shape[:2])) if dimension == 3 else grid.shape[0]
    out = np.zeros((4, nodes), dtype=np.float32)
    end = model.config.channel.x_end
    reference = float(moments(drive.model, fluid, channel.section(end))[0].mean())
    x = channel.origin[0] + channel.dx * np.tile(np.arange(grid.shape[0]), layer // grid.shape[0])
    fall = drive.force * units.force_density * (end - x)
    for first in range(0, nodes, layer):
        here = slice(first, first + layer)
        density, velocity = moments(drive.model, fluid, here)
        for axis in range(dimension):
            out[axis, here] = (velocity[:, axis] + 0.5 * fluid.force[axis][here] / density) * units.velocity
        out[3, here] = CS2 * (density - reference) * units.pressure + fall
    out[:3, ~grid.fluid] = 0
    out[3, ~grid.fluid] = np.nan
    return np.ascontiguousarray(grid.box(out).T)


def write_fields(path: Path, folder: Path, trace: Trace) -> None:
    """Write the fields kept in `folder` during the run of `trace` to one VTKHDF file, one after the other.

    Raises
    ------
    OSError
        If the disk has no room for them, before anything is written.
    """
    import h5py

    every = int(trace.config.output.fluid_fields or 1)
    times = trace.snapshot_time[::every]
    files = [folder / _name(time, trace.flow["dt_s"]) for time in times]
    # On a full disk HDF5 fails while it closes a file, and then crashes the process.
    if shutil.disk_usage(path.parent).free < 1.1 * sum(file.stat().st_size for file in files):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
    numerics = trace.config.numerics
    channel = make_channel(trace.config.channel, numerics.dx, numerics.dimension)  # pyright: ignore[reportArgumentType] (frozen, so hashable)
    with h5py.File(path, "w") as file:
        root = _image(file, channel)
        steps = root.create_group("Steps")
        steps.attrs["NSteps"] = np.int64(len(times))
        steps.create_dataset("Values", data=times)
        group = root.create_group("PointData")
        offsets = steps.create_group("PointDataOffsets")
        shape = np.load(files[0], mmap_mode="r").shape[:-1]  # a plane image has no axis z
        arrays = []
        for name, unit, more in (("velocity", "m/s", (3,)), ("pressure", "Pa", ())):
            whole, chunk = (len(files), *shape, *more), (1, *(1,) * (len(shape) - 2), *shape[-2:], *more)
            data = group.create_dataset(
                name, whole, np.float32, chunks=chunk, compression="gzip", compression_opts=1, shuffle=True
            )
            data.attrs["unit"] = unit
            arrays.append(data)
            offsets.create_dataset(name, data=np.arange(len(files), dtype=np.int64))
        for number, one in enumerate(files):
            values = np.load(one, allow_pickle=False)
            for data, part in zip(arrays, (values[..., :3], values[..., 3]), strict=True):
                data[number] = part


def _image(file: h5py.File, channel: Channel) -> h5py.Group:
    """Write what an image of the channel's nodes is: extent, spacing and origin in m."""
    interior = (*channel.grid.interior, 1)[:3]
    dimension = len(channel.origin)
    origin = np.zeros(3)
    origin[:dimension] = channel.to_si(np.ones(dimension))
    root = file.create_group("VTKHDF")
    root.attrs["Version"] = np.array([2, 1], dtype=np.int64)
    root.attrs.create("Type", b"ImageData", dtype="S9")
    root.attrs["WholeExtent"] = np.array([[0, n - 1] for n in interior], dtype=np.int64).ravel()
    root.attrs["Origin"], root.attrs["Spacing"] = origin, np.full(3, channel.dx)
    root.attrs["Direction"] = np.eye(3).ravel()
    return root
