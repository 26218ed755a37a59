"""A cell given by a closed triangle mesh: its thickness along the optical axis, and where its inside is."""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from bridge.body import Grid

_SAMPLES = 2  # rays along each edge of a pixel
_OUTLINE = 150  # pixels along an outline's longer side
_DEGREE = 8  # of the solid harmonics: nodes within 1 % of the radius for a cell pressed to half its height


def mesh_columns(nodes: np.ndarray, faces: np.ndarray, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Return thickness along z (m) and covered fraction of each pixel (rows, columns) of a closed mesh.

    Parameters
    ----------
    nodes
        Corners (V, 3), m; the mesh may reach beyond the grid.
    faces
        Corners of each triangle (F, 3), all turning the same way round.
    grid
        The pixels.

    Notes
    -----
    Rays through a raster of points in each pixel: the thickness is the sum of the heights at which a ray
    leaves the mesh less those at which it enters, which holds for folded surfaces too. A ray through an
    edge belongs to exactly one of its triangles, since the edge's equation is evaluated from the lower node on.
    """
    rows, columns = (n * _SAMPLES for n in grid.shape)
    place = (nodes[:, :2] - (grid.x0, grid.y0)) * (_SAMPLES / grid.pixel_size) - 0.5
    corners = place[faces]
    first = np.maximum(np.ceil(corners.min(axis=1)), 0).astype(int)
    last = np.minimum(np.floor(corners.max(axis=1)), (columns - 1, rows - 1)).astype(int)
    size = np.maximum(last - first + 1, 0)
    count = size.prod(axis=1)
    triangle = np.repeat(np.arange(len(faces)), count)
    nth = np.arange(len(triangle)) - np.repeat(np.cumsum(count) - count, count)
    x = first[triangle, 0] + nth % size[triangle, 0]
    y = first[triangle, 1] + nth // size[triangle, 0]
    edges = [_edge(place, faces[:, i], faces[:, (i + 1) % 3], triangle, x, y) for i in range(3)]
    inside = np.flatnonzero((edges[0][1] == edges[1][1]) & (edges[1][1] == edges[2][1]))
    weights = [weight[inside] for weight, _ in edges]
    tops = nodes[np.roll(faces, -2, axis=1), 2][triangle[inside]].T
    area, height = sum(weights), sum(w * z for w, z in zip(weights, tops, strict=True))
    upward = np.where(edges[0][1][inside], 1.0, -1.0)
    at = (y * columns + x)[inside]
    through = np.bincount(at, upward * height / np.where(area == 0, 1, area), rows * columns)
    hit = np.bincount(at, minlength=rows * columns) > 0
    through = np.maximum(through if through.sum() >= 0 else -through, 0)
    return _binned(through, grid), _binned(hit, grid)


def _edge(
    place: np.ndarray, start: np.ndarray, end: np.ndarray, triangle: np.ndarray, x: np.ndarray, y: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return, for points beside one edge of their triangles, twice the area between them and whether they are left."""
    low, high = np.minimum(start, end), np.maximum(start, end)
    (ax, ay), (dx, dy) = place[low].T, (place[high] - place[low]).T
    area = dx[triangle] * (y - ay[triangle]) - dy[triangle] * (x - ax[triangle])
    turned = (start > end)[triangle]
    return np.where(turned, -area, area), (area >= 0) != turned


def _binned(samples: np.ndarray, grid: Grid) -> np.ndarray:
    rows, columns = grid.shape
    return samples.reshape(rows, _SAMPLES, columns, _SAMPLES).mean(axis=(1, 3))


def enclosed(nodes: np.ndarray, faces: np.ndarray) -> tuple[float, np.ndarray]:
    """Return volume (m³) and centroid (3,) in m of a closed mesh (divergence theorem)."""
    shift = nodes.mean(axis=0)
    a, b, c = (nodes[faces[:, i]] - shift for i in range(3))
    parts = np.einsum("fi,fi->f", a, np.cross(b, c)) / 6
    volume = parts.sum()
    return abs(float(volume)), shift + ((a + b + c) / 4 * parts[:, None]).sum(axis=0) / volume


def seen_outline(nodes: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Return the outline (points, 2) in m of a closed mesh seen along z, counter-clockwise, to 1/300 of its size."""
    from skimage.measure import find_contours

    low, high = nodes[:, :2].min(axis=0), nodes[:, :2].max(axis=0)
    pixel = float((high - low).max()) / _OUTLINE
    shape = (int((high - low)[1] / pixel) + 5, int((high - low)[0] / pixel) + 5)
    grid = Grid(low[0] - 2 * pixel, low[1] - 2 * pixel, pixel, shape)
    rings = find_contours(mesh_columns(nodes, faces, grid)[1], 0.5)
    ring = max(rings, key=len)[:-1, ::-1]
    x, y = ring.T
    turns = 1 if np.dot(x, np.roll(y, -1)) > np.dot(y, np.roll(x, -1)) else -1
    return (ring[::turns] + 0.5) * pixel + (grid.x0, grid.y0)


class SolidMap(NamedTuple):
    """The map of solid harmonics from the unit ball at rest to the deformed cell, seen along z.

    The three-dimensional sibling of `bridge.body.MaterialMap`: harmonic inside, and on the surface the
    best fit to where the membrane's nodes are. Material points are those of the middle plane.
    """

    coefficients: np.ndarray
    """Of the solid harmonics, for x and y (terms, 2), m."""

    def __call__(self, material: np.ndarray) -> np.ndarray:
        """Return where material points of the middle plane (complex, unit disc) are, x + iy (m)."""
        flat = np.ravel(material)
        points = np.stack([np.real(flat), np.imag(flat), np.zeros(len(flat))], axis=1)
        place = _solid_harmonics(points) @ self.coefficients
        return (place[:, 0] + 1j * place[:, 1]).reshape(np.shape(material))


def solid_map(rest: np.ndarray, deformed: np.ndarray) -> SolidMap:
    """Return the map from a round cell's material to its deformed state; `rest`, `deformed` are nodes (V, 3) in m."""
    return SolidMap(_fit(rest.tobytes()) @ deformed[:, :2])


@functools.lru_cache(maxsize=16)
def _fit(rest: bytes) -> np.ndarray:
    """Return what takes nodes to coefficients (terms, V): the same for all poses of a cell."""
    nodes = np.frombuffer(rest).reshape(-1, 3)
    spoke = nodes - nodes.mean(axis=0)
    return np.linalg.pinv(_solid_harmonics(spoke / np.linalg.norm(spoke, axis=1, keepdims=True)))


def _solid_harmonics(points: np.ndarray) -> np.ndarray:
    """Return the real solid harmonics up to `_DEGREE` at points (P, 3): (P, terms), of order 1 on the unit sphere."""
    x, y, z = points.T
    square = x**2 + y**2 + z**2
    terms = []
    ring = np.ones(len(points), complex)
    for m in range(_DEGREE + 1):
        before, here = np.zeros(len(points)), np.ones(len(points))
        for degree in range(m, _DEGREE + 1):
            terms.append(here * np.real(ring))
            if m:
                terms.append(here * np.imag(ring))
            # Associated Legendre recurrence, each order scaled to be 1 where it starts
            after = ((2 * degree + 1) * z * here - (degree + m) * square * before) / (degree + 1 - m)
            before, here = here, after
        ring = ring * (x + 1j * y)
    return np.stack(terms, axis=1)
