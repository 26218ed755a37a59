"""The picture of the README: the velocity around a cell in the gap, and the same moment through the microscope model.

The run is simulated twice: once whole, to know when the cell is midway, and once up to that step, to read the flow.

    python docs/images/field_and_picture.py [--preset hct116] [--quality standard]
"""

import argparse
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from bridge.runs import channel_walls, seen_outlines
from bridge.scene import draw_scene
from bridge.views import frame, moment, whole_channel
from sim.config import load_config
from sim.fluid import moments
from sim.simulation import advance, build, init, simulate

HERE = Path(__file__).parent
LEFT, RIGHT, TOP = -24.0, 56.0, 12.6  # what is shown (µm)


def field_at(config, time):
    """Return x, y (µm) and velocity (mm/s) along both in the plane of the picture, NaN in the walls."""
    model = build(config)
    state = init(model)
    units, grid = model.flight.units, model.channel.grid
    for _ in range(2 * round(time / units.dt / 2)):
        advance(model, state)
    velocity = moments(state.drive.model, state.fluid)[1].astype(float)
    velocity[~grid.fluid] = np.nan
    planes = velocity.reshape(*grid.shape, -1, order="F") * units.velocity * 1e3
    if planes.ndim == 4:
        planes = planes[:, :, planes.shape[2] // 2]
    axes = [
        1e6 * (start + model.channel.dx * np.arange(n))
        for start, n in zip(model.channel.origin[:2], planes.shape[:2], strict=True)
    ]
    return *axes, planes[..., 0].T, planes[..., 1].T


def draw(config, path):
    trace = simulate(config)
    index = moment(trace, "middle")
    x, y, along, across = field_at(config, trace.snapshot_time[index])
    speed = np.hypot(along, across)
    microscope, pixels, extent = pictured(trace)
    ring = 1e6 * np.vstack([seen_outlines(trace)[index]] * 2)[: len(seen_outlines(trace)[index]) + 1]
    figure = Figure(figsize=(9.6, 6.4), layout="constrained")
    FigureCanvasAgg(figure)
    upper, lower = figure.subplots(2, 1, sharex=True)
    upper.set_facecolor("#c9ced6")
    shown = upper.pcolormesh(x, y, speed, cmap="magma", shading="nearest", rasterized=True)
    upper.streamplot(
        x,
        y,
        np.nan_to_num(along),
        np.nan_to_num(across),
        color=(1, 1, 1, 0.45),
        linewidth=0.6,
        density=(1.6, 0.8),
        arrowsize=0.6,
    )
    for wall in channel_walls(trace):
        upper.plot(*(1e6 * wall.T), color="black", lw=1.2)
    upper.plot(*ring.T, color="#56b4e9", lw=2.2)
    lower.imshow(pixels, cmap="gray", vmin=0, vmax=255, extent=extent, origin="lower", interpolation="nearest")
    for axes in (upper, lower):
        axes.set(xlim=(LEFT, RIGHT), ylim=(-TOP, TOP), aspect="equal", ylabel="y (µm)")
    lower.set_xlabel("x (µm)")
    figure.colorbar(shown, ax=upper, label="speed of the fluid (mm/s)", pad=0.01, aspect=14)
    figure.savefig(path, dpi=110, metadata={"Software": None})
    print(f"{path}: {trace.config.name}, t = {1e3 * trace.snapshot_time[index]:.3f} ms, {microscope}")


def pictured(trace):
    """Return the camera's name, its frame midway, and where the frame lies (µm)."""
    from bridge.microscope import MICROSCOPES

    microscope = MICROSCOPES["te2000"]
    pixels = frame(trace, "middle", draw_scene(trace, microscope, 0), microscope).image
    grid = whole_channel(trace.config.channel, microscope.pixel_size)
    rows, columns = pixels.shape
    ends = [grid.x0, grid.x0 + columns * grid.pixel_size, grid.y0, grid.y0 + rows * grid.pixel_size]
    return "te2000", pixels, [1e6 * end for end in ends]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="hct116")
    parser.add_argument("--quality", default="standard")
    parser.add_argument("--out", type=Path, default=HERE / "field_and_picture.png")
    options = parser.parse_args()
    draw(load_config(options.preset, options.quality), options.out)


if __name__ == "__main__":
    main()
