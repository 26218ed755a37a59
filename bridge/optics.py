"""The microscope: a thin object in partially coherent light, out of focus, on a noisy 8-bit camera.

Pure functions on arrays, in SI. A field is complex (rows, columns) and 1 where nothing is in the
way; an intensity is 1 there too. Row numbers grow with y.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.fft

from bridge.body import Grid
from bridge.records import DatasetError
from sim.config import ChannelConfig

fft: Any = scipy.fft  # its dispatch hides the types; twice as fast as NumPy's on stacks of small planes


@dataclass(frozen=True)
class Microscope:
    """Objective, condenser, camera and what the channel is made of.

    "Inferred" values were measured on Fig. 1 b(iii) of the paper, which names no objective, no
    condenser setting and no camera model (methods: Nikon Eclipse TE2000-S, Ximea camera).
    """

    pixel_size: float = 1e-6 / 6
    """Camera pixel at the sample, 6.00 px/µm; inferred from the scale bar (m)."""
    wavelength: float = 546e-9
    """Green line of the lamp behind its filter; engineering choice (m)."""
    objective_na: float = 0.45
    """Numerical aperture of a 20x long-distance objective; assumed (1)."""
    condenser_na: float = 0.26
    """Numerical aperture of the illumination, a little over half the objective's; set by eye (1)."""
    condenser_offset: float = 0.12
    """Decentring of the condenser along y: the upper wall is darker than the lower; inferred (1)."""
    directions: int = 13
    """Illumination directions that are summed (1)."""
    defocus: float = 0.3e-6
    """Distance of the focal plane from the cell's middle plane, mean over cells; set by eye (m)."""
    defocus_spread: float = 0.8e-6
    """Standard deviation over cells: they swim at different depths; engineering choice (m)."""
    medium_index: float = 1.336
    """Refractive index of culture medium (1.335 to 1.338) (1)."""
    wall_index: float = 1.41
    """Refractive index of PDMS, Sylgard 184 (1.41 to 1.43) (1)."""
    wall_slope: float = 0.10e-6
    """Width over which a wall leans; light there is refracted out of the aperture; inferred (m)."""
    background: float = 191.0
    """Grey value of the empty channel; inferred (1)."""
    full_well: float = 2900.0
    """Electrons at grey value 255; inferred from a noise of 4.1 at 191 (1)."""
    read_noise: float = 13.0
    """Standard deviation in electrons, of a CMOS camera of the CMV2000 kind; assumed (1)."""
    unevenness: float = 0.03
    """Standard deviation of the lamp's gradients over `lamp_range`; engineering choice (1)."""
    lamp_range: float = 80e-6
    """Distance over which the lamp varies by `unevenness` (m)."""
    exposure: float = 1e-6
    """Time the shutter is open or the flash lasts; engineering choice: 0.15 µm of blur at 150 mm/s (s)."""

    @property
    def oversampling(self) -> int:
        """Into how many parts a pixel's edge is divided so that the parts resolve what the aperture passes."""
        aperture = 2 * self.objective_na + self.condenser_na + abs(self.condenser_offset)
        return max(1, int(np.ceil(self.pixel_size * 2 * aperture / (0.93 * self.wavelength))))


MICROSCOPES = {
    "te2000": Microscope(),
    "rtdc": Microscope(
        pixel_size=0.34e-6,
        wavelength=460e-9,
        objective_na=0.75,
        condenser_na=0.35,
        condenser_offset=0.0,
        directions=21,
        background=150.0,
        exposure=2e-6,
    ),
}
"""Set-ups: `te2000`, the paper's, inferred as said at `Microscope`; `rtdc`, a deformability cytometer with its blue
flash of 2 µs and 0.34 µm pixels (real files of it state both) behind a 40x objective, whose aperture is assumed."""


def illumination(microscope: Microscope) -> np.ndarray:
    """Return the directions of the light as sines along x and y (directions, 2), even over the condenser's disc.

    Notes
    -----
    A sunflower spiral (Vogel 1979): equal areas, no preferred axis; deterministic.
    """
    n = np.arange(microscope.directions)
    radius = microscope.condenser_na * np.sqrt((n + 0.5) / microscope.directions)
    if microscope.directions == 1:
        radius = np.zeros(1)
    angle = n * np.pi * (3 - np.sqrt(5))
    return np.stack([radius * np.cos(angle), radius * np.sin(angle) + microscope.condenser_offset], axis=1)


