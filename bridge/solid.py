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
    from bridge.kernels import cast_rays

    near, window = grid.around(nodes[:, :2], 1)
    place = np.ascontiguousarray(nodes, dtype=np.float64) - (near.x0, near.y0, 0.0)
    place[:, :2] = place[:, :2] * (_SAMPLES / grid.pixel_size) - 0.5
    through = np.zeros((near.shape[0] * _SAMPLES, near.shape[1] * _SAMPLES))
    hit = np.zeros(through.shape, np.bool_)
    cast_rays(place, np.ascontiguousarray(faces, dtype=np.int64), through, hit)
    through = np.maximum(through if through.sum() >= 0 else -through, 0)
    both = np.zeros((2, *grid.shape))
    both[0][window], both[1][window] = _binned(through), _binned(hit)
    return both[0], both[1]


def _binned(samples: np.ndarray) -> np.ndarray:
    """Return the means over the rays of each pixel."""
    parts = [samples[i::_SAMPLES, j::_SAMPLES].astype(float) for i in range(_SAMPLES) for j in range(_SAMPLES)]
    return np.sum(parts, axis=0) / len(parts)


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
    best fit to where the membrane's nodes are.
    """

    coefficients: np.ndarray
    """Of the solid harmonics, for x and y (terms, 2), m."""

    def __call__(self, material: np.ndarray) -> np.ndarray:
        """Return where material points (P, 3) of the unit ball are, x + iy (m)."""
        return self.at(solid_harmonics(material))

    def at(self, harmonics: np.ndarray) -> np.ndarray:
        """Return where material points of given solid harmonics (terms, points) are, x + iy (m)."""
        from bridge.kernels import weighted_sums

        sums = np.empty((2, harmonics.shape[1]))  # not by BLAS, for the reason said in bridge.body
        weighted_sums(self.coefficients, harmonics, sums)
        return sums[0] + 1j * sums[1]


def solid_map(rest: np.ndarray, deformed: np.ndarray) -> SolidMap:
    """Return the map from a round cell's material to its deformed state; `rest`, `deformed` are nodes (V, 3) in m."""
    from bridge.kernels import weighted_sums

    fit = _fit(rest.tobytes())
    coefficients = np.empty((2, fit.shape[1]))
    weighted_sums(np.ascontiguousarray(deformed[:, :2]), fit, coefficients)
    return SolidMap(np.ascontiguousarray(coefficients.T))


@functools.lru_cache(maxsize=16)
def _fit(rest: bytes) -> np.ndarray:
    """Return what takes nodes to coefficients (V, terms): the same for all poses of a cell."""
    nodes = np.frombuffer(rest).reshape(-1, 3)
    spoke = nodes - nodes.mean(axis=0)
    harmonics = solid_harmonics(spoke / np.linalg.norm(spoke, axis=1, keepdims=True))
    return np.ascontiguousarray(np.linalg.solve(harmonics @ harmonics.T, harmonics).T)


def solid_harmonics(points: np.ndarray) -> np.ndarray:
    """Return the real solid harmonics up to `_DEGREE` at points (P, 3): (terms, P), of order 1 on the unit sphere."""
    x, y, z = np.ascontiguousarray(points.T)
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
    return np.stack(terms)
