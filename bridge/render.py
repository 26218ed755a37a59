"""``python -m bridge.render RUN --out picture.png``: a run through the microscope model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import numpy as np
import tyro

from bridge.command import Exit, InputError, check_output, parse_arguments, print_json, replacing, run_command, say

if TYPE_CHECKING:
    from bridge.body import CellBody
    from bridge.optics import Lamp, Microscope
    from sim.config import ChannelConfig
    from sim.trace import Trace

MOMENTS = ("first", "middle", "squeezed")
FIELD = 288 / 6 * 1e-6
"""Edge of a crop: 288 camera pixels; a cell of 14.2 µm squeezed in two dimensions is about 40 µm long (m)."""
UNDEFORMED = 0.02
"""Largest |DI| of a cell that counts as not yet deformed (1)."""
_MARGIN = 32  # pixels around a patch: keep the periodic field's seam out of the picture


class View(NamedTuple):
    """One crop of a cell."""

    image: np.ndarray
    """Picture (size, size) uint8."""
    mask: np.ndarray
    """The outline, filled (size, size) uint8, 0 or 255."""


def moment(trace: Trace, which: str) -> int | None:
    """Return the snapshot that shows a moment, or None if the run does not show it.

    Parameters
    ----------
    trace
        The run.
    which
        ``first``: the last snapshot ahead of the constriction in which the cell is still round (|DI| ≤ `UNDEFORMED`),
        the start of the run where it never is; ``middle``: the centroid midway in the constriction;
        ``squeezed``: the last snapshot before the leading edge passes the exit plane, with the centroid inside,
        for from then on the cell widens again.
    """
    from sim.features import deformation_index

    end = trace.config.channel.constriction_length
    low, high = trace.snapshots.min(axis=1), trace.snapshots.max(axis=1)
    front, x = high[:, 0], _centroids(trace.snapshots)[:, 0]
    if which == "first":
        extent = high - low
        round_ = np.abs(deformation_index(extent[:, 0], extent[:, 1])) <= UNDEFORMED
        shown = np.flatnonzero((front <= 0) & round_)
        return int(shown[-1]) if shown.size else 0
    inside = np.flatnonzero((x >= 0) & (x <= end))
    if which == "middle":
        return int(inside[np.argmin(np.abs(x[inside] - end / 2))]) if inside.size else None
    shown = inside[front[inside] <= end]
    return int(shown[-1]) if shown.size and front.max() > end else None


def _centroids(outlines: np.ndarray) -> np.ndarray:
    """Return the centroids (S, 2) of the areas within polygons (S, V, 2)."""
    origin = outlines.mean(axis=1, keepdims=True)
    here = outlines - origin
    after = np.roll(here, -1, axis=1)
    cross = here[..., 0] * after[..., 1] - after[..., 0] * here[..., 1]
    return origin[:, 0] + ((here + after) * cross[..., None]).sum(axis=1) / (3 * cross.sum(axis=1))[:, None]


@dataclass(frozen=True)
class Scene:
    """One cell's look: what is drawn once per cell and stays the same in all its pictures."""

    body: CellBody
    lamp: Lamp
    defocus: float
    """Distance of the focal plane from the cell's middle plane (m)."""
    noise: tuple[np.random.SeedSequence, ...]
    """Seeds of the camera's noise, one for each of `MOMENTS`."""


def draw_scene(trace: Trace, microscope: Microscope, seed: int) -> Scene:
    """Draw a cell's inner structure, lamp and focus.

    Parameters
    ----------
    trace
        The run; its class chooses the optics, its digest and `seed` all that is random.
    microscope
        The microscope.
    seed
        Same seed, same pictures.
    """
    from bridge.body import OPTICS, CellOptics, draw_body, outline_area
    from bridge.optics import Lamp

    root = np.random.SeedSequence([seed, int(trace.config.digest(), 16)])
    look, *noise = root.spawn(1 + len(MOMENTS))
    rng = np.random.default_rng(look)
    radius = float(np.sqrt(outline_area(trace.snapshots[0]) / np.pi))
    body = draw_body(OPTICS.get(trace.config.name, CellOptics()), radius, rng)
    lamp = Lamp.draw(microscope, rng)
    return Scene(body, lamp, float(rng.normal(microscope.defocus, microscope.defocus_spread)), tuple(noise))


