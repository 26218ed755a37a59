"""``python -m bridge.render RUN --out picture.png --video film.mp4``: a run through the microscope model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from bridge.command import (
    Exit,
    InputError,
    check_output,
    parse_arguments,
    print_json,
    progress,
    replacing,
    run_command,
    say,
)

if TYPE_CHECKING:
    from bridge.film import Film
    from bridge.optics import Microscope
    from sim.trace import Trace

_FRAMES = 200  # of a film whose frame rate is not given
_MOST_FRAMES = 20_000
_MOST_PIXELS = 4096 * 4096


@dataclass(frozen=True)
class Arguments:
    """Picture a run as the microscope model sees it: a camera frame of the whole channel, a film of the squeeze."""

    run: Annotated[Path, tyro.conf.Positional]
    """Run folder, as `python -m sim.run` writes it."""
    out: Path | None = None
    """Picture to write (.png)."""
    video: Path | None = None
    """Film to write (.mp4, .gif or .tif); the truth of each frame goes beside it, as .csv and, with masks, as .h5."""
    moment: Literal["first", "middle", "squeezed"] = "middle"
    """What the picture shows: before the squeeze, midway in the constriction, or at the end of the squeeze."""
    size: int = 0
    """Width of the picture (px); 0: that of the camera."""
    microscope: Literal["te2000", "rtdc"] = "te2000"
    """Set-up: the paper's as far as it can be inferred, or a deformability cytometer."""
    pixel_size: float | None = None
    """Pixel of the camera at the sample (m); by default the set-up's, 1/6 µm or 0.34 µm."""
    frame_rate: float | None = None
    """Frames per second of the film's camera (Hz); by default such that the run gives 200 frames."""
    exposure: float | None = None
    """Exposure of a frame (s); by default the set-up's, 1 or 2 µs, or the frame's whole time if that is shorter."""
    playback: float = 25.0
    """Frames per second at which a player shows the film (Hz)."""
    seed: int = 0
    """Draws the cell's inner structure, lamp, focus and noise; same seed, same bytes."""
    json: bool = False
    """Print one JSON object on standard output."""
    quiet: bool = False
    """Print errors only."""


def main(argv: list[str]) -> int:
    """Run the command; see `Arguments`."""
    arguments = parse_arguments(Arguments, "bridge.render", argv)
    _check(arguments)
    from bridge.optics import MICROSCOPES
    from sim.trace import read_trace

    trace = read_trace(arguments.run)
    microscope = MICROSCOPES[arguments.microscope]
    if arguments.pixel_size:
        microscope = replace(microscope, pixel_size=arguments.pixel_size)
    if trace.config.channel.length * trace.config.channel.height / microscope.pixel_size**2 > _MOST_PIXELS:
        raise InputError(
            f"--pixel-size = {microscope.pixel_size:g} m: more than {_MOST_PIXELS:,} pixels a frame; choose larger ones"
        )
    summary: dict[str, Any] = {}
    if arguments.out:
        summary |= _write_picture(arguments.out, trace, microscope, arguments)
    if arguments.video:
        summary |= _write_film(arguments.video, trace, microscope, arguments)
    if arguments.json:
        print_json(summary)
    return Exit.DONE


def _check(arguments: Arguments) -> None:
    if arguments.out is None and arguments.video is None:
        raise InputError("nothing to write; name a picture with --out picture.png or a film with --video film.mp4")
    if arguments.size and not 16 <= arguments.size <= 16384:
        raise InputError(f"--size = {arguments.size} px: choose 16 to 16384, or 0 for that of the camera")
    if arguments.seed < 0:
        raise InputError(f"--seed = {arguments.seed}: must not be negative")
    limits = {
        "pixel_size": (1e-8, 1e-6, "m"),
        "frame_rate": (1.0, 1e9, "Hz"),
        "exposure": (0.0, 1.0, "s"),
        "playback": (0.1, 1000.0, "Hz"),
    }
    for name, (low, high, unit) in limits.items():
        value = getattr(arguments, name)
        if value is not None and not low <= value <= high:
            option = f"--{name.replace('_', '-')}"
            raise InputError(f"{option} = {value:g} {unit}: choose {low:g} to {high:g} {unit}")
    if arguments.out:
        check_output(arguments.out, ".png")
    if arguments.video:
        from bridge.video import SUFFIXES

        check_output(arguments.video, *SUFFIXES)


