"""The figure of `bridge.render --match`: the real frame above the model's, and profiles across walls and cell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from bridge.command import replacing
from bridge.match import Match

_COLOURS = ("#0072B2", "#D55E00")  # Okabe and Ito
_NAMES = {"upper": "upper wall", "lower": "lower wall", "rear": "cell, rear", "front": "cell, front"}


def write_match(path: Path, found: Match, picture: np.ndarray, name: str) -> None:
    """Draw a match to a PNG file; the same match gives the same bytes.

    Parameters
    ----------
    path
        Where to write.
    found
        The match.
    picture
        What the fitted microscope shows of the frame's channel and cells (rows, columns).
    name
        Of the recording.
    """
    real, grid = found.frame.picture, found.frame.grid
    low, high = np.percentile(real, [0.1, 99.9])
    shown = picture / (257 if picture.dtype == np.uint16 else 1)
    x, y = (1e6 * axis for axis in grid.axes())
    half = 5e5 * grid.pixel_size
    extent = (x[0] - half, x[-1] + half, y[-1] + half, y[0] - half)
    heights = [18 * real.shape[0] / real.shape[1] + 0.9, 2.6]
    figure = Figure(figsize=(9.6, sum(heights)), layout="constrained")
    FigureCanvasAgg(figure)
    upper, lower = figure.subfigures(2, 1, height_ratios=heights, squeeze=False)[:, 0]
    frames = upper.subplots(2, 1, sharex=True)
    for axes, pixels, title in ((frames[0], real, name), (frames[1], shown, "model, fitted")):
        axes.imshow(pixels, cmap="gray", vmin=low, vmax=high, extent=extent, interpolation="nearest")
        axes.set_title(title, fontsize=9, loc="left")
        axes.set_ylabel("y (µm)", fontsize=8)
        axes.tick_params(labelsize=8)
    frames[1].set_xlabel("x (µm), 0 = entry of the constriction", fontsize=8)
    profiles = lower.subplots(1, len(found.real), sharey=True, squeeze=False)[0]
    for axes, key in zip(profiles, found.real, strict=True):
        axes.plot(1e6 * found.place, found.real[key], color=_COLOURS[0], lw=1.5, label="frame")
        axes.plot(1e6 * found.place, found.model[key], color=_COLOURS[1], lw=1.5, ls="--", label="model")
        axes.set_title(f"{_NAMES[key]}, r = {found.correlation[key]:.3f}", fontsize=9)
        axes.set_xlabel("outwards (µm)", fontsize=8)
        axes.tick_params(labelsize=8)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    profiles[0].set_ylabel("grey value", fontsize=8)
    profiles[0].legend(fontsize=8, frameon=False)
    with replacing(path) as part:
        figure.savefig(part, dpi=160, metadata={"Software": None})