def picture(
    outline: np.ndarray,
    rest: np.ndarray,
    channel: ChannelConfig,
    scene: Scene,
    microscope: Microscope,
    centre: tuple[float, float],
    shape: tuple[int, int],
) -> np.ndarray:
    """Return the noiseless intensity (rows, columns) on camera pixels around `centre` (m), 1 = empty channel.

    Parameters
    ----------
    outline, rest
        The cell now and at rest (V, 2), m.
    channel, scene, microscope
        What is looked at and through.
    centre
        Middle of the picture (m).
    shape
        Rows, columns of the picture in camera pixels.
    """
    from scipy.fft import next_fast_len

    from bridge.body import Grid, optical_path
    from bridge.optics import bright_field, object_field

    rows, columns = (2 * int(next_fast_len((n + 1) // 2 + _MARGIN) or 0) for n in shape)
    grid = Grid.centred(*centre, microscope.pixel_size, (rows, columns))
    near, window = grid.around(outline, _MARGIN // 4)
    path = np.zeros(grid.shape)
    path[window] = optical_path(scene.body, rest, outline, near, microscope.medium_index)
    field = object_field(path, channel, grid, microscope)
    intensity = bright_field(field, grid.pixel_size, microscope, scene.defocus) * scene.lamp.on(grid)
    top, left = ((big - small) // 2 for big, small in zip(grid.shape, shape, strict=True))
    return intensity[top : top + shape[0], left : left + shape[1]]


def crop(trace: Trace, which: str, scene: Scene, microscope: Microscope, size: int) -> View | None:
    """Return the crop of `FIELD` around the cell at a moment, or None if the run does not show it.

    Parameters
    ----------
    trace
        The run.
    which
        One of `MOMENTS`.
    scene, microscope
        The cell's look and what it is looked at with.
    size
        Edge of the picture (px); its pixels measure `FIELD` / `size`.
    """
    from PIL import Image

    from bridge.body import Grid, coverage
    from bridge.optics import camera

    index = moment(trace, which)
    if index is None:
        return None
    outline = trace.snapshots[index]
    x, y = _centroids(outline[None])[0]
    edge = round(FIELD / microscope.pixel_size)
    intensity = picture(outline, trace.snapshots[0], trace.config.channel, scene, microscope, (x, y), (edge, edge))
    frame = camera(intensity, microscope, np.random.default_rng(scene.noise[MOMENTS.index(which)]))
    resized = Image.fromarray(frame).resize(
        (size, size), Image.Resampling.BOX if size <= edge else Image.Resampling.BICUBIC
    )
    mask = coverage(outline, Grid.centred(x, y, FIELD / size, (size, size))) >= 0.5
    return View(np.asarray(resized), np.where(mask, 255, 0).astype(np.uint8))


def frame(trace: Trace, which: str, scene: Scene, microscope: Microscope) -> np.ndarray | None:
    """Return the camera frame (rows, columns) uint8 of the whole channel at a moment, or None if the run lacks it."""
    from bridge.optics import camera

    index = moment(trace, which)
    if index is None:
        return None
    channel = trace.config.channel
    pixel = microscope.pixel_size
    height = channel.height + 5e-6
    shape = (2 * round(height / pixel / 2), 2 * round(channel.length / pixel / 2))
    centre = ((channel.x_start + channel.x_end) / 2, 0.0)
    intensity = picture(trace.snapshots[index], trace.snapshots[0], channel, scene, microscope, centre, shape)
    return camera(intensity, microscope, np.random.default_rng(scene.noise[MOMENTS.index(which)]))


@dataclass(frozen=True)
class Arguments:
    """Write a camera frame of the whole channel with the cell in it, as the microscope model sees it."""

    run: Annotated[Path, tyro.conf.Positional]
    """Run folder, as `python -m sim.run` writes it."""
    out: Path
    """Picture to write (.png)."""
    moment: Literal["first", "middle", "squeezed"] = "middle"
    """Before the squeeze, midway in the constriction, or at the end of the squeeze."""
    size: int = 0
    """Width of the picture (px); 0: that of the camera, 6 px per µm."""
    seed: int = 0
    """Draws the cell's inner structure, lamp, focus and noise; same seed, same bytes."""
    json: bool = False
    """Print one JSON object on standard output."""
    quiet: bool = False
    """Print errors only."""


def main(argv: list[str]) -> int:
    """Run the command; see `Arguments`."""
    arguments = parse_arguments(Arguments, "bridge.render", argv)
    if arguments.size and not 16 <= arguments.size <= 16384:
        raise InputError(f"--size = {arguments.size} px: choose 16 to 16384, or 0 for that of the camera")
    if arguments.seed < 0:
        raise InputError(f"--seed = {arguments.seed}: must not be negative")
    check_output(arguments.out, ".png")
    from PIL import Image

    from bridge.optics import Microscope
    from sim.trace import read_trace

    trace = read_trace(arguments.run)
    microscope = Microscope()
    pixels = frame(trace, arguments.moment, draw_scene(trace, microscope, arguments.seed), microscope)
    if pixels is None:
        raise InputError(
            f"{arguments.run}: the cell never gets there ({trace.outcome.name}: {trace.outcome.value}); "
            "try --moment first"
        )
    image = Image.fromarray(pixels)
    pixel_size = microscope.pixel_size
    if arguments.size:
        pixel_size *= image.width / arguments.size
        height = max(1, round(image.height * arguments.size / image.width))
        image = image.resize((arguments.size, height), Image.Resampling.LANCZOS)
    with replacing(arguments.out) as part:
        image.save(part, format="PNG")
    say(f"{arguments.out}: {image.width} x {image.height} px, {pixel_size * 1e6:.3g} µm each", arguments.quiet)
    if arguments.json:
        print_json(
            {
                "out": str(arguments.out),
                "moment": arguments.moment,
                "width": image.width,
                "height": image.height,
                "pixel_size": pixel_size,
            }
        )
    return Exit.DONE


if __name__ == "__main__":
    run_command(main)
