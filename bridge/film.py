"""What a high-speed camera records of a run: frames of the channel with the cells passing, and the truth of each."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from bridge.body import Grid
from bridge.light import Look, change, empty_channel
from bridge.shot import Shot, mask_of, seen

if TYPE_CHECKING:
    from bridge.microscope import Microscope
    from bridge.motion import Motion
    from bridge.path import Pose
    from bridge.scene import Scene
    from sim.config import ChannelConfig


class Actor(NamedTuple):
    """One cell of a film."""

    motion: Motion
    scene: Scene
    delay: float = 0.0
    """When its run starts in the film (s)."""


@dataclass(frozen=True)
class Film:
    """A camera on a channel through which cells pass.

    Notes
    -----
    The empty channel is pictured once; for each frame only the patch around a cell is propagated anew. Motion
    blur averages what the cell changes along its way during the exposure; that its shape changes within the
    exposure is left out.
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
    def _empty(self) -> tuple[np.ndarray, np.ndarray]:
        """The empty channel under even light, and what shade and lamp leave of it."""
        light, shade = empty_channel(self.channel, self.microscope, self.grid)
        return light, shade * self.actors[0].scene.lamp.on(self.grid)

    def background(self) -> np.ndarray:
        """Return the empty channel as an 8-bit camera would see it without noise (rows, columns) float32."""
        light, shade = self._empty
        bright = self.microscope.flare + (1 - self.microscope.flare) * light * shade
        return bright * np.float32(self.microscope.background * 255)

    def shots(self, threads: int = 2) -> Iterator[Shot]:
        """Yield the frames in order; what they hold does not depend on the number of threads."""
        _ = self._empty  # once, before the threads share them
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
        from bridge.camera import camera

        time = float(self.times[number])
        shown, truth, outlines = [], [], []
        covered = np.zeros(self.grid.shape)
        for index, actor in enumerate(self.actors):
            local = time - actor.delay
            if not actor.motion.start <= local <= actor.motion.end:
                continue
            cell, velocity = actor.motion.pose(local), actor.motion.velocity(local)
            shown.append((cell, actor.scene, velocity))
            mine = seen(cell, velocity, self.grid)
            covered = np.maximum(covered, mine.covered)
            outlines.append(mine.outline)
            truth.append({"frame": number, "cell": index, "time": time, **mine.row})
        rng = np.random.default_rng([*self.seed, 1 + number])
        return Shot(camera(self.light(shown), self.microscope, rng), mask_of(covered), truth, outlines)

    def light(self, cells: Sequence[tuple[Pose, Scene, tuple[float, float]]]) -> np.ndarray:
        """Return the intensity on the camera (rows, columns) with some cells, their looks and velocities (m/s)."""
        empty, bright = self._empty
        light = empty.copy()
        for cell, scene, velocity in cells:
            added, window = change(cell, scene, Look(self.channel, self.microscope, self.grid), velocity)
            light[window] += added
        return light * bright
