"""The camera: an uneven lamp, electrons with their noise, grey values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from bridge.body import Grid
    from bridge.microscope import Microscope


@dataclass(frozen=True)
class Lamp:
    """Uneven illumination: a gradient and a bowl over the channel's coordinates."""

    coefficients: tuple[float, float, float]
    """Relative change along x, along y, and of the bowl (1)."""
    range: float
    """Distance over which they apply (m)."""

    @classmethod
    def draw(cls, microscope: Microscope, rng: np.random.Generator) -> Lamp:
        """Draw a lamp; without `illumination` it is even."""
        along, across, bowl = rng.normal(0, microscope.unevenness, 3) * microscope.has("illumination")
        return cls((float(along), float(across), float(bowl)), microscope.lamp_range)

    def on(self, grid: Grid) -> np.ndarray:
        """Return the relative brightness (rows, columns)."""
        along, across, bowl = self.coefficients
        x, y = (axis / self.range for axis in grid.axes())
        return ((1 + across * y + bowl * y**2)[:, None] + (along * x + bowl * x**2)).astype(np.float32)


def camera(intensity: np.ndarray, microscope: Microscope, rng: np.random.Generator) -> np.ndarray:
    """Return the picture (rows, columns) with shot and read noise, uint8, or uint16 beyond 8 bits.

    Notes
    -----
    The shot noise of some thousand electrons is Gaussian to within what 8 bits show. Of 16 bits the camera's are the
    upper ones, so that a full pixel is white at any bit depth.
    """
    from bridge.kernels import expose

    read_noise = microscope.read_noise if microscope.has("read-noise") else 0.0
    shot_noise = microscope.has("shot-noise")
    noisy = shot_noise or read_noise
    noise = _grain(intensity.shape, microscope.noise_blur, rng) if noisy else np.zeros(intensity.shape, np.float32)
    grey = np.empty(intensity.shape, np.uint8 if microscope.bit_depth == 8 else np.uint16)
    levels = 2**microscope.bit_depth - 1
    flare, white = np.float32(microscope.flare), np.float32(microscope.background * microscope.full_well)
    shot, read, scale = np.float32(shot_noise), np.float32(read_noise**2), np.float32(levels / microscope.full_well)
    expose(np.asarray(intensity, np.float32), noise, flare, white, shot, read, scale, np.float32(levels), grey)
    return grey if microscope.bit_depth == 8 else grey << (16 - microscope.bit_depth)


def _grain(shape: tuple[int, ...], blur: float, rng: np.random.Generator) -> np.ndarray:
    """Return Gaussian noise of unit variance, smoothed over `blur` pixels."""
    noise = rng.standard_normal(shape, np.float32)
    if blur == 0:
        return noise
    from scipy.ndimage import gaussian_filter, gaussian_filter1d

    impulse = np.zeros(2 * int(np.ceil(5 * blur)) + 1)
    impulse[len(impulse) // 2] = 1
    kept = (gaussian_filter1d(impulse, blur) ** 2).sum()  # of the variance, along either axis
    return np.asarray(gaussian_filter(noise, blur, mode="wrap")) / np.float32(kept)
