"""Whether the cells of a run start clear of each other."""

from __future__ import annotations

import itertools

import numpy as np

from sim.cell import contact_range
from sim.config import ConfigError, SimulationConfig
from sim.shape import Body


def check_apart(config: SimulationConfig, outer: list[Body]) -> None:
    """Refuse cells that overlap, lie within each other or start within reach of each other's repulsion.

    Parameters
    ----------
    config
        Of the run.
    outer
        The outer membrane of each cell.

    Raises
    ------
    ConfigError
        With the numbers of both cells, their distance and the one that is needed.
    """
    reach = contact_range(config)
    for (i, one), (j, other) in itertools.combinations(enumerate(outer), 2):
        apart = _distance(one, other)
        if apart >= reach:
            continue
        way = float(abs(one.centre[0] - other.centre[0])) + reach - apart
        raise ConfigError(
            f"cells {i + 1} and {j + 1} start {_words(apart)} each other, at start_x = {one.centre[0]:g} and "
            f"{other.centre[0]:g} m; {reach:.3g} m between their membranes are needed (the range of their repulsion): "
            f"set cells.{j + 1}.start_x so that they are {way:.3g} m apart along the channel"
        )


def _words(apart: float) -> str:
    return f"{apart:.2g} m from" if apart > 0 else f"overlapping by {-apart:.2g} m with"


def _distance(one: Body, other: Body) -> float:
    """Return the smallest distance (m) of two membranes' nodes; how far one reaches into the other, negative."""
    from scipy.spatial import KDTree

    a, b = one.nodes + one.centre, other.nodes + other.centre
    radii = [float(np.linalg.norm(body.nodes, axis=1).max()) for body in (one, other)]
    clear = float(np.linalg.norm(one.centre - other.centre)) - sum(radii)
    near = KDTree(b).query(a)[0]
    if clear > 0:
        return float(near.min())
    within = np.concatenate([_inside(other, a), _inside(one, b)])
    if not within.any():
        return float(near.min())
    depth = np.concatenate([near, KDTree(a).query(b)[0]])
    return -float(depth[within].max())


def _inside(body: Body, points: np.ndarray) -> np.ndarray:
    """Return which of the points (P, d) lie within a membrane (P,) bool: its winding number there is not zero."""
    corners = body.nodes + body.centre
    if body.faces is None:
        spoke = (corners - points[:, None]) @ np.array([1, 1j])
        turned = np.angle(np.roll(spoke, -1, axis=1) / spoke).sum(axis=1) / (2 * np.pi)
        return abs(turned) > 0.5
    return np.array([abs(_solid_angle(corners - point, body.faces)) > 2 * np.pi for point in points])


def _solid_angle(corners: np.ndarray, faces: np.ndarray) -> float:
    """Return the solid angle of a closed mesh seen from the origin (van Oosterom & Strackee 1983)."""
    a, b, c = (corners[faces[:, k]] for k in range(3))
    la, lb, lc = (np.linalg.norm(v, axis=1) for v in (a, b, c))
    triple = np.einsum("fd,fd->f", a, np.cross(b, c))
    ab, bc, ca = (np.einsum("fd,fd->f", u, v) for u, v in ((a, b), (b, c), (c, a)))
    return float(2 * np.arctan2(triple, la * lb * lc + ab * lc + bc * la + ca * lb).sum())
