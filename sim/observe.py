"""What is measured of an outline: area, centroid, axes."""

from __future__ import annotations

import numpy as np

from sim.features import deformation_index


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
