"""Light through a thin object and a microscope of finite aperture, partially coherent and out of focus.

Pure functions on arrays, in SI. A field is complex (rows, columns) and 1 where nothing is in the
way; an intensity is 1 there too. Row numbers grow with y.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.fft

if TYPE_CHECKING:
    from bridge.microscope import Microscope

fft: Any = scipy.fft  # its dispatch hides the types; twice as fast as NumPy's on stacks of small planes

_BATCH = 2**19  # points of a stack of planes that are transformed at once: what a core's cache holds


def illumination(microscope: Microscope, directions: int) -> np.ndarray:
    """Return the directions of the light as sines along x and y (directions, 2), even over the condenser's disc.

    Notes
    -----
    A sunflower spiral (Vogel 1979): equal areas, no preferred axis; deterministic. Without `coherence` a single
    direction along the axis is left.
    """
    if not microscope.has("coherence"):
        return np.zeros((1, 2))
    if microscope.condenser_na == 0:
        directions = 1
    n = np.arange(directions)
    radius = microscope.condenser_na * np.sqrt((n + 0.5) / directions) * (directions > 1)
    angle = n * np.pi * (3 - np.sqrt(5))
    spiral = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return spiral + np.array([microscope.condenser_x, microscope.condenser_y])


def bright_field(
    field: np.ndarray, pixel_size: float, microscope: Microscope, defocus: float, directions: int | None = None
) -> np.ndarray:
    """Return the intensity (…, rows, columns) float32, averaged over each pixel, without noise.

    Parameters
    ----------
    field
        Transmission of one object or several, complex (…, rows, columns); taken as periodic, so leave a margin.
    pixel_size
        Pixel of `field` and of the result (m).
    microscope
        Aperture, light, medium and blur.
    defocus
        Distance of the focal plane above the object (m).
    directions
        Directions of the light that are summed; None for the microscope's.

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
    from bridge.kernels import add_power

    shape = field.shape[-2:]
    light = illumination(microscope, directions or microscope.directions)
    step = 1 / (np.array(shape) * pixel_size)
    half = np.array(
        [fft.next_fast_len(int(np.ceil(n)) + 1) for n in 2 * microscope.aperture_na / microscope.wavelength / step]
    )
    shifts = np.rint(light[:, ::-1] / microscope.wavelength / step).astype(int)
    start = np.array(shape) // 2 - shifts - half
    if (start < 0).any() or (start + 2 * half > shape).any():
        raise ValueError(f"pixel_size = {pixel_size:g} m is too coarse for objective_na = {microscope.aperture_na:g}")
    spectrum = fft.fftshift(fft.fft2(field.astype(np.complex64), norm="forward"), axes=(-2, -1))
    planes = spectrum.reshape(-1, *shape)
    intensity = np.zeros((len(planes), *(2 * half)), np.float32)
    rows, columns = lit = tuple(
        slice(n - n // 2 - 2, n + n // 2 + 3) for n in half
    )  # what the aperture lets light into
    together = max(1, int(_BATCH // intensity.size))
    for first in range(0, len(light), together):
        chosen = slice(first, first + together)
        pupils = _pupils(tuple(shape), pixel_size, tuple(half), microscope, defocus, len(light), chosen)
        waves = np.zeros((len(pupils), *intensity.shape), np.complex64)
        for wave, pupil, (y, x) in zip(waves, pupils, start[chosen], strict=True):
            cut = planes[:, y + rows.start : y + rows.stop, x + columns.start : x + columns.stop]
            np.multiply(cut, pupil, out=wave[:, *lit])  # a spectrum off its centre turns the wave's phase alone
        waves[..., columns] = fft.ifft(waves[..., columns], axis=-2, norm="forward", overwrite_x=True)
        waves = fft.ifft(waves, axis=-1, norm="forward", overwrite_x=True)
        add_power(waves, intensity)
    seen = _onto_pixels(intensity / np.float32(len(light)), shape, microscope.blur / pixel_size)
    return seen.reshape(field.shape)


def _pupils(
    shape: tuple[int, int],
    pixel_size: float,
    half: tuple[int, int],
    microscope: Microscope,
    defocus: float,
    directions: int,
    chosen: slice,
) -> np.ndarray:
    """Return aperture and phase of the defocus for some directions (chosen, lit rows, lit columns) complex64."""
    rim, along = (values[chosen] for values in _aperture(shape, pixel_size, half, microscope, directions))
    phase = np.float32(2 * np.pi * defocus) * along
    pupils = np.empty(phase.shape, np.complex64)
    np.multiply(rim, np.cos(phase), out=pupils.real)
    np.multiply(rim, np.sin(phase), out=pupils.imag)
    return pupils


@functools.lru_cache(maxsize=16)
def _aperture(
    shape: tuple[int, int], pixel_size: float, half: tuple[int, int], microscope: Microscope, directions: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return, for each direction, what the aperture passes and the wave's frequency along the axis (1/m).

    Notes
    -----
    The spectrum is moved by whole steps; what a direction lies beside them moves the aperture instead, and the
    aperture's rim fades over one step, so that a picture hardly depends on the size of the grid. The frequency
    along the axis is counted from that of the axial wave, which keeps it exact in single precision.
    """
    step = 1 / (np.array(shape) * pixel_size)
    exact = illumination(microscope, directions)[:, ::-1] / microscope.wavelength / step
    aside = (exact - np.rint(exact)) * step
    y, x = (np.arange(-(n // 2) - 2, n // 2 + 3) * s for n, s in zip(half, step, strict=True))
    square = (y + aside[:, :1])[:, :, None] ** 2 + (x + aside[:, 1:])[:, None, :] ** 2
    rim = np.clip((microscope.aperture_na / microscope.wavelength - np.sqrt(square)) / step.max() + 0.5, 0, 1)
    axial = microscope.medium_index / microscope.wavelength
    along = np.where(rim > 0, np.sqrt(np.maximum(axial**2 - square, 0)) - axial, 0)
    return rim.astype(np.float32), along.astype(np.float32)


def _onto_pixels(intensity: np.ndarray, shape: tuple[int, ...], blur: float) -> np.ndarray:
    """Return band-limited periodic images (k, …) on a finer grid, averaged over the fine pixels and blurred (px)."""
    coarse = fft.rfft2(intensity, norm="forward")
    spectrum = np.zeros((len(intensity), shape[0], shape[1] // 2 + 1), coarse.dtype)
    half, columns = intensity.shape[1] // 2, min(coarse.shape[2], spectrum.shape[2])
    spectrum[:, :half, :columns] = coarse[:, :half, :columns]
    spectrum[:, -half:, :columns] = coarse[:, -half:, :columns]
    fy, fx = fft.fftfreq(shape[0]), fft.rfftfreq(shape[1])
    across, along = (np.sinc(f) * np.exp(-2 * (np.pi * f * blur) ** 2) for f in (fy, fx))
    spectrum *= across.astype(np.float32)[:, None]
    spectrum *= along.astype(np.float32)
    return fft.irfft2(spectrum, shape, norm="forward", overwrite_x=True)
