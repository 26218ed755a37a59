"""The optical path through a cell: cytoplasm, nucleus, granules and texture, carried by the deforming material."""

from __future__ import annotations

import numpy as np

from bridge.body import CellBody, Grid, MaterialMap, coverage, material_map, outline_area, thickness
from bridge.solid import SolidMap, enclosed, mesh_columns, solid_map

_FILTER_PIXELS = 1.3  # closes the gaps that stretching opens between carried points
_WINDOW = 3.5  # half-width of a granule's stamp, in standard deviations


def radius_of(nodes: np.ndarray, faces: np.ndarray) -> float:
    """Return the radius (m) of the circle or sphere of a membrane's area or volume.

    Parameters
    ----------
    nodes
        Membrane (V, 2) in order along the outline, or (V, 3), m.
    faces
        Its edges (V, 2), which are not looked at, or triangles (F, 3).
    """
    if nodes.shape[1] == 3:
        return float((3 * enclosed(nodes, faces)[0] / (4 * np.pi)) ** (1 / 3))
    return float(np.sqrt(outline_area(nodes) / np.pi))


def silhouette(nodes: np.ndarray, faces: np.ndarray, grid: Grid) -> np.ndarray:
    """Return how much of each pixel a cell covers (rows, columns), 0 to 1; arguments as for `radius_of`."""
    return mesh_columns(nodes, faces, grid)[1] if nodes.shape[1] == 3 else coverage(nodes, grid)


def optical_path(
    body: CellBody, rest: np.ndarray, nodes: np.ndarray, faces: np.ndarray, grid: Grid, medium: float
) -> np.ndarray:
    """Return the optical path a cell adds to that of the medium (rows, columns), m.

    Parameters
    ----------
    body
        Inner structure of the cell.
    rest
        Membrane at rest, outline (V, 2) or mesh (V, 3), m.
    nodes
        Membrane now; the nodes are those of `rest`.
    faces
        Triangles of a mesh (F, 3).
    grid
        The pixels; a 2-D outline lies within.
    medium
        Refractive index of the medium (1).

    Notes
    -----
    The nucleus and the index fluctuations are carried, and sheared, by the material map; granules
    are carried but keep their shape, being stiffer than what they swim in. Of a mesh the thickness is
    known; the nucleus, which the run does not know, gets its depth as in two dimensions.
    """
    radius = radius_of(rest, faces)
    if nodes.shape[1] == 3:
        cell, mapping = mesh_columns(nodes, faces, grid)[0], solid_map(rest, nodes)
    else:
        cell = thickness(nodes, grid, 4 / 3 * radius * outline_area(nodes))
        mapping = material_map(rest, nodes)
    circle = body.nucleus_centre + body.nucleus_ratio * np.exp(2j * np.pi * np.arange(120) / 120)
    ring = mapping(circle)
    volume = 4 / 3 * np.pi * (body.nucleus_ratio * radius) ** 3
    nucleus = np.minimum(thickness(np.stack([np.real(ring), np.imag(ring)], axis=1), grid, volume), 0.95 * cell)
    path = (body.cytoplasm - medium) * cell + (body.nucleus - body.cytoplasm) * nucleus
    path += body.fluctuation_path * np.sqrt(cell - nucleus) * carried_field(mapping, body, grid)
    return path + _stamp_granules(mapping(body.granules), body, grid)


def carried_field(mapping: MaterialMap | SolidMap, body: CellBody, grid: Grid) -> np.ndarray:
    """Return the index fluctuations where the material has taken them (rows, columns), of unit variance.

    Values at the carried points are spread over the pixels around them and averaged with a narrow Gaussian.
    """
    place = mapping(body.points)
    x = (np.real(place) - grid.x0) / grid.pixel_size - 0.5
    y = (np.imag(place) - grid.y0) / grid.pixel_size - 0.5
    left, top = int(np.floor(x.min())) - 4, int(np.floor(y.min())) - 4
    shape = (int(y.max()) - top + 6, int(x.max()) - left + 6)
    column, row = np.floor(x).astype(int), np.floor(y).astype(int)
    weight, total = np.zeros(shape), np.zeros(shape)
    for dy in (0, 1):
        for dx in (0, 1):
            share = np.abs(1 - dx - (x - column)) * np.abs(1 - dy - (y - row))
            at = (row + dy - top) * shape[1] + column + dx - left
            weight += np.bincount(at, share, shape[0] * shape[1]).reshape(shape)
            total += np.bincount(at, share * body.fluctuation, shape[0] * shape[1]).reshape(shape)
    blur = _gaussian_transfer(shape, _FILTER_PIXELS)
    total, weight = (np.fft.irfft2(np.fft.rfft2(a) * blur, shape) for a in (total, weight))
    local = np.where(weight > 1e-3 * weight.max(), total / np.maximum(weight, 1e-12), 0)
    result = np.zeros(grid.shape)
    rows = slice(max(top, 0), min(top + shape[0], grid.shape[0]))
    columns = slice(max(left, 0), min(left + shape[1], grid.shape[1]))
    result[rows, columns] = local[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    return result


def _gaussian_transfer(shape: tuple[int, int], sigma: float) -> np.ndarray:
    """Return the transfer function of a Gaussian of `sigma` pixels, for `rfft2`."""
    fy, fx = np.fft.fftfreq(shape[0]), np.fft.rfftfreq(shape[1])
    return np.exp(-2 * (np.pi * sigma) ** 2 * (fy[:, None] ** 2 + fx**2))


def _stamp_granules(place: np.ndarray, body: CellBody, grid: Grid) -> np.ndarray:
    """Return the path through the granules (rows, columns), m: a Gaussian of peak √(2π) σ Δn each."""
    result = np.zeros(grid.shape)
    if len(place) == 0:
        return result
    sigma = body.granule_sigma / grid.pixel_size
    half = int(np.ceil(_WINDOW * sigma.max()))
    offset = np.arange(-half, half + 1)
    x = (np.real(place) - grid.x0) / grid.pixel_size - 0.5
    y = (np.imag(place) - grid.y0) / grid.pixel_size - 0.5
    column, row = (np.rint(v).astype(int)[:, None] + offset for v in (x, y))
    along = np.exp(-0.5 * ((column - x[:, None]) / sigma[:, None]) ** 2)
    across = np.exp(-0.5 * ((row - y[:, None]) / sigma[:, None]) ** 2)
    along *= (np.sqrt(2 * np.pi) * body.granule_sigma * body.granule_index)[:, None]
    stamp = across[:, :, None] * along[:, None, :]
    keep = ((row >= 0) & (row < grid.shape[0]))[:, :, None] & ((column >= 0) & (column < grid.shape[1]))[:, None, :]
    at = (row[:, :, None] * grid.shape[1] + column[:, None, :])[keep]
    return result + np.bincount(at, stamp[keep], result.size).reshape(grid.shape)
