"""Whether a flow and the membranes in it are still within the range of validity."""

from __future__ import annotations

import numpy as np

from sim.cell import CellModel, Ring
from sim.channel import Channel
from sim.coupling import Cell
from sim.fluid import Fluid, FluidModel
from sim.lattice import CS2
from sim.oif import Oif
from sim.shell import broken_face

MAX_MACH = 0.3
MAX_DENSITY_CHANGE = 0.3


def flow_trouble(channel: Channel, fluid: Fluid) -> str | None:
    """Say where the flow around the cells is not finite or too fast for the method; None if it is sound."""
    near = np.flatnonzero(fluid.touched & channel.grid.fluid)
    square = sum(u[near].astype(np.float64) ** 2 for u in fluid.velocity)
    square = np.where(np.isfinite(square), square, np.inf)
    worst = int(np.argmax(square))
    mach = float(np.sqrt(square[worst] / CS2))
    if mach < MAX_MACH:
        return None
    where = place(channel, channel.grid.coordinates(near[worst : worst + 1])[0])
    return f"the flow reaches Mach {mach:.2g} (at most {MAX_MACH}) at {where}"


def density_trouble(channel: Channel, model: FluidModel, fluid: Fluid) -> str | None:
    """Say where the density anywhere in the channel has left the range of weak compressibility; None if nowhere."""
    inside = np.flatnonzero(model.grid.fluid)
    change = abs(fluid.populations.sum(axis=0)[inside])
    change = np.where(np.isfinite(change), change, np.inf)
    worst = int(np.argmax(change))
    if change[worst] < MAX_DENSITY_CHANGE:
        return None
    where = place(channel, model.grid.coordinates(inside[worst : worst + 1])[0])
    return f"the density departs by {change[worst]:.2g} from 1 (at most {MAX_DENSITY_CHANGE}) at {where}"


def wall_trouble(channel: Channel, cell: Cell) -> str | None:
    """Say which membrane node is in a wall; None if the last step found none there."""
    if cell.wall_distance > 0:
        return None
    nearest = channel.grid.wrap(np.rint(cell.x).astype(np.int64))
    node = int(np.argmin(channel.distance[nearest @ np.array(channel.grid.strides)]))
    return f"a membrane node is in the wall (node {node} at {place(channel, cell.x[node])})"


def mesh_trouble(model: CellModel, cell: Cell) -> str | None:
    """Say which triangle of a membrane is torn, collapsed or inverted; None if all are sound.

    The law `oif` resists bending so little that a cell's tail folds over for a while in a squeeze, and its forces stay
    finite: only torn triangles count.
    """
    for one, work in zip(model.membranes, cell.work, strict=True):
        if not isinstance(one.law, Ring) and work is not None:
            broken = broken_face(one.law, work, folds=not isinstance(one.law, Oif))
            if broken is not None:
                return f"the membrane is broken: {broken}"
    return None


def place(channel: Channel, position: np.ndarray) -> str:
    """Return a lattice position as text, µm."""
    where = 1e6 * channel.to_si(position)
    return ", ".join(f"{axis} = {value:.2f} µm" for axis, value in zip("xyz", where, strict=False))
