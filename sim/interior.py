"""Cells whose inside has another viscosity: the flow's relaxation rates follow their membranes."""

from __future__ import annotations

import numpy as np

from sim.cell import CellModel
from sim.fluid import Fluid, FluidModel
from sim.kernels import inside

MARGIN = 3
"""Lattice nodes around a membrane's nodes in which its inside ends."""


class Interior:
    """Where the viscosity differs from that of the medium.

    Notes
    -----
    Fluidities (1/viscosity) are mixed in proportion to the indicator: a layered flow along a flat membrane has then the
    velocities of a sharp step in viscosity, for they are integrals of the fluidity across it. The rates
    depend on where the membranes are and on nothing else, so that a run goes on from any step.
    """

    def __init__(self, model: CellModel, fluid_model: FluidModel) -> None:
        nodes = fluid_model.grid.nodes
        self._membranes = [one for one in model.membranes if one.ratio != 1]
        self._faces = [one.faces for one in self._membranes]
        self._kernel = model.kernel
        self._mark, self._fluidity = np.zeros(nodes), np.ones(nodes)
        even, odd = (1 / omega for omega in fluid_model.omega)
        self._slow = even - 0.5
        # Λ of what the run has; with a single time it would change with τ.
        self._magic = 0.0 if even == odd else (even - 0.5) * (odd - 0.5)
        self._boxes: list[tuple[np.ndarray, np.ndarray]] = []

    def follow(self, x: np.ndarray, fluid_model: FluidModel, fluid: Fluid) -> None:
        """Give the flow the rates that go with membranes whose nodes are at `x` (V, d), lattice units."""
        shape = (*fluid_model.grid.shape, 1)[:3]
        for low, high in self._boxes:
            _box(self._fluidity, fluid_model.grid.shape, low, high)[...] = 1.0
        left, self._boxes = self._boxes, []
        for one, faces in zip(self._membranes, self._faces, strict=True):
            nodes = x[one.nodes]
            low = np.maximum(np.floor(nodes.min(axis=0)).astype(np.int64) - MARGIN, 0)
            high = np.minimum(
                np.floor(nodes.max(axis=0)).astype(np.int64) + MARGIN, np.array(fluid_model.grid.shape) - 1
            )
            inside.spread_normals(self._kernel, nodes, faces, shape, self._mark)
            inside.add_inside(low, high, shape, 1 / one.ratio - 1, self._mark, self._fluidity)
            self._boxes.append((low, high))
        for low, high in [*left, *self._boxes]:
            inside.set_rates(low, high, shape, self._slow, self._magic, self._fluidity, *fluid.rates)


def _box(flat: np.ndarray, shape: tuple[int, ...], low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return a view of a flat array within a box of nodes."""
    whole = flat.reshape(shape[::-1])
    return whole[tuple(slice(a, b + 1) for a, b in zip(low[::-1], high[::-1], strict=True))]
