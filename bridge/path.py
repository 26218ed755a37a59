"""The optical path through a cell: cytoplasm, nucleus, granules and texture, carried by the deforming material."""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from bridge.body import CellBody, Grid, coverage, material_map, outline_area, thickness
from bridge.optics import fft
from bridge.solid import enclosed, mesh_columns, solid_map

_FILTER_PIXELS = 1.3  # closes the gaps that stretching opens between carried points
_WINDOW = 3.5  # half-width of a granule's stamp, in standard deviations
_MEMBRANE = 0.95  # of the cell's thickness that a nucleus whose shape is not known may fill


class Pose(NamedTuple):
    """A cell's membranes at one moment."""

    nodes: np.ndarray
    """Outline (V, 2) or mesh (V, 3), m."""
    rest: np.ndarray
    """The same nodes at rest, m."""
    faces: np.ndarray
    """Edges (V, 2) of an outline or triangles (F, 3) of a mesh."""
    nucleus: np.ndarray | None = None
    """Outline or mesh of the nucleus, m; None where the run has none."""
    nucleus_faces: np.ndarray | None = None
    """Its edges or triangles."""


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
    near, window = grid.around(nodes[:, :2], 1)
    covered = np.zeros(grid.shape)
    if 0 not in near.shape:
        covered[window] = mesh_columns(nodes, faces, near)[1] if nodes.shape[1] == 3 else coverage(nodes, near)
    return covered


def optical_path(body: CellBody, cell: Pose, grid: Grid, medium: float) -> np.ndarray:
    """Return the optical path a cell adds to that of the medium (rows, columns), m.

    Parameters
    ----------
    body
        Inner structure of the cell.
    cell
        Where its membrane is, and was at rest.
    grid
        The pixels; a 2-D outline lies within.
    medium
        Refractive index of the medium (1).

    Notes
    -----
    The nucleus and the index fluctuations are carried, and sheared, by the material map; granules
    are carried but keep their shape, being stiffer than what they swim in. Of a mesh the thickness is
    known. A nucleus that the run knows is where the run has it; another one gets its depth as in two dimensions.
    """
    if cell.nodes.shape[1] == 3:
        whole = mesh_columns(cell.nodes, cell.faces, grid)[0]
        place = solid_map(cell.rest, cell.nodes).at(body.harmonics)
    else:
        whole = thickness(cell.nodes, grid, 4 / 3 * body.radius * outline_area(cell.nodes))
        place = material_map(cell.rest, cell.nodes).at(body.powers)
    texture, rim, granules = body.split(place)
    nucleus = np.minimum(_nucleus(body, cell, rim, grid), whole if cell.nucleus is not None else _MEMBRANE * whole)
    path = (body.cytoplasm - medium) * whole + (body.nucleus - body.cytoplasm) * nucleus
    if body.fluctuation_path:
        path += body.fluctuation_path * np.sqrt(whole - nucleus) * carried_field(texture, body.fluctuation, grid)
    return _stamped(path, granules, body, grid)


def _nucleus(body: CellBody, cell: Pose, rim: np.ndarray, grid: Grid) -> np.ndarray:
    """Return the thickness of the nucleus (rows, columns), m."""
    if cell.nucleus is not None and cell.nucleus.shape[1] == 3:
        assert cell.nucleus_faces is not None
        return mesh_columns(cell.nucleus, cell.nucleus_faces, grid)[0]
    radius = body.nucleus_ratio * body.radius
    if cell.nucleus is not None:
        return thickness(cell.nucleus, grid, 4 / 3 * radius * outline_area(cell.nucleus))
    return thickness(np.stack([np.real(rim), np.imag(rim)], axis=1), grid, 4 / 3 * np.pi * radius**3)


def carried_field(place: np.ndarray, value: np.ndarray, grid: Grid) -> np.ndarray:
    """Return a field (rows, columns) whose `value` (P,) is known where the material has taken it, x + iy (P,) in m.

    Values at the carried points are spread over the pixels around them and averaged with a narrow Gaussian.
    """
    from bridge.kernels import scatter

    x = (np.real(place) - grid.x0) / grid.pixel_size - 0.5
    y = (np.imag(place) - grid.y0) / grid.pixel_size - 0.5
    left, top = int(np.floor(x.min())) - 4, int(np.floor(y.min())) - 4
    shape = tuple(int(fft.next_fast_len(int(v.max()) - low + 6, real=True)) for v, low in ((y, top), (x, left)))
    sums = np.zeros((2, *shape))
    scatter(x - left, y - top, value, sums[0], sums[1])
    spectra = fft.rfft2(sums.astype(np.float32)) * _gaussian_transfer(shape, _FILTER_PIXELS)
    weight, total = fft.irfft2(spectra, shape, overwrite_x=True)
    local = np.where(weight > 1e-3 * weight.max(), total / np.maximum(weight, 1e-6), 0)
    result = np.zeros(grid.shape)
    rows = slice(max(top, 0), min(top + shape[0], grid.shape[0]))
    columns = slice(max(left, 0), min(left + shape[1], grid.shape[1]))
    if rows.start < rows.stop and columns.start < columns.stop:
        result[rows, columns] = local[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    return result


@functools.lru_cache(maxsize=64)
def _gaussian_transfer(shape: tuple[int, int], sigma: float) -> np.ndarray:
    """Return the transfer function of a Gaussian of `sigma` pixels, for `rfft2`."""
    fy, fx = np.fft.fftfreq(shape[0]), np.fft.rfftfreq(shape[1])
    return np.exp(-2 * (np.pi * sigma) ** 2 * (fy[:, None] ** 2 + fx**2)).astype(np.float32)


def _stamped(path: np.ndarray, place: np.ndarray, body: CellBody, grid: Grid) -> np.ndarray:
    """Return a path (rows, columns) with that through the granules, m: a Gaussian of peak √(2π) σ Δn each."""
    from bridge.kernels import stamp

    x = (np.real(place) - grid.x0) / grid.pixel_size - 0.5
    y = (np.imag(place) - grid.y0) / grid.pixel_size - 0.5
    peak = np.sqrt(2 * np.pi) * body.granule_sigma * body.granule_index
    stamp(x, y, body.granule_sigma / grid.pixel_size, peak, _WINDOW, path)
    return path
