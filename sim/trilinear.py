"""Which lattice nodes surround each membrane node, and how the flow there is read from the populations."""

from __future__ import annotations

import numpy as np

from sim.fluid import Fluid, FluidModel
from sim.kernels import trilinear as kernels


class Stencil:
    """State of the trilinear coupling; all but `stamp` is written anew in each step.

    Attributes
    ----------
    corner, share
        Lattice nodes around each membrane node, flat (V, 8), and their weights (V, 8).
    stamp
        Number of the step in which the velocity of each lattice node was read last (nodes,).
    slots
        Where the arriving populations lie before an even and before an odd step, each (q,).
    """

    def __init__(self, count: int, model: FluidModel) -> None:
        lattice, grid = model.lattice, model.grid
        self.corner = np.zeros((count, 8), dtype=np.int64)
        self.share = np.zeros((count, 8))
        self.stamp = np.where(grid.fluid, 0, kernels.AT_REST)
        self.velocities = lattice.c.astype(np.float64)
        shift = lattice.c @ np.array(grid.strides)
        self.slots = (np.arange(lattice.q) * grid.block, lattice.opposite * grid.block - shift)
        self.interior, self.periodic = np.array(grid.interior), np.array(grid.periodic)


def read_flow(stencil: Stencil, x: np.ndarray, model: FluidModel, fluid: Fluid) -> None:
    """Find the lattice nodes around the membrane nodes `x` (V, 3), and write the flow there to `fluid.velocity`.

    It is the flow before the next collision, without the forces of the next step.
    """
    stride_y, stride_z = model.grid.strides[1:]
    kernels.find_corners(x, stencil.interior, stencil.periodic, stride_y, stride_z, stencil.corner, stencil.share)
    odd = fluid.steps % 2
    if odd:
        model.boundary.fill(fluid.f)  # the kernels of an even step make the copies at walls, not the other rules
    now, slot = fluid.steps + 1, stencil.slots[odd]
    ux, uy, uz = fluid.velocity
    kernels.read_flow(fluid.f, slot, stencil.velocities, stencil.corner, stencil.stamp, now, ux, uy, uz)
