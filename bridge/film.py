"""What a high-speed camera records of a run: frames of the channel with the cells passing, and the truth of each."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from bridge.body import Grid
from bridge.scene import Pose, Scene, picture

if TYPE_CHECKING:
    from bridge.motion import Motion
    from bridge.optics import Microscope
    from sim.config import ChannelConfig

TRUTH = {
    "frame": ("1", "number of the frame, from 0"),
    "cell": ("1", "number of the cell, from 0"),
    "time": ("s", "middle of the exposure, since the film's start"),
    "x": ("m", "centroid along the channel; 0 = entry plane of the constriction"),
    "y": ("m", "centroid across the channel; 0 = centre line"),
    "vx": ("m/s", "velocity of the centroid along the channel"),
    "vy": ("m/s", "velocity of the centroid across the channel"),
    "rear_x": ("m", "trailing edge"),
    "front_x": ("m", "leading edge"),
    "length": ("m", "extent of the outline along the channel"),
    "height": ("m", "extent of the outline across the channel"),
    "di": ("1", "deformation index of the outline's bounding box"),
    "major_axis": ("m", "major axis of the ellipse of equal second moments"),
    "minor_axis": ("m", "minor axis of the ellipse of equal second moments"),
    "di_ellipse": ("1", "deformation index of that ellipse"),
    "area": ("m²", "area within the outline"),
    "mask_area": ("px", "pixels of the frame that the outline covers by half or more"),
}
"""Columns of the truth: unit and meaning."""

_EDGE = 32  # pixels beyond the frame, so that a cell at its rim is right too
_REACH = 8e-6  # m around a cell within which it changes the light: measured, beyond it 0.5 grey values rms


class Actor(NamedTuple):
    """One cell of a film."""

    motion: Motion
    scene: Scene
    delay: float = 0.0
    """When its run starts in the film (s)."""


class Shot(NamedTuple):
    """One frame of a film."""

    image: np.ndarray
    """What the camera records (rows, columns) uint8."""
    mask: np.ndarray
    """The cells' outlines, filled (rows, columns) uint8, 0 or 255."""
    truth: list[dict[str, float]]
    """For each cell in view one row with the columns `TRUTH`."""


