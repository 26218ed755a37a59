"""A cell as light sees it: its inner structure, its thickness, and how the material carries what is inside.

A two-dimensional run knows the outline alone. Its cell is given the depth of the sphere it was at
rest: the area within the outline is conserved, so the mean thickness stays 4R/3, and the thickness
falls to zero on the outline as that of a sphere or an ellipsoid does.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from bridge.looks import CellOptics

DEPTH_RULE = (
    "two-dimensional outline; thickness proportional to the root of the outline's torsion function (sphere for a "
    "circle, ellipsoid for an ellipse), scaled to the volume 4/3 R A, with R the radius at rest and A the area"
)
"""What the pictures of a two-dimensional run assume about its depth; written to a dataset's meta."""

_DEGREE = 14  # of the harmonic polynomial: within 1 % of degree 48 for a stadium of aspect 6
_MODES = 32  # Fourier modes of the material map
_SKIN = 0.93  # of the radius: granules keep off the rest


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
        columns, rows = self.shape[1], self.shape[0]
        left, right = (int(min(max(v, 0), columns)) for v in (low[0], high[0]))
        top, bottom = (int(min(max(v, 0), rows)) for v in (low[1], high[1]))
        x0, y0 = self.x0 + left * self.pixel_size, self.y0 + top * self.pixel_size
        return Grid(x0, y0, self.pixel_size, (bottom - top, right - left)), (slice(top, bottom), slice(left, right))

    def axes(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the pixel centres along x (columns,) and along y (rows,), m."""
        y, x = (np.arange(n) + 0.5 for n in self.shape)
        return self.x0 + x * self.pixel_size, self.y0 + y * self.pixel_size


@dataclass(frozen=True)
class CellBody:
    """One cell's inner structure, fixed to its material.

    Material points are positions at rest, from the centre, over the radius: in the unit ball, or in its middle plane,
    x + iy in the unit disc.
    """

    radius: float
    """Radius at rest (m)."""
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
    """Material points of the granules (G, 3)."""
    granule_sigma: np.ndarray
    """Standard deviations of their Gaussian profiles (G,), m."""
    granule_index: np.ndarray
    """Their excess refractive index (G,)."""

    @cached_property
    def rim(self) -> np.ndarray:
        """Material points (120,) complex of the nucleus's outline."""
        return self.nucleus_centre + self.nucleus_ratio * np.exp(2j * np.pi * np.arange(120) / 120)

    def material(self) -> np.ndarray:
        """Return all material points that are carried (P + 120 + G, 3): texture, rim of the nucleus, granules."""
        flat = np.concatenate([self.points, self.rim])
        middle = np.stack([np.real(flat), np.imag(flat), np.zeros(len(flat))], axis=1)
        return np.concatenate([middle, self.granules])

    def split(self, place: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return places of all `material` points (…,) as those of texture, rim of the nucleus and granules."""
        texture, rim = len(self.points), len(self.points) + len(self.rim)
        return place[:texture], place[texture:rim], place[rim:]

    @cached_property
    def powers(self) -> np.ndarray:
        """Powers of all `material` points seen along the optical axis (2 modes, points), for `MaterialMap`."""
        return powers(_complex(self.material()[:, :2]))

    @cached_property
    def harmonics(self) -> np.ndarray:
        """Solid harmonics of all `material` points (terms, points), for `bridge.solid.SolidMap`."""
        from bridge.solid import solid_harmonics

        return solid_harmonics(self.material())


def draw_body(
    optics: CellOptics, radius: float, rng: np.random.Generator, nucleus: tuple[complex, float] | None = None
) -> CellBody:
    """Draw the inner structure of a cell.

    Parameters
    ----------
    optics
        Kind of cell.
    radius
        Radius at rest (m).
    rng
        Source of randomness.
    nucleus
        Material point of the nucleus's centre and its radius over the cell's, where the run knows them; None to draw.
    """
    ratio = float(np.clip(rng.normal(optics.nucleus_ratio, optics.nucleus_ratio_spread), 0.2, 0.95))
    place = complex(rng.uniform(0, 0.6 * (1 - ratio)) * np.exp(2j * np.pi * rng.random()))
    place, ratio = nucleus or (place, ratio)
    points, field = _fluctuation(optics.fluctuation_length / radius, rng)
    granules = _organelles(optics, radius, place, ratio, rng)
    size, index = optics.granule_size_spread, optics.granule_index_spread
    return CellBody(
        radius=radius,
        cytoplasm=float(rng.normal(optics.cytoplasm, optics.index_spread)),
        nucleus=float(rng.normal(optics.nucleus, optics.index_spread)),
        nucleus_centre=place,
        nucleus_ratio=ratio,
        points=points,
        fluctuation=field,
        fluctuation_path=optics.fluctuation * np.sqrt(2 * np.sqrt(np.pi) * optics.fluctuation_length),
        granules=granules,
        granule_sigma=optics.granule_size * np.exp(rng.normal(0, size, len(granules))),
        granule_index=optics.granule_index * np.exp(rng.normal(0, index, len(granules))),
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


def _organelles(
    optics: CellOptics, radius: float, place: complex, ratio: float, rng: np.random.Generator
) -> np.ndarray:
    """Return the granules' material points (G, 3): short chains of beads outside the nucleus, off the cell's skin."""
    beads = optics.granule_chain
    count = rng.poisson(optics.granule_density / beads * 4 / 3 * np.pi * radius**3)
    direction = rng.standard_normal((count, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    point = direction * (_SKIN * rng.random((count, 1)) ** (1 / 3))
    length = 1 + rng.poisson(beads - 1, count)
    first = np.repeat(np.cumsum(length) - length, length)
    steps = rng.standard_normal((length.sum(), 3)) * (1.2 * optics.granule_size / radius)
    walk = np.cumsum(steps, axis=0)
    bead = np.repeat(point, length, axis=0) + walk - walk[first]
    outside = (bead[:, 0] - place.real) ** 2 + (bead[:, 1] - place.imag) ** 2 + bead[:, 2] ** 2 > ratio**2
    return bead[outside & ((bead**2).sum(axis=1) < _SKIN**2)]


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
        return self.at(powers(np.ravel(material))).reshape(np.shape(material))

    def at(self, known: np.ndarray) -> np.ndarray:
        """Return where material points of given `powers` (2 modes, points) are, x + iy (m)."""
        from bridge.kernels import weighted_sums

        # Not BLAS: its threads wait for each other for ever where films call it from several threads at once.
        total, rest = self.f + self.g, self.f - self.g
        real, imaginary = np.stack([np.real(total), np.imag(rest)], 1), np.stack([-np.imag(total), np.real(rest)], 1)
        weight = np.concatenate([real, imaginary])
        sums = np.empty((2, known.shape[1]))
        weighted_sums(weight, known, sums)
        return sums[0] + 1j * sums[1]


def powers(material: np.ndarray) -> np.ndarray:
    """Return the powers 0, 1, … of material points (P,) complex: their real parts, then the imaginary (2 modes, P)."""
    result = np.ones((_MODES + 1, len(material)), complex)
    for mode in range(_MODES):
        np.multiply(result[mode], material, out=result[mode + 1])
    return np.concatenate([np.real(result), np.imag(result)])


def material_map(rest: np.ndarray, deformed: np.ndarray) -> MaterialMap:
    """Return the map from the material of a round cell at rest to its deformed state.

    Parameters
    ----------
    rest, deformed
        Outline (V, 2) in m; the same node in both is the same piece of membrane.
    """
    spoke = _complex(rest - rest.mean(axis=0))
    angle = np.angle(spoke)
    uniform = 2 * np.pi * np.arange(4 * _MODES) / (4 * _MODES)
    place = _complex(deformed)
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
    Each edge adds its rise to all pixels on its right and, of a pixel that it crosses, the part that lies right of it:
    areas are exact.
    """
    from bridge.kernels import cover

    sums = np.zeros((grid.shape[0], grid.shape[1] + 1))
    cover((outline[:, 0] - grid.x0) / grid.pixel_size, (outline[:, 1] - grid.y0) / grid.pixel_size, sums)
    return sums[:, :-1]


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
    from bridge.kernels import torsion_root

    near, window = grid.around(outline, 1)
    profile = coverage(outline, near)
    ring = _complex(outline)
    centre = ring.mean()
    scale = np.abs(ring - centre).max()
    ring = (ring - centre) / scale
    terms = np.vander(ring, min(_DEGREE, len(ring) // 3) + 1, increasing=True)
    fit = np.linalg.lstsq(np.hstack([np.real(terms), -np.imag(terms)]), np.abs(ring) ** 2 / 4, rcond=None)[0]
    x, y = near.axes()
    torsion_root(
        (x - centre.real) / scale,
        (y - centre.imag) / scale,
        fit[: terms.shape[1]] + 1j * fit[terms.shape[1] :],
        profile,
    )
    result = np.zeros(grid.shape)
    result[window] = profile * (volume / (profile.sum() * grid.pixel_size**2))
    return result


def _complex(points: np.ndarray) -> np.ndarray:
    """Return points (n, 2) as complex numbers (n,)."""
    return points[:, 0] + 1j * points[:, 1]
