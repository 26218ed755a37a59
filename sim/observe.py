"""What is measured of a cell: of its outline area, centroid and axes; of its membrane volume, strain and energy."""

from __future__ import annotations

import numpy as np

from sim.features import deformation_index
from sim.kernels.silhouette import envelope
from sim.shell import Shell, areal_strain, mean_tension, shell_energy
from sim.units import Units

STATIONS = 257
"""Points along x at which the outline of a three-dimensional cell is taken."""


def outline_measures(x: np.ndarray) -> dict[str, float]:
    """Measure a closed outline of nodes `x` (V, 2) in m, counter-clockwise.

    Returns
    -------
    dict
        The columns of a trace that the outline alone gives (`sim.trace.COLUMNS`), SI.

    Notes
    -----
    Area, centroid and second moments are exact integrals over the polygon (Green's theorem). The
    ellipse of equal second moments has axes 4 √(eigenvalue of the second moments / area).
    """
    nxt = np.roll(x, -1, axis=0)
    shift = x.mean(axis=0)
    p, q = x - shift, nxt - shift
    cross = p[:, 0] * q[:, 1] - q[:, 0] * p[:, 1]
    area = cross.sum() / 2
    centre = ((p + q) * cross[:, None]).sum(axis=0) / (6 * area)
    p, q = p - centre, q - centre
    xx, yy = (cross @ (p**2 + p * q + q**2) / 12 / area).tolist()
    xy = (
        float(cross @ (2 * p[:, 0] * p[:, 1] + p[:, 0] * q[:, 1] + q[:, 0] * p[:, 1] + 2 * q[:, 0] * q[:, 1]))
        / 24
        / area
    )
    mean, spread = (xx + yy) / 2, np.hypot((xx - yy) / 2, xy)
    major, minor = 4 * np.sqrt(mean + spread), 4 * np.sqrt(max(mean - spread, 0.0))
    low, high = x.min(axis=0), x.max(axis=0)
    length, height = high - low
    sign = 1.0 if xx >= yy else -1.0
    return {
        "x": float(shift[0] + centre[0]),
        "y": float(shift[1] + centre[1]),
        "rear_x": float(low[0]),
        "front_x": float(high[0]),
        "length": float(length),
        "height": float(height),
        "di": float(deformation_index(length, height)),
        "major_axis": float(major),
        "minor_axis": float(minor),
        "di_ellipse": sign * float(deformation_index(major, minor)),
        "area": float(area),
        "perimeter": float(np.linalg.norm(nxt - x, axis=1).sum()),
    }


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


def membrane_measures(law: Shell, x_lu: np.ndarray, x: np.ndarray, units: Units) -> dict[str, float]:
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
    energy = shell_energy(law, x_lu)
    area = law.area0 * (1 + strain)
    return {
        "z": float(origin[2] + (parts @ (a + b + c)[:, 2]) / 4 / volume),
        "depth": float(np.ptp(x[:, 2])),
        "volume": volume,
        "surface": float(area.sum()) * units.dx**2,
        "areal_strain": float(area.sum() / law.area0.sum() - 1),
        "largest_areal_strain": float(strain.max()),
        "tension": float((mean_tension(law, x_lu) * area).sum() / area.sum()) * units.tension,
        "stretching_energy": energy.stretching * units.energy,
        "bending_energy": energy.bending * units.energy,
    }
