"""What is measured of a three-dimensional cell: its outline as the camera sees it, its volume, strain and energy."""

from __future__ import annotations

import numpy as np

from sim.kernels.silhouette import envelope
from sim.oif import Oif, oif_energy, oif_tension
from sim.shell import Shell, areal_strain, mean_tension, shell_energy
from sim.units import Units

STATIONS = 257
"""Points along x at which the outline of a three-dimensional cell is taken."""


def projected_outline(x: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return the outline of a cell seen along z as a polygon (2 STATIONS, 2), counter-clockwise.

    Parameters
    ----------
    x
        Nodes (V, 3).
    edges
        Node indices (E, 2).

    Notes
    -----
    Its lower and upper edge over x: a notch in front or rear is filled (`sim.kernels.silhouette.envelope`).
    """
    bottom, top = np.empty((2, STATIONS))
    along = envelope(x, edges, bottom, top)
    return np.column_stack([np.concatenate([along, along[::-1]]), np.concatenate([bottom, top[::-1]])])


def membrane_measures(law: Shell | Oif, x_lu: np.ndarray, x: np.ndarray, units: Units) -> dict[str, float]:
    """Measure a triangulated membrane.

    Parameters
    ----------
    law
        The membrane, lattice units.
    x_lu, x
        Its nodes (V, 3) in lattice units and in m.
    units
        Conversion.

    Returns
    -------
    dict
        The columns `sim.trace.COLUMNS_3D`, SI.
    """
    faces = law.topology.faces
    origin = x.mean(axis=0)
    a, b, c = (x[faces[:, k]] - origin for k in range(3))
    cross = np.cross(b, c)
    parts = np.einsum("fd,fd->f", a, cross) / 6
    volume = float(parts.sum())
    strain = areal_strain(law, x_lu)
    oif = isinstance(law, Oif)
    energy = oif_energy(law, x_lu) if oif else shell_energy(law, x_lu)
    tension = oif_tension(law, x_lu) if oif else mean_tension(law, x_lu)
    area = law.area0 * (1 + strain)
    return {
        "z": float(origin[2] + (parts @ (a + b + c)[:, 2]) / 4 / volume),
        "depth": float(np.ptp(x[:, 2])),
        "volume": volume,
        "surface": float(area.sum()) * units.dx**2,
        "areal_strain": float(area.sum() / law.area0.sum() - 1),
        "largest_areal_strain": float(strain.max()),
        "tension": float((tension * area).sum() / area.sum()) * units.tension,
        "stretching_energy": energy.stretching * units.energy,
        "bending_energy": energy.bending * units.energy,
    }
