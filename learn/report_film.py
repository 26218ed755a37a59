"""The outlines of a squeeze as data small enough to stand in a page, which draws them itself."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from bridge.runs import Trace, channel_walls, seen_outlines

FRAMES, NODES = 90, 96
"""Most outlines, and points of each."""

FRAME_SECONDS = 0.066
"""How long the page shows a frame (s)."""

_STEP = 0.01
"""Coordinates are whole multiples of this (µm)."""


def film_of(trace: Trace) -> dict[str, Any]:
    """Return the animation of one run.

    Returns
    -------
    dict
        ``x0``, ``x1``, ``y1``: the channel's ends and half its height (µm); ``walls``: polylines (µm), upper first;
        ``frames``, ``nodes``, ``step`` and ``outlines``: int16, little-endian, base64, (frames, nodes, 2) in steps of
        µm; ``pause`` between frames (ms); ``time`` (ms), ``x`` (µm), ``di`` (1), ``v`` (mm/s) of each frame.
    """
    outlines = seen_outlines(trace)
    shown = np.unique(np.linspace(0, len(outlines) - 1, FRAMES).round().astype(int))
    rings = np.array([ring_of(outlines[index]) for index in shown])
    times = trace.snapshot_time[shown]
    columns = {name: np.interp(times, trace["time"], trace[name]) for name in ("x", "di", "vx")}
    channel = trace.config.channel
    return {
        "x0": round(1e6 * channel.x_start, 2),
        "x1": round(1e6 * channel.x_end, 2),
        "y1": round(1e6 * channel.height / 2, 2),
        "walls": [(1e6 * line).round(2).tolist() for line in oriented(channel_walls(trace))],
        "frames": len(shown),
        "pause": round(1e3 * FRAME_SECONDS),
        "nodes": NODES,
        "step": _STEP,
        "outlines": base64.b64encode((1e6 * rings / _STEP).round().astype("<i2").tobytes()).decode(),
        "time": (1e3 * times).round(4).tolist(),
        "x": (1e6 * columns["x"]).round(2).tolist(),
        "di": columns["di"].round(3).tolist(),
        "v": (1e3 * columns["vx"]).round(2).tolist(),
    }


def oriented(walls: list[np.ndarray]) -> list[np.ndarray]:
    """Return walls (points, 2) from left to right, the upper one first."""
    rightward = [line if line[0, 0] <= line[-1, 0] else line[::-1] for line in walls]
    return sorted(rightward, key=lambda line: -line[:, 1].mean())


def ring_of(outline: np.ndarray) -> np.ndarray:
    """Return an outline (points, 2) as `NODES` points at equal distances along it."""
    closed = np.vstack([outline, outline[:1]])
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(closed, axis=0), axis=1))])
    at = np.linspace(0, along[-1], NODES, endpoint=False)
    return np.stack([np.interp(at, along, closed[:, axis]) for axis in (0, 1)], axis=1)
