"""A channel given as a watertight solid: what is inside it, and how far its walls are."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sim.config import METRES, ChannelConfig, ConfigError

if TYPE_CHECKING:
    from trimesh import Trimesh

UM = 1e-6
"""Unit of the solids here (m): trimesh takes points closer than 1e-8 for one."""
CHUNK = 5000
"""Points whose distances are computed at a time, each from some dozens of triangles."""


def read_solid(config: ChannelConfig) -> Trimesh:
    """Return the solid of an STL file in µm, mid-depth at z = 0.

    Raises
    ------
    ConfigError
        If the file cannot be read, is not watertight, or no unit is given.
    """
    import trimesh

    try:
        data = Path(str(config.file)).read_bytes()
    except OSError as error:
        raise ConfigError(f"channel.file = {str(config.file)!r}: cannot be read ({error.strerror})") from error
    try:
        solid = trimesh.load(io.BytesIO(data), file_type="stl", force="mesh")
    except Exception as error:  # trimesh raises whatever its parsers raise
        raise ConfigError(f"{config.file}: not a readable STL file ({error})") from error
    if not isinstance(solid, trimesh.Trimesh) or len(solid.faces) == 0 or not solid.is_watertight:
        raise ConfigError(
            f"{config.file}: the solid is not watertight; close its holes (trimesh.repair) and export it again"
        )
    if config.unit is None:
        raise ConfigError(f"{config.file} states no unit: set channel.unit to one of {', '.join(METRES)}")
    solid.apply_scale(METRES[config.unit] / UM)
    solid.apply_translation([0, 0, -solid.bounds[:, 2].mean()])
    return solid


def section_rings(solid: Trimesh, z: float) -> list[np.ndarray]:
    """Return the closed outlines (points, 2) of the section at height `z`, m."""
    section = solid.section(plane_origin=[0, 0, z / UM], plane_normal=[0, 0, 1])
    return [] if section is None else [np.asarray(ring)[:-1, :2] * UM for ring in section.discrete]


def solid_distance(config: ChannelConfig, dx: float, axes: list[np.ndarray]) -> np.ndarray:
    """Return the signed distance (x, y, z) to the nearest wall of a solid channel in m, positive inside.

    Parameters
    ----------
    config
        Of kind stl.
    dx
        Lattice spacing in m; distances beyond some dx are those of the lattice, half a dx off.
    axes
        Positions along x, y and z, m.

    Raises
    ------
    ConfigError
        If the solid is not as deep or not as long as the configuration says.
    """
    from scipy import ndimage

    solid = read_solid(config)
    _check_extent(config, solid)
    inside = _inside(config, solid, axes)
    inner, outer = ndimage.distance_transform_edt(inside), ndimage.distance_transform_edt(~inside)
    distance = np.where(inside, np.asarray(inner) - 0.5, 0.5 - np.asarray(outer)) * dx
    near = np.abs(distance) < 3 * dx
    points = np.stack([axis[index] for axis, index in zip(axes, np.nonzero(near), strict=True)], axis=1)
    distance[near] = np.where(inside[near], 1, -1) * _wall_distance(config, solid, points, dx)
    return distance


def _check_extent(config: ChannelConfig, solid: Trimesh) -> None:
    low, high = solid.bounds * UM
    depth = float(high[2] - low[2])
    if abs(depth - config.depth) > 0.02 * config.depth:
        raise ConfigError(
            f"{config.file} is {1e6 * depth:.4g} µm deep, channel.depth {1e6 * config.depth:.4g} µm: "
            "set channel.depth or channel.unit to match"
        )
    if max(abs(low[0] - config.x_start), abs(high[0] - config.x_end)) > 1e-3 * config.length:
        raise ConfigError(
            f"{config.file} reaches from x = {1e6 * low[0]:.4g} to {1e6 * high[0]:.4g} µm, the channel from "
            f"{1e6 * config.x_start:.4g} to {1e6 * config.x_end:.4g} µm (x = 0 is the constriction's entry plane): "
            "set channel.inlet_length and outlet_length, or channel.unit, to match"
        )


def _inside(config: ChannelConfig, solid: Trimesh, axes: list[np.ndarray]) -> np.ndarray:
    """Return which nodes (x, y, z) lie in the solid; a channel goes on as it ends."""
    import shapely

    edge = 1e-9 * config.length
    x, y = np.meshgrid(np.clip(axes[0], config.x_start + edge, config.x_end - edge), axes[1], indexing="ij")
    inside = np.zeros((*x.shape, len(axes[2])), dtype=bool)
    for k, z in enumerate(axes[2]):
        for ring in section_rings(solid, float(z)):  # a ring within a ring is a pillar: even-odd rule
            if len(ring) > 2:
                inside[..., k] ^= shapely.contains_xy(shapely.Polygon(ring), x, y)
    return inside


def _wall_distance(config: ChannelConfig, solid: Trimesh, points: np.ndarray, dx: float) -> np.ndarray:
    """Return the distance (n,) of points from the solid's surface without its two ends, m."""
    import trimesh
    from scipy.spatial import KDTree

    x = solid.triangles[:, :, 0] * UM
    tolerance = 1e-3 * config.length
    at_end = (abs(x - config.x_start) < tolerance).all(axis=1) | (abs(x - config.x_end) < tolerance).all(axis=1)
    divided = trimesh.remesh.subdivide_to_size(solid.vertices, solid.faces[~at_end], 2 * dx / UM, max_iter=40)
    triangles, points = np.asarray(divided[0])[np.asarray(divided[1])], points / UM
    centres = triangles.mean(axis=1)
    reach = np.linalg.norm(triangles - centres[:, None], axis=2).max()
    tree = KDTree(centres)
    best = np.empty(len(points))
    for part in np.array_split(np.arange(len(points)), max(1, len(points) // CHUNK)):
        # The nearest triangle's centre is no farther than the nearest centre's triangle, and its own reach.
        nearest = tree.query(points[part])[0]
        candidates = tree.query_ball_point(points[part], nearest + reach)
        count = np.array([len(some) for some in candidates])
        triangle, point = np.concatenate(candidates), np.repeat(points[part], count, axis=0)
        closest = trimesh.triangles.closest_point(triangles[triangle], point)
        distance = np.linalg.norm(point - closest, axis=1)
        best[part] = np.minimum.reduceat(distance, np.concatenate(([0], np.cumsum(count)[:-1])))
    return best * UM
