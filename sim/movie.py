"""A film of a run: the membrane in the channel, with the deformation index and velocity so far beneath."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.channel import make_channel
from sim.command import progress
from sim.figure import COLOURS, draw_outline_of_channel
from sim.trace import Trace
from sim.views import MARGIN, areal_strain, draw_view

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_FRAMES = 120
FRAMES_PER_SECOND = 15
_PIXELS_PER_INCH = 100


def write_movie(path: Path, trace: Trace, quiet: bool = True) -> None:
    """Film the snapshots of a run to a GIF or MP4, by the suffix of `path`.

    Parameters
    ----------
    path
        Where to write; overwritten. The same trace gives the same bytes of a GIF.
    trace
        A finished run; 3-D ones are seen along z and along y.
    quiet
        Whether to keep the progress to oneself.
    """
    import imageio.v2
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = np.unique(np.linspace(0, len(trace.snapshots) - 1, MAX_FRAMES).round().astype(int))
    # Multiples of 16 pixels, which H.264 wants.
    figure = Figure(figsize=(9.6, 8.96 if trace.config.numerics.dimension == 3 else 5.12), dpi=_PIXELS_PER_INCH)
    canvas = FigureCanvasAgg(figure)
    draw = _scene(figure, trace)
    # One thread and no version in the header: the same frames give the same bytes everywhere.
    exact = ["-threads", "1", "-crf", "18", "-fflags", "+bitexact", "-flags:v", "+bitexact"]
    options: dict[str, Any] = (
        {"format": "GIF-PIL", "duration": 1000 / FRAMES_PER_SECOND, "loop": 0}
        if path.suffix == ".gif"
        else {"format": "FFMPEG", "fps": FRAMES_PER_SECOND, "codec": "libx264", "quality": None}
        | {"pixelformat": "yuv420p", "output_params": exact, "ffmpeg_log_level": "error"}
    )
    writer: Any
    with imageio.v2.get_writer(path, mode="I", **options) as writer, progress("movie:", quiet) as bar:
        for count, index in enumerate(shown):
            draw(int(index))
            canvas.draw()
            writer.append_data(np.asarray(canvas.buffer_rgba())[..., :3])
            bar.update((count + 1) / len(shown), f"frame {count + 1} of {len(shown)}")


def _scene(figure: Figure, trace: Trace) -> Callable[[int], None]:
    """Lay out the figure; return what draws snapshot `index` into it."""
    solid = trace.config.numerics.dimension == 3
    views = ((0, 1, 2), (0, 2, 1)) if solid else ((0, 1, 2),)
    rows = len(views) + 1
    grid = figure.add_gridspec(
        rows, 2, left=0.08, right=0.98, bottom=0.06 if solid else 0.1, top=0.94, hspace=0.42, wspace=0.26,
        height_ratios=[1.3] * len(views) + [1],
    )  # fmt: skip
    above = [figure.add_subplot(grid[row, :]) for row in range(len(views))]
    places = [figure.add_subplot(grid[-1, column]) for column in range(2)]
    curves = [
        _Curve(axes, one, name) for axes, name in zip(places, ("di", "vx"), strict=True) for one in trace.together
    ]
    ends = [(one["rear_x"].min(), one["front_x"].max()) for one in trace.together]
    window = (1e6 * (min(low for low, _ in ends) - MARGIN), 1e6 * (max(high for _, high in ends) + MARGIN))
    strains = (areal_strain(one, k) for one in trace.together for k in range(len(trace.snapshots)))
    top = max(float(np.quantile(strain, 0.99)) for strain in strains) if solid else 0.0
    channel = None if solid else make_channel(trace.config.channel, trace.config.numerics.dx)  # pyright: ignore[reportArgumentType] (frozen, so hashable)

    def draw(index: int) -> None:
        for axes, view in zip(above, views, strict=True):
            axes.clear()
            if channel is None:
                draw_view(axes, trace, index, view, top, window)
            else:
                draw_outline_of_channel(axes, trace, channel)
                for one in trace.together:
                    colour = COLOURS[one.number % len(COLOURS)]
                    axes.fill(*(1e6 * one.snapshots[index].T), facecolor=f"{colour}40", edgecolor=colour, lw=1.6)
                axes.set_xlim(window)
        above[0].set_title(f"{trace.config.name}, {1e3 * trace.snapshot_time[index]:.3f} ms", fontsize=10)
        for curve in curves:
            curve.show(trace.snapshot_time[index])

    return draw


class _Curve:
    """A column of the trace against the centroid, up to the time shown."""

    def __init__(self, axes: Axes, trace: Trace, name: str) -> None:
        speed = name == "vx"
        self._time, self._x = trace["time"], 1e6 * trace["x"]
        self._y = trace[name] / trace.flow["gap_velocity_m_per_s"] if speed else trace[name]
        colour = COLOURS[trace.number % len(COLOURS)]
        if trace.number == 0:
            axes.axvspan(0, 1e6 * trace.config.channel.constriction_length, color="#eeeeee", lw=0)
        axes.plot(self._x, self._y, color="#cccccc", lw=1)
        (self._line,) = axes.plot([], [], color=colour)
        (self._dot,) = axes.plot([], [], "o", color=COLOURS[1] if len(trace.config.all_cells) == 1 else colour, ms=5)
        axes.grid(alpha=0.3)
        axes.set(
            xlabel="centroid x (µm)",
            ylabel="velocity / mean flow\nvelocity in the empty gap" if speed else "deformation index",
        )

    def show(self, time: float) -> None:
        past = self._time <= time * (1 + 1e-9)
        past[0] = True
        self._line.set_data(self._x[past], self._y[past])
        self._dot.set_data(self._x[past][-1:], self._y[past][-1:])
