"""Meshes of a cell at rest."""

from __future__ import annotations

import numpy as np


def ring(diameter: float, spacing: float, angle: float = 0.0) -> np.ndarray:
    """Return a ring of nodes (V, 2), counter-clockwise about the origin.

    Parameters
    ----------
    diameter
        Of the circle whose area the polygon encloses, m.
    spacing
        Wanted distance of neighbours, m.
    angle
        Turns the ring, rad.

    Notes
    -----
    The nodes lie a little outside the circle, so that the area is the circle's at any number of nodes.
    """
    count = max(12, round(np.pi * diameter / spacing))
    radius = diameter / 2 * np.sqrt(np.pi / (count / 2 * np.sin(2 * np.pi / count)))
    phi = angle + 2 * np.pi * np.arange(count) / count
    return radius * np.stack([np.cos(phi), np.sin(phi)], axis=1)