@dataclass(frozen=True)
class Film:
    """A camera on a channel through which cells pass.

    Notes
    -----
    The empty channel is pictured once; for each frame only the patch around a cell is propagated anew. Motion
    blur averages the change that the cell makes to the background along its way during the exposure; that the
    cell's shape changes within the exposure is left out.
    """

    actors: Sequence[Actor]
    """The cells; the first one's lamp and focus are those of the film."""
    channel: ChannelConfig
    microscope: Microscope
    grid: Grid
    """The camera's pixels."""
    frame_rate: float
    """Frames per second (Hz)."""
    seed: Sequence[int]
    """Seeds the noise: same seed, same bytes."""

    @cached_property
    def times(self) -> np.ndarray:
        """Middle of each exposure (s)."""
        start = min(actor.delay + actor.motion.start for actor in self.actors)
        end = max(actor.delay + actor.motion.end for actor in self.actors)
        return start + np.arange(int((end - start) * self.frame_rate * (1 + 1e-12)) + 1) / self.frame_rate

    @cached_property
    def _wide(self) -> Grid:
        """The camera's pixels and some around them."""
        grid, pixel = self.grid, self.grid.pixel_size
        shape = (grid.shape[0] + 2 * _EDGE, grid.shape[1] + 2 * _EDGE)
        return Grid(grid.x0 - _EDGE * pixel, grid.y0 - _EDGE * pixel, pixel, shape)

    @cached_property
    def _background(self) -> np.ndarray:
        """The empty channel on `_wide` under even light."""
        return picture(None, self.channel, self.actors[0].scene, self.microscope, self._wide)

    @cached_property
    def _lamp(self) -> np.ndarray:
        return self.actors[0].scene.lamp.on(self.grid)

    def shots(self, threads: int = 2) -> Iterator[Shot]:
        """Yield the frames in order; what they hold does not depend on the number of threads."""
        _ = self._background, self._lamp  # once, before the threads share them
        waiting: deque[Future[Shot]] = deque()
        with ThreadPoolExecutor(threads) as pool:
            for number in range(len(self.times)):
                waiting.append(pool.submit(self.shot, number))
                if len(waiting) > 2 * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    def shot(self, number: int) -> Shot:
        """Return one frame."""
        from bridge.optics import camera
        from bridge.path import silhouette

        time = float(self.times[number])
        light = self._background.copy()
        covered = np.zeros(self.grid.shape)
        truth = []
        for index, actor in enumerate(self.actors):
            local = time - actor.delay
            if not actor.motion.start <= local <= actor.motion.end:
                continue
            cell, velocity = actor.motion.pose(local), actor.motion.velocity(local)
            self._add(light, cell, actor.scene, velocity)
            mine = silhouette(cell.nodes, cell.faces, self.grid)
            covered = np.maximum(covered, mine)
            row = {"frame": number, "cell": index, "time": time, "vx": velocity[0], "vy": velocity[1]}
            truth.append(row | _measures(cell) | {"mask_area": int((mine >= 0.5).sum())})
        rng = np.random.default_rng([*self.seed, 1 + number])
        seen = camera(light[_EDGE:-_EDGE, _EDGE:-_EDGE] * self._lamp, self.microscope, rng)
        return Shot(seen, np.where(covered >= 0.5, 255, 0).astype(np.uint8), truth)

    def _add(self, light: np.ndarray, cell: Pose, scene: Scene, velocity: tuple[float, float]) -> None:
        """Add to the light of the empty channel what a cell changes of it."""
        pixel = self.grid.pixel_size
        shift = np.array(velocity) * self.microscope.exposure / pixel
        margin = int(np.ceil(_REACH / pixel + np.abs(shift).max() / 2))
        wide = self._wide
        low = np.floor((cell.nodes[:, :2].min(axis=0) - (wide.x0, wide.y0)) / pixel).astype(int) - margin
        high = np.ceil((cell.nodes[:, :2].max(axis=0) - (wide.x0, wide.y0)) / pixel).astype(int) + margin
        patch = Grid(wide.x0 + low[0] * pixel, wide.y0 + low[1] * pixel, pixel, (high[1] - low[1], high[0] - low[0]))
        rows, columns = (slice(max(a, 0), min(b, n)) for a, b, n in zip(low[::-1], high[::-1], wide.shape, strict=True))
        if rows.start >= rows.stop or columns.start >= columns.stop:
            return
        change = picture(cell, self.channel, scene, self.microscope, patch)[
            rows.start - low[1] : rows.stop - low[1], columns.start - low[0] : columns.stop - low[0]
        ]
        light[rows, columns] += _blurred(change - self._background[rows, columns], shift)


def _blurred(change: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Return a patch averaged over a uniform motion by `shift` (x, y) pixels, centred."""
    if np.abs(shift).max() < 0.05:
        return change
    from bridge.optics import fft

    fy, fx = fft.fftfreq(change.shape[0]), fft.rfftfreq(change.shape[1])
    smear = np.sinc(fy[:, None] * shift[1] + fx * shift[0]).astype(np.float32)
    return fft.irfft2(fft.rfft2(change) * smear, change.shape)


def _measures(cell: Pose) -> dict[str, Any]:
    """Return what a trace says of an outline, of a mesh what it says of its outline seen along z."""
    from bridge.solid import seen_outline
    from sim.observe import outline_measures

    flat = cell.nodes if cell.nodes.shape[1] == 2 else seen_outline(cell.nodes, cell.faces)
    return {name: value for name, value in outline_measures(flat).items() if name in TRUTH}
