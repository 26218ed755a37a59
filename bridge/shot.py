"""One picture with what is true of it: where each cell is, its outline, axes and velocity."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from bridge.body import Grid
    from bridge.path import Pose

TRUTH = {
    "frame": ("1", "number of the frame, from 0"),
    "cell": ("1", "number of the cell, from 0"),
    "time": ("s", "middle of the exposure, since the film's start; of a single picture since the run's start"),
    "x": ("m", "centroid along the channel; 0 = entry plane of the constriction"),
    "y": ("m", "centroid across the channel; 0 = centre line"),
    "vx": ("m/s", "velocity of the centroid along the channel"),
    "vy": ("m/s", "velocity of the centroid across the channel"),
    "rear_x": ("m", "trailing edge"),
    "front_x": ("m", "leading edge"),
    "length": ("m", "extent of the outline along the channel"),
    "height": ("m", "extent of the outline across the channel"),
    "di": ("1", "deformation index of the outline's bounding box"),
    "major_axis": ("m", "major axis of the ellipse of equal second moments"),
    "minor_axis": ("m", "minor axis of the ellipse of equal second moments"),
    "di_ellipse": ("1", "deformation index of that ellipse"),
    "area": ("m²", "area within the outline"),
    "mask_area": ("px", "pixels of the frame that the outline covers by half or more"),
}
"""Columns of the truth: unit and meaning."""


class Shot(NamedTuple):
    """One frame, of a film or alone."""

    image: np.ndarray
    """What the camera records (rows, columns) uint8, or uint16 beyond 8 bits."""
    mask: np.ndarray
    """The cells' outlines, filled (rows, columns) uint8, 0 or 255."""
    truth: list[dict[str, float]]
    """For each cell in view one row with the columns `TRUTH`."""
    outlines: list[np.ndarray]
    """Of each of these cells the outline (points, 2), m."""


class Seen(NamedTuple):
    """One cell's part in the truth of a frame."""

    row: dict[str, float]
    """The columns `TRUTH` that its outline and velocity give."""
    covered: np.ndarray
    """How much of each pixel it covers (rows, columns), 0 to 1."""
    outline: np.ndarray
    """Its outline (points, 2), m; of a mesh as seen along z."""


def seen(cell: Pose, velocity: tuple[float, float], grid: Grid) -> Seen:
    """Return what is true of a cell of some velocity (m/s) in a frame of some pixels."""
    from bridge.path import silhouette
    from bridge.solid import seen_outline
    from sim.observe import outline_measures

    outline = cell.nodes if cell.nodes.shape[1] == 2 else seen_outline(cell.nodes, cell.faces)
    covered = silhouette(cell.nodes, cell.faces, grid)
    measures = {name: value for name, value in outline_measures(outline).items() if name in TRUTH}
    row = {"vx": velocity[0], "vy": velocity[1], **measures, "mask_area": int((covered >= 0.5).sum())}
    return Seen(row, covered, outline)


def mask_of(covered: np.ndarray) -> np.ndarray:
    """Return a mask (rows, columns) uint8, 255 where a pixel is covered by half or more."""
    return np.where(covered >= 0.5, 255, 0).astype(np.uint8)
