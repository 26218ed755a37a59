"""Films of made-up runs as a camera would have recorded them, and what is true of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from bridge_runs import UM

from bridge.film import Actor, Film, Shot
from bridge.microscope import MICROSCOPES
from bridge.motion import Motion
from bridge.scene import draw_scene
from bridge.video import video_writer
from bridge.views import whole_channel
from sim.features import compute_features
from sim.trace import Trace


def true_features(trace: Trace) -> dict[str, float | None]:
    return compute_features(trace.samples, trace.config.channel.constriction_length)


def film_of(
    traces: Sequence[Trace],
    inside: float,
    pixel_size: float = UM / 6,
    delays: Sequence[float] = (),
    seed: int = 0,
    defocus: float = 0.2 * UM,
) -> Film:
    """A film with about `inside` frames while the first cell's centroid is in the constriction."""
    frame_rate = (inside + 0.5) / true_features(traces[0])["transition_time"]
    scope = replace(MICROSCOPES["te2000"], pixel_size=pixel_size, exposure=min(1e-6, 1 / frame_rate))
    channel = traces[0].config.channel
    actors = [
        Actor(Motion(trace), replace(draw_scene(trace, scope, seed + i), defocus=defocus), delays[i] if delays else 0.0)
        for i, trace in enumerate(traces)
    ]
    return Film(actors, channel, scope, whole_channel(channel, pixel_size), frame_rate, (seed, 1))


def record(film: Film, path: Path, leave_out: Sequence[int] = (), mirror: bool = False) -> list[Shot]:
    """Write a film's frames, and return them all."""
    shots = list(film.shots())
    with video_writer(path, 25) as append:
        for number, shot in enumerate(shots):
            if number not in leave_out:
                append(np.ascontiguousarray(shot.image[:, ::-1]) if mirror else shot.image)
    return shots


def errors(found: dict[str, float | None], trace: Trace, frame_rate: float) -> dict[str, float]:
    """Errors of the three features of the paper: absolute, relative, in frames."""
    true = true_features(trace)
    return {
        "di": found["deformation_index"] - true["deformation_index"],
        "velocity": found["max_velocity"] / true["max_velocity"] - 1,
        "frames": (found["transition_time"] - true["transition_time"]) * frame_rate,
    }
