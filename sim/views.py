"""Three-dimensional cells in their channel, seen along the three axes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sim.outline import outline
from sim.trace import Trace

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable

VIEWS = {"seen along z, as the camera does": (0, 1, 2), "seen along y": (0, 2, 1), "seen along x": (2, 1, 0)}
"""Title: axis to the right, axis upwards, axis towards the eye."""
MARGIN = 4e-6
"""What is shown of the channel beyond the cell, m."""
WALL = "#d9d9d9"
LIGHT = np.array([0.35, 0.55, 0.76])
"""Where the light comes from, in the axes of a view."""


def areal_strain(trace: Trace, index: int) -> np.ndarray:
    """Return A/A0 - 1 of each triangle (F,) in snapshot `index`, A0 that of the first snapshot without inflation."""
    area = [triangle_areas(trace.snapshots[k], trace.faces) for k in (index, 0)]
    return area[0] / (area[1] / trace.cell.inflation**2) - 1


def triangle_areas(x: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Return the areas (F,) of triangles between nodes `x` (V, 3)."""
    return np.linalg.norm(_normals(x, faces), axis=1) / 2


def draw_view(
    axes: Axes, trace: Trace, index: int, view: tuple[int, int, int], top: float, window: tuple[float, float]
) -> ScalarMappable:
    """Draw the cells of snapshot `index` and the channel around them; return what colours the areal strain.

    Parameters
    ----------
    axes
        Where to draw.
    trace
        A finished 3-D run.
    index
        Of the snapshot.
    view
        One of `VIEWS`.
    top
        Areal strain of the brightest colour.
    window
        Shown of the x axis, µm.
    """
    from matplotlib.collections import PolyCollection

    right, up, towards = view
    # Turning the axes must not mirror the scene: the eye is where right × up points.
    side = 1 if (right, up, towards) in ((0, 1, 2), (1, 2, 0), (2, 0, 1)) else -1
    _draw_walls(axes, trace, 1e6 * trace.snapshots[index], (right, up), window)
    corner, normal, strain = (
        np.concatenate(parts) for parts in zip(*(_skin(one, index) for one in trace.together), strict=True)
    )
    seen = np.flatnonzero(side * normal[:, towards] > 0)
    seen = seen[np.argsort(side * corner[seen][..., towards].mean(axis=1))]
    skin = PolyCollection(list(corner[seen][:, :, (right, up)]), cmap="viridis", edgecolors="face", linewidths=0.3)
    skin.set_array(strain[seen])
    skin.set_clim(0, top)
    axes.add_collection(skin)
    shade = np.clip(1 - normal[seen][:, (right, up, towards)] * [1, 1, side] @ LIGHT, 0, 1)
    shadow = PolyCollection(list(corner[seen][:, :, (right, up)]), facecolors=[(0, 0, 0, 0.35 * s) for s in shade])
    axes.add_collection(shadow)
    axes.set(aspect="equal", xlabel=f"{'xyz'[right]} (µm)", ylabel=f"{'xyz'[up]} (µm)")
    return skin


def _skin(trace: Trace, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return corners (F, 3, 3) in µm, unit normals (F, 3) and areal strain (F,) of a cell's triangles."""
    x, faces = 1e6 * trace.snapshots[index], trace.faces
    normal = _normals(x, faces)
    return x[faces], normal / np.linalg.norm(normal, axis=1)[:, None], areal_strain(trace, index)


def _normals(x: np.ndarray, faces: np.ndarray) -> np.ndarray:
    a, b, c = (x[faces[:, k]] for k in range(3))
    return np.cross(b - a, c - a)


def _draw_walls(axes: Axes, trace: Trace, x: np.ndarray, shown: tuple[int, int], window: tuple[float, float]) -> None:
    """Shade what is not channel: its section through the cell's middle, µm."""
    channel = trace.config.channel
    centre = x[:, 0].mean() * 1e-6
    wall = outline(channel)
    half_height = 1e6 * float(np.interp(centre, *wall.T))
    low, high = window
    half = {0: 0.5 * (high - low), 1: 1e6 * channel.height / 2, 2: 1e6 * channel.depth / 2}
    offset = np.array([(low + high) / 2 if axis == 0 else 0.0 for axis in shown])
    across = max(half[1], half[2]) + 1.2  # the same in all views, so that all have one scale
    frame = [half[0] if axis == 0 else across for axis in shown]
    axes.set_facecolor(WALL)
    if shown == (0, 1):
        line = 1e6 * wall
        line[0, 0], line[-1, 0] = min(low, line[0, 0]), max(high, line[-1, 0])
        axes.fill(*np.vstack([line, line[::-1] * [1, -1]]).T, color="white", lw=0)
    else:
        inner = [half_height if axis == 1 else half[axis] for axis in shown]
        axes.fill(*(offset[:, None] + np.array(inner)[:, None] * [[-1, 1, 1, -1], [-1, -1, 1, 1]]), color="white", lw=0)
    axes.set_xlim(offset[0] - frame[0], offset[0] + frame[0])
    axes.set_ylim(offset[1] - frame[1], offset[1] + frame[1])
