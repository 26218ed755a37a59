"""A cell as light sees it: its inner structure, its thickness, and how the material carries what is inside.

A two-dimensional run knows the outline alone. Its cell is given the depth of the sphere it was at
rest: the area within the outline is conserved, so the mean thickness stays 4R/3, and the thickness
falls to zero on the outline as that of a sphere or an ellipsoid does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.polynomial.polynomial import polyval

DEPTH_RULE = (
    "two-dimensional outline; thickness proportional to the root of the outline's torsion function (sphere for a "
    "circle, ellipsoid for an ellipse), scaled to the volume 4/3 R A, with R the radius at rest and A the area"
)
"""What the pictures of a two-dimensional run assume about its depth; written to a dataset's meta."""

_PIECES = 8  # of an edge per pixel: position errors within a pixel stay below 1 %, the area is exact anyway
_DEGREE = 14  # of the harmonic polynomial: within 1 % of degree 48 for a stadium of aspect 6
_MODES = 32  # Fourier modes of the material map


class Grid(NamedTuple):
    """Square pixels in the channel's coordinates; columns go along x, rows along y."""

    x0: float
    """Left edge of column 0 (m)."""
    y0: float
    """Edge of row 0, the smallest y (m)."""
    pixel_size: float
    """Edge of a pixel (m)."""
    shape: tuple[int, int]
    """Rows, columns."""

    @classmethod
    def centred(cls, x: float, y: float, pixel_size: float, shape: tuple[int, int]) -> Grid:
        """Return the grid whose middle lies at `x`, `y` (m)."""
        return cls(x - shape[1] * pixel_size / 2, y - shape[0] * pixel_size / 2, pixel_size, shape)

    def around(self, outline: np.ndarray, margin: int) -> tuple[Grid, tuple[slice, slice]]:
        """Return the part of the grid that holds an outline (V, 2) and `margin` pixels more, and where it lies."""
        low = np.floor((outline.min(axis=0) - (self.x0, self.y0)) / self.pixel_size).astype(int) - margin
        high = np.ceil((outline.max(axis=0) - (self.x0, self.y0)) / self.pixel_size).astype(int) + margin
        (left, top), (right, bottom) = np.clip(low, 0, self.shape[::-1]), np.clip(high, 0, self.shape[::-1])
        x0, y0 = self.x0 + left * self.pixel_size, self.y0 + top * self.pixel_size
        return Grid(x0, y0, self.pixel_size, (bottom - top, right - left)), (slice(top, bottom), slice(left, right))

    def axes(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the pixel centres along x (columns,) and along y (rows,), m."""
        y, x = (np.arange(n) + 0.5 for n in self.shape)
        return self.x0 + x * self.pixel_size, self.y0 + y * self.pixel_size


@dataclass(frozen=True)
class CellOptics:
    """What light meets in one kind of cell.

    Refractive indices at 550 nm. Cytoplasm 1.368 and nucleus 1.360 (lower than the cytoplasm by
    quantitative phase imaging) follow the project's survey of published values (muscle cells
    1.360 ± 0.004, Curl 2005; Schürmann 2016 for the nucleus); their spread over cells, the
    fluctuations and the granules are engineering choices, set by eye against Fig. 1 b(iii) of the paper.
    """

    cytoplasm: float = 1.368
    """Refractive index of the cytoplasm, mean over cells (1)."""
    nucleus: float = 1.360
    """Refractive index of the nucleus, mean over cells (1)."""
    index_spread: float = 0.002
    """Standard deviation over cells of either index (1)."""
    nucleus_ratio: float = 0.65
    """Diameter of the nucleus over that of the cell (1)."""
    fluctuation: float = 0.008
    """Standard deviation of the index within the cytoplasm (1)."""
    fluctuation_length: float = 0.35e-6
    """Standard deviation of the Gaussian that the index fluctuations are smoothed with (m)."""
    granule_density: float = 0.16e18
    """Granules (mitochondria, lysosomes, lipid) per volume outside the nucleus (1/m³)."""
    granule_index: float = 0.08
    """Median excess of a granule's index over the cytoplasm's (1)."""
    granule_size: float = 0.25e-6
    """Median standard deviation of a granule's Gaussian profile (m)."""


OPTICS = {
    "hct116": CellOptics(),
    "hct116_stiffened": CellOptics(cytoplasm=1.366, nucleus=1.358),
    "wbc": CellOptics(cytoplasm=1.370, nucleus=1.366, nucleus_ratio=0.80),
}
"""Optics by the class of a cell (values of the project's survey); other classes get the defaults.

Fixation lowers the index by the order of 1e-3, and no more than that tells the stiffened cells from `hct116`; the
nucleus of `wbc` is the survey's estimate."""