def bright_field(field: np.ndarray, pixel_size: float, microscope: Microscope, defocus: float) -> np.ndarray:
    """Return the intensity on the camera (rows, columns), averaged over each pixel, without noise.

    Parameters
    ----------
    field
        Transmission of the object, complex (rows, columns); taken as periodic, so leave a margin.
    pixel_size
        Pixel of `field` and of the result (m).
    microscope
        Aperture, light and medium.
    defocus
        Distance of the focal plane above the object (m).

    Raises
    ------
    ValueError
        If the pixels are too coarse for the aperture.

    Notes
    -----
    Abbe's sum: for each direction of the light the object's spectrum is shifted, cut by the
    objective's aperture and propagated to the focal plane; the intensities are added. The aperture
    passes few frequencies, so this is done on a coarse grid that holds them all, and the intensity,
    band-limited too, is brought back to the pixels exactly. The object is taken as thin (Goodman, section 7.2).
    """
    step = 1 / (np.array(field.shape) * pixel_size)
    cutoff = microscope.objective_na / microscope.wavelength
    half = np.array([fft.next_fast_len(int(np.ceil(n)) + 1) for n in 2 * cutoff / step])
    shifts = np.rint(illumination(microscope)[:, ::-1] / microscope.wavelength / step).astype(int)
    start = np.array(field.shape) // 2 - shifts - half
    if (start < 0).any() or (start + 2 * half > field.shape).any():
        raise ValueError(f"pixel_size = {pixel_size:g} m is too coarse for objective_na = {microscope.objective_na:g}")
    pupils = _pupils(field.shape, pixel_size, tuple(half), microscope, defocus)
    spectrum = fft.fftshift(fft.fft2(field.astype(np.complex64), norm="forward"))
    lit = slice(half[1] - half[1] // 2 - 2, half[1] + half[1] // 2 + 3)  # columns the aperture lets light into
    intensity = np.zeros(2 * half, np.float32)
    for (y, x), pupil in zip(start, pupils, strict=True):  # a spectrum off its centre turns the wave's phase alone
        wave = np.zeros(2 * half, np.complex64)
        wave[:, lit] = spectrum[y : y + 2 * half[0], x : x + 2 * half[1]][:, lit] * pupil[:, lit]
        wave[:, lit] = fft.ifft(wave[:, lit], axis=0, norm="forward")
        wave = fft.ifft(wave, axis=1, norm="forward", overwrite_x=True)
        intensity += wave.real**2 + wave.imag**2
    return _onto_pixels(intensity / np.float32(len(start)), field.shape)


@functools.lru_cache(maxsize=32)
def _pupils(
    shape: tuple[int, int], pixel_size: float, half: tuple[int, int], microscope: Microscope, defocus: float
) -> np.ndarray:
    """Return the aperture with the phase of the defocus, for each direction (2 half[0], 2 half[1]) complex64.

    Notes
    -----
    The spectrum is moved by whole steps; what a direction lies beside them moves the aperture instead, and the
    aperture's rim fades over one step, so that a picture hardly depends on the size of the grid.
    """
    step = 1 / (np.array(shape) * pixel_size)
    exact = illumination(microscope)[:, ::-1] / microscope.wavelength / step
    aside = (exact - np.rint(exact)) * step
    y, x = ((np.arange(2 * n) - n) * s for n, s in zip(half, step, strict=True))
    square = (y + aside[:, :1])[:, :, None] ** 2 + (x + aside[:, 1:])[:, None, :] ** 2
    rim = (microscope.objective_na / microscope.wavelength - np.sqrt(square)) / step.max() + 0.5
    inside = rim > 0
    along = np.sqrt((microscope.medium_index / microscope.wavelength) ** 2 - square[inside])
    pupils = np.zeros(square.shape, np.complex64)
    pupils[inside] = np.minimum(rim[inside], 1) * np.exp(2j * np.pi * defocus * along)
    return pupils


def _onto_pixels(intensity: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return a band-limited periodic image on a finer grid, averaged over the fine pixels."""
    coarse = fft.rfft2(intensity, norm="forward")
    spectrum = np.zeros((shape[0], shape[1] // 2 + 1), coarse.dtype)
    half, columns = intensity.shape[0] // 2, coarse.shape[1]
    spectrum[:half, :columns], spectrum[-half:, :columns] = coarse[:half], coarse[-half:]
    spectrum *= np.sinc(fft.fftfreq(shape[0])).astype(np.float32)[:, None]
    spectrum *= np.sinc(fft.rfftfreq(shape[1])).astype(np.float32)
    return fft.irfft2(spectrum, shape, norm="forward", overwrite_x=True)


def object_field(path: np.ndarray, channel: ChannelConfig, grid: Grid, microscope: Microscope) -> np.ndarray:
    """Return the transmission of a cell in its channel, complex (rows, columns).

    Parameters
    ----------
    path
        Optical path the cell adds (rows, columns), m.
    channel
        Outline and depth of the channel.
    grid
        The pixels of `path`.
    microscope
        Wavelength, indices and the lean of the walls.

    Notes
    -----
    A pixel on a wall mixes complex amplitudes by area: the wall's phase is several turns, so its
    mean would mean nothing. The cell's phase is given to all light of its pixels, for it ends at the wall.
    """
    wave = 2 * np.pi / microscope.wavelength
    beyond = np.exp(1j * wave * (microscope.wall_index - microscope.medium_index) * channel.depth)
    wall = 1 - channel_coverage(channel, grid, microscope.wall_slope)
    field = channel_coverage(channel, grid, 0.0) + wall * np.complex64(beyond)
    cell = path != 0
    field[cell] *= np.exp(1j * wave * path[cell])
    return field


def channel_coverage(channel: ChannelConfig, grid: Grid, margin: float) -> np.ndarray:
    """Return how much of each pixel lies within the channel widened by `margin` (m) on either side.

    Raises
    ------
    DatasetError
        If the channel is a drawn one.
    """
    if channel.kind not in ("constriction", "straight", "couette"):
        raise DatasetError(f"channel.kind = {channel.kind!r}: only constrictions and plane channels can be pictured")
    half, wide = channel.gap / 2 + margin, channel.height / 2 + margin
    starts = channel.period * np.arange(channel.count)
    ends = starts + channel.constriction_length
    corners = np.stack([starts - channel.entry_taper, starts, ends, ends + channel.exit_taper], axis=1).ravel()
    heights = np.tile([wide, half, half, wide], channel.count)
    x, y = grid.axes()
    reach = np.interp(x, corners, heights) - np.abs(y)[:, None]
    return np.clip(reach.astype(np.float32) / np.float32(grid.pixel_size) + np.float32(0.5), 0, 1)


@dataclass(frozen=True)
class Lamp:
    """Uneven illumination: a gradient and a bowl over the channel's coordinates."""

    coefficients: tuple[float, float, float]
    """Relative change along x, along y, and of the bowl (1)."""
    range: float
    """Distance over which they apply (m)."""

    @classmethod
    def draw(cls, microscope: Microscope, rng: np.random.Generator) -> Lamp:
        """Draw a lamp."""
        along, across, bowl = rng.normal(0, microscope.unevenness, 3)
        return cls((float(along), float(across), float(bowl)), microscope.lamp_range)

    def on(self, grid: Grid) -> np.ndarray:
        """Return the relative brightness (rows, columns)."""
        along, across, bowl = self.coefficients
        x, y = (axis / self.range for axis in grid.axes())
        return ((1 + across * y + bowl * y**2)[:, None] + (along * x + bowl * x**2)).astype(np.float32)


def camera(intensity: np.ndarray, microscope: Microscope, rng: np.random.Generator) -> np.ndarray:
    """Return the picture (rows, columns) uint8 with shot and read noise.

    Notes
    -----
    The shot noise of some thousand electrons is Gaussian to within what 8 bits show.
    """
    bright = np.maximum(intensity.astype(np.float32), 0)
    electrons = bright * (microscope.background / 255 * microscope.full_well)
    noise = np.sqrt(electrons + microscope.read_noise**2) * rng.standard_normal(intensity.shape, np.float32)
    grey = (electrons + noise) * (255 / microscope.full_well)
    return np.clip(np.rint(grey), 0, 255).astype(np.uint8)