def _write_picture(out: Path, trace: Trace, microscope: Microscope, arguments: Arguments) -> dict[str, Any]:
    from PIL import Image

    from bridge.scene import draw_scene
    from bridge.views import frame

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
    with replacing(out) as part:
        image.save(part, format="PNG")
    say(f"{out}: {image.width} x {image.height} px, {pixel_size * 1e6:.3g} µm each", arguments.quiet)
    size = {"width": image.width, "height": image.height, "pixel_size": pixel_size}
    return {"out": str(out), "moment": arguments.moment, **size}


def _write_film(path: Path, trace: Trace, microscope: Microscope, arguments: Arguments) -> dict[str, Any]:
    from bridge.truth import Truth
    from bridge.video import video_writer

    film = make_film(trace, microscope, arguments.frame_rate, arguments.exposure, arguments.seed)
    if len(film.times) > _MOST_FRAMES:
        raise InputError(
            f"--frame-rate = {film.frame_rate:g} Hz gives {len(film.times):,} frames of this run; "
            f"choose a lower one, {_MOST_FRAMES:,} frames are the most"
        )
    truth = Truth()
    rows, columns = film.grid.shape
    with (
        progress("frames", arguments.quiet) as bar,
        replacing(path) as part,
        video_writer(part, arguments.playback) as append,
    ):
        for number, image in enumerate(truth.watch(film.shots())):
            append(image)
            bar.update((number + 1) / len(film.times))
    about = {
        "pixel_size": film.grid.pixel_size,
        "frame_rate": film.frame_rate,
        "exposure": film.microscope.exposure,
        "x0": film.grid.x0,
        "y0": film.grid.y0,
    }
    run = {
        "run": arguments.run.resolve().name,
        "seed": arguments.seed,
        "ks": trace.config.cell.ks,
        "kb": trace.config.cell.kb,
    }
    truth.write(path.with_suffix(""), about | run)
    inside = film.frame_rate * _transition(trace)
    say(
        f"{path}: {len(film.times)} frames of {columns} x {rows} px, {film.grid.pixel_size * 1e6:.3g} µm each, "
        f"{film.frame_rate:,.0f} Hz, exposure {film.microscope.exposure * 1e6:.3g} µs, {inside:.0f} frames in the "
        f"constriction; truth in {path.with_suffix('.csv').name} and {path.with_suffix('.h5').name}",
        arguments.quiet,
    )
    return {"video": str(path), "frames": len(film.times), "video_width": columns, "video_height": rows, **about}


def _transition(trace: Trace) -> float:
    """Return for how long the centroid is in the constriction (s)."""
    x = trace["x"]
    inside = trace["time"][(x >= 0) & (x <= trace.config.channel.constriction_length)]
    return float(inside[-1] - inside[0]) if inside.size else 0.0


def make_film(
    trace: Trace, microscope: Microscope, frame_rate: float | None, exposure: float | None, seed: int
) -> Film:
    """Return the film of one run over its whole channel.

    Parameters
    ----------
    trace
        The run.
    microscope
        The set-up.
    frame_rate
        Frames per second (Hz); None for 200 frames of the run.
    exposure
        Exposure (s); None for the set-up's, cut to the time of a frame.
    seed
        Draws all that is random.

    Raises
    ------
    InputError
        If the exposure is longer than a frame, or the run holds a single snapshot.
    """
    from bridge.film import Actor, Film
    from bridge.motion import Motion
    from bridge.scene import draw_scene
    from bridge.views import whole_channel

    if len(trace.snapshot_time) < 2:
        raise InputError("the run holds a single snapshot and cannot be filmed; run it with more output.snapshots")
    motion = Motion(trace)
    frame_rate = frame_rate or (_FRAMES - 1) / (motion.end - motion.start)
    if exposure is not None and exposure > 1 / frame_rate:
        raise InputError(
            f"--exposure = {exposure:g} s is longer than a frame of {1 / frame_rate:g} s; "
            "shorten it, or lower --frame-rate"
        )
    exposure = min(microscope.exposure, 1 / frame_rate) if exposure is None else exposure
    microscope = replace(microscope, exposure=exposure)
    grid = whole_channel(trace.config.channel, microscope.pixel_size)
    seeds = (seed, int(trace.config.digest(), 16))
    actor = Actor(motion, draw_scene(trace, microscope, seed))
    return Film((actor,), trace.config.channel, microscope, grid, frame_rate, seeds)


if __name__ == "__main__":
    run_command(main)