@dataclass(frozen=True)
class CellBody:
    """One cell's inner structure, fixed to its material.

    Material points are complex numbers in the unit disc: the position at rest, from the centre, over the radius.
    """

    cytoplasm: float
    """Refractive index (1)."""
    nucleus: float
    """Refractive index (1)."""
    nucleus_centre: complex
    """Material point."""
    nucleus_ratio: float
    """Radius of the nucleus over the cell's (1)."""
    points: np.ndarray
    """Material points (P,) complex at which the index fluctuations are known."""
    fluctuation: np.ndarray
    """Index fluctuation there (P,), of unit variance (1)."""
    fluctuation_path: float
    """Path fluctuation over the root of the thickness: index deviation times root of the length (m^½)."""
    granules: np.ndarray
    """Material points of the granules (G,) complex."""
    granule_sigma: np.ndarray
    """Standard deviations of their Gaussian profiles (G,), m."""
    granule_index: np.ndarray
    """Their excess refractive index (G,)."""


def draw_body(optics: CellOptics, radius: float, rng: np.random.Generator) -> CellBody:
    """Draw the inner structure of a cell.

    Parameters
    ----------
    optics
        Kind of cell.
    radius
        Radius at rest (m).
    rng
        Source of randomness.
    """
    ratio = float(np.clip(rng.normal(optics.nucleus_ratio, 0.03), 0.2, 0.9))
    place = rng.uniform(0, 0.6 * (1 - ratio)) * np.exp(2j * np.pi * rng.random())
    points, field = _fluctuation(optics.fluctuation_length / radius, rng)
    granules, height = _points_in_ball(rng.poisson(optics.granule_density * 4 / 3 * np.pi * radius**3), rng)
    outside = np.abs(granules - place) ** 2 + height**2 > ratio**2
    granules = granules[outside]
    return CellBody(
        cytoplasm=float(rng.normal(optics.cytoplasm, optics.index_spread)),
        nucleus=float(rng.normal(optics.nucleus, optics.index_spread)),
        nucleus_centre=complex(place),
        nucleus_ratio=ratio,
        points=points,
        fluctuation=field,
        fluctuation_path=optics.fluctuation * np.sqrt(2 * np.sqrt(np.pi) * optics.fluctuation_length),
        granules=granules,
        granule_sigma=optics.granule_size * np.exp(rng.normal(0, 0.3, len(granules))),
        granule_index=optics.granule_index * np.exp(rng.normal(0, 0.5, len(granules))),
    )


def _fluctuation(length: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return material points and white noise smoothed over `length` (in radii), of unit variance."""
    step = length / 2
    n = 2 * int(np.ceil(1 / step)) + 2
    frequency = np.fft.fftfreq(n, step)
    transfer = np.exp(-2 * (np.pi * length) ** 2 * (frequency[:, None] ** 2 + frequency**2))
    field = np.real(np.fft.ifft2(np.fft.fft2(rng.standard_normal((n, n))) * transfer))
    field = (field - field.mean()) / field.std()
    axis = (np.arange(n) - (n - 1) / 2) * step
    points = axis + 1j * axis[:, None]
    inside = np.abs(points) <= 1
    return points[inside], field[inside]


def _points_in_ball(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return `count` points uniform in the unit ball, kept off its skin: in the plane (complex), height."""
    direction = rng.standard_normal((count, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    point = direction * (0.93 * rng.random((count, 1)) ** (1 / 3))
    return point[:, 0] + 1j * point[:, 1], point[:, 2]


class MaterialMap(NamedTuple):
    """The harmonic map f(ζ) + conj(g(ζ)) from the unit disc at rest to the deformed cell.

    It takes the outline's nodes where the membrane took them and fills the inside as smoothly as
    can be; onto a convex outline it is one-to-one (Radó-Kneser-Choquet).
    """

    f: np.ndarray
    """Coefficients of ζ^0, ζ^1, … (complex, m)."""
    g: np.ndarray
    """Coefficients of ζ^0, ζ^1, …; the first is zero (complex, m)."""

    def __call__(self, material: np.ndarray) -> np.ndarray:
        """Return where material points (complex, unit disc) are, x + iy (m)."""
        return polyval(material, self.f) + np.conj(polyval(material, self.g))


def material_map(rest: np.ndarray, deformed: np.ndarray) -> MaterialMap:
    """Return the map from the material of a round cell at rest to its deformed state.

    Parameters
    ----------
    rest, deformed
        Outline (V, 2) in m; the same node in both is the same piece of membrane.
    """
    spoke = (rest - rest.mean(axis=0)) @ np.array([1, 1j])
    angle = np.angle(spoke)
    uniform = 2 * np.pi * np.arange(4 * _MODES) / (4 * _MODES)
    place = deformed @ np.array([1, 1j])
    ring = np.interp(uniform, angle, np.real(place), period=2 * np.pi) + 1j * np.interp(
        uniform, angle, np.imag(place), period=2 * np.pi
    )
    modes = np.fft.fft(ring) / len(ring)
    g = np.conj(modes[: -_MODES - 1 : -1])
    return MaterialMap(modes[: _MODES + 1], np.concatenate([[0], g]))


def coverage(outline: np.ndarray, grid: Grid) -> np.ndarray:
    """Return how much of each pixel lies within a polygon (rows, columns), 0 to 1.

    Parameters
    ----------
    outline
        Corners (V, 2) of a simple polygon, m; it may reach beyond the grid.
    grid
        The pixels.

    Notes
    -----
    Each edge is cut into pieces shorter than a pixel; a piece adds its rise to all pixels on its
    right and a part to its own. The polygon's total area comes out exactly.
    """
    rows, columns = grid.shape
    corners = (outline - (grid.x0, grid.y0)) / grid.pixel_size
    step = np.roll(corners, -1, axis=0) - corners
    pieces = np.maximum(1, np.ceil(_PIECES * np.abs(step).max(axis=1)).astype(int))
    edge = np.repeat(np.arange(len(corners)), pieces)
    nth = np.arange(len(edge)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    begin = corners[edge, 1] + step[edge, 1] * (nth / pieces[edge])
    end = corners[edge, 1] + step[edge, 1] * ((nth + 1) / pieces[edge])
    x = np.clip(corners[edge, 0] + step[edge, 0] * ((nth + 0.5) / pieces[edge]), 0, columns)
    column = np.minimum(x.astype(int), columns)
    first, last = np.floor(begin), np.floor(end)
    border = np.where(first == last, end, np.maximum(first, last))
    sums = np.zeros(rows * (columns + 2))
    for row, rise in ((first, border - begin), (last, end - border)):
        keep = (row >= 0) & (row < rows)
        at = row[keep].astype(int) * (columns + 2) + column[keep]
        right = (rise * (x - column))[keep]
        sums += np.bincount(at, rise[keep] - right, len(sums)) + np.bincount(at + 1, right, len(sums))
    covered = np.cumsum(sums.reshape(rows, columns + 2), axis=1)[:, :columns]
    return np.clip(np.abs(covered), 0, 1)


def outline_area(outline: np.ndarray) -> float:
    """Return the area within a polygon (V, 2) in m² (shoelace formula)."""
    x, y = (outline - outline.mean(axis=0)).T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def thickness(outline: np.ndarray, grid: Grid, volume: float) -> np.ndarray:
    """Return the thickness (rows, columns) in m of a body with a given outline and volume.

    Parameters
    ----------
    outline
        Corners (V, 2), m; within the grid.
    grid
        The pixels.
    volume
        Volume of the body (m³).

    Notes
    -----
    Thickness ∝ √u with ∇²u = -1 within the outline and u = 0 on it: for a circle a sphere, for an
    ellipse an ellipsoid, for a long slit an elliptic section. u = w - |z|²/4 with w the harmonic
    polynomial that fits |z|²/4 on the outline best.
    """
    inside = coverage(outline, grid)
    rows, columns = np.nonzero(inside)
    ring = outline @ np.array([1, 1j])
    centre = ring.mean()
    scale = np.abs(ring - centre).max()
    ring = (ring - centre) / scale
    x, y = grid.axes()
    at = (x[columns] + 1j * y[rows] - centre) / scale
    powers = np.vander(ring, min(_DEGREE, len(ring) // 3) + 1, increasing=True)
    fit = np.linalg.lstsq(np.hstack([np.real(powers), -np.imag(powers)]), np.abs(ring) ** 2 / 4, rcond=None)[0]
    harmonic = np.real(polyval(at, fit[: powers.shape[1]] + 1j * fit[powers.shape[1] :]))
    profile = np.sqrt(np.maximum(harmonic - (np.real(at) ** 2 + np.imag(at) ** 2) / 4, 0)) * inside[rows, columns]
    result = np.zeros(grid.shape)
    result[rows, columns] = profile * (volume / (profile.sum() * grid.pixel_size**2))
    return result
