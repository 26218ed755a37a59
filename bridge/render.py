"""``python -m bridge.render RUN --out picture.png --video film.mp4``: a run through the microscope model.

``python -m bridge.render --match recording.png --out match.png``: the model fitted to a real frame.
"""

from __future__ import annotations

import json as json_
from dataclasses import asdict, dataclass, field, replace
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
    write_text,
)
from bridge.options import CellOptions, OpticsOptions, look_of

if TYPE_CHECKING:
    from bridge.film import Film
    from bridge.microscope import Microscope
    from sim.trace import Trace

_FRAMES = 200  # of a film whose frame rate is not given
_MOST_FRAMES = 20_000
_MOST_PIXELS = 4096 * 4096
_DEEP = (".tif",)  # films that hold more than 8 bits


@dataclass(frozen=True)
class Arguments:
    """Picture a run as the microscope model sees it: a camera frame of the whole channel, a film of the squeeze."""

    run: Annotated[Path | None, tyro.conf.Positional] = None
    """Run folder, as `python -m sim.run` writes it; none with --match."""
    out: Path | None = None
    """Picture to write (.png); the truth of it goes beside it: axes, velocity as .csv; these, outline, mask as .h5."""
    video: Path | None = None
    """Film to write (.mp4, .gif or .tif); the truth of each frame goes beside it in the same way."""
    moment: Literal["first", "middle", "squeezed"] = "middle"
    """What the picture shows: before the squeeze, midway in the constriction, or at the end of the squeeze."""
    size: int = 0
    """Width of the picture (px); 0: that of the camera."""
    microscope: str = "te2000"
    """Set-up: `te2000`, the paper's as far as inferred, `rtdc`, a deformability cytometer, or a .toml file."""
    look: Path | None = None
    """Look that --match has written (.toml), in place of --microscope and of the cell's class."""
    match: Path | None = None
    """Recording of a real channel: fit the microscope to its first frame; draws frame, model and profiles into --out
    and writes the look beside it (.toml). --pixel-size is the recording's."""
    frame_rate: float | None = None
    """Frames per second of the film's camera (Hz); by default such that the run gives 200 frames."""
    playback: float = 25.0
    """Frames per second at which a player shows the film (Hz)."""
    seed: int = 0
    """Draws the cell's inner structure, lamp, focus and noise; same seed, same bytes."""
    optics: tyro.conf.OmitArgPrefixes[OpticsOptions] = field(default_factory=OpticsOptions)
    """Values that take the place of the microscope's (SI)."""
    cell: CellOptions = field(default_factory=CellOptions)
    """Values that take the place of those of the cell's class (SI)."""
    json: bool = False
    """Print one JSON object on standard output."""
    quiet: bool = False
    """Print errors only."""


def main(argv: list[str]) -> int:
    """Run the command; see `Arguments`."""
    arguments = parse_arguments(Arguments, "bridge.render", argv)
    microscope, optics = look_of(arguments.look, arguments.microscope, arguments.optics, arguments.cell)
    _check(arguments, microscope)
    if arguments.match is not None:
        return _match(arguments.match, microscope, arguments)
    from bridge.body import DEPTH_RULE
    from sim.trace import read_trace

    if arguments.run is None:
        raise InputError("no run given; name a run folder, or a recording with --match")
    trace = read_trace(arguments.run)
    if trace.config.channel.length * trace.config.channel.height / microscope.pixel_size**2 > _MOST_PIXELS:
        raise InputError(
            f"pixel_size = {microscope.pixel_size:g} m: more than {_MOST_PIXELS:,} pixels a frame; choose larger ones"
        )
    summary: dict[str, Any] = {}
    if trace.config.numerics.dimension == 2:
        say(f"a 2-D run; depth: {DEPTH_RULE}", arguments.quiet)
        summary["depth"] = DEPTH_RULE
    if arguments.out:
        summary |= _write_picture(arguments.out, trace, microscope, optics, arguments)
    if arguments.video:
        summary |= _write_film(arguments.video, trace, microscope, optics, arguments)
    if arguments.json:
        print_json(summary)
    return Exit.DONE


def _check(arguments: Arguments, microscope: Microscope) -> None:
    if arguments.out is None and arguments.video is None:
        raise InputError("nothing to write; name a picture with --out picture.png or a film with --video film.mp4")
    if arguments.match is not None and (arguments.run is not None or arguments.video is not None or not arguments.out):
        raise InputError("--match: takes no run and no --video, and writes to --out match.png")
    if arguments.size and not 16 <= arguments.size <= 16384:
        raise InputError(f"--size = {arguments.size} px: choose 16 to 16384, or 0 for that of the camera")
    if arguments.seed < 0:
        raise InputError(f"--seed = {arguments.seed}: must not be negative")
    for name, low, high in (("frame_rate", 1.0, 1e9), ("playback", 0.1, 1000.0)):
        value = getattr(arguments, name)
        if value is not None and not low <= value <= high:
            option = f"--{name.replace('_', '-')}"
            raise InputError(f"{option} = {value:g} Hz: choose {low:g} to {high:g} Hz")
    if arguments.out:
        check_output(arguments.out, ".png")
    if arguments.video:
        from bridge.video import SUFFIXES

        check_output(arguments.video, *SUFFIXES)
        if microscope.bit_depth > 8 and arguments.video.suffix.lower() not in _DEEP:
            raise InputError(
                f"--video = {str(arguments.video)!r}: holds 8 bits, not {microscope.bit_depth}; choose a .tif"
            )
    if arguments.out and arguments.video and arguments.out.with_suffix("") == arguments.video.with_suffix(""):
        raise InputError("--out and --video: their truth would have the same name; choose different ones")
    for path in (arguments.out, arguments.video):
        if path and arguments.match is None and _is_dataset(path.with_suffix(".h5")):
            raise InputError(
                f"{path}: its truth would replace the dataset {path.with_suffix('.h5')}; choose another name"
            )


def _is_dataset(path: Path) -> bool:
    import h5py

    if not (path.is_file() and h5py.is_hdf5(path)):
        return False
    with h5py.File(path, "r") as file:
        return "table" in file


def _write_picture(
    out: Path, trace: Trace, microscope: Microscope, optics: dict[str, Any], arguments: Arguments
) -> dict[str, Any]:
    import numpy as np
    from PIL import Image

    from bridge.scene import draw_scene
    from bridge.truth import Truth
    from bridge.views import frame, whole_channel

    scene, *others = (draw_scene(one, microscope, arguments.seed, optics) for one in trace.together)
    shot = frame(trace, arguments.moment, scene, microscope, others)
    if shot is None:
        raise InputError(
            f"{arguments.run}: the cell never gets there ({trace.outcome.name}: {trace.outcome.value}); "
            "try --moment first"
        )
    pixels, pixel_size = shot.image, microscope.pixel_size
    if arguments.size:
        pixel_size *= pixels.shape[1] / arguments.size
        size = (arguments.size, max(1, round(pixels.shape[0] * arguments.size / pixels.shape[1])))
        fine = Image.fromarray(pixels.astype(np.float32)).resize(size, Image.Resampling.LANCZOS)
        pixels = np.clip(np.rint(np.asarray(fine)), 0, np.iinfo(pixels.dtype).max).astype(pixels.dtype)
    with replacing(out) as part:
        Image.fromarray(pixels).save(part, format="PNG")
    truth = Truth()
    list(truth.watch([shot]))
    grid = whole_channel(trace.config.channel, microscope.pixel_size)
    truth.write(out.with_suffix(""), {"x0": grid.x0, "y0": grid.y0} | _about(trace, microscope, optics, arguments))
    say(
        f"{out}: {pixels.shape[1]} x {pixels.shape[0]} px, {pixel_size * 1e6:.3g} µm each; truth in "
        f"{out.with_suffix('.csv').name} and {out.with_suffix('.h5').name}",
        arguments.quiet,
    )
    size = {"width": pixels.shape[1], "height": pixels.shape[0], "pixel_size": pixel_size}
    return {"out": str(out), "moment": arguments.moment, **size}


def _match(path: Path, microscope: Microscope, arguments: Arguments) -> int:
    """Fit the microscope to a recording's first frame; write figure and look."""
    from bridge.look_file import look_text
    from bridge.match import match, pictured
    from bridge.match_figure import write_match
    from bridge.real_frame import read_frame
    from bridge.video import first_frame
    from sim.config import ChannelConfig

    assert arguments.out is not None
    frame = read_frame(first_frame(path), microscope.pixel_size, ChannelConfig().depth)
    with progress("fit", arguments.quiet) as bar:
        found = match(frame, microscope, bar.update)
    correlations = ", ".join(f"{name} {value:.3f}" for name, value in found.correlation.items())
    heading = (
        f"Fitted to {path.name} by bridge.render --match. Correlation of the profiles: {correlations}.\n"
        "A cell's index is that of a body as deep as a two-dimensional run's; its depth is not seen in one frame."
    )
    look = arguments.out.with_suffix(".toml")
    write_match(arguments.out, found, pictured(found, arguments.seed), path.name)
    write_text(look, look_text(found.microscope, found.cell, heading))
    if not found.cell:
        say("no cell in the constriction: walls, background and noise are fitted, the cell's index is not")
    say(f"{arguments.out}: frame, model and profiles (correlation: {correlations}); look in {look}", arguments.quiet)
    if arguments.json:
        values = {"microscope": asdict(found.microscope), "cell": found.cell}
        print_json({"out": str(arguments.out), "look": str(look), "correlation": found.correlation} | values)
    return Exit.DONE


def _about(trace: Trace, microscope: Microscope, optics: dict[str, Any], arguments: Arguments) -> dict[str, Any]:
    """Return what holds for all pictures of a run, SI."""
    from bridge.looks import optics_of

    assert arguments.run is not None
    return {
        "run": arguments.run.resolve().name,
        "seed": arguments.seed,
        "ks": trace.config.cell.ks,
        "kb": trace.config.cell.kb,
        "pixel_size": microscope.pixel_size,
        "microscope": json_.dumps(asdict(microscope)),
        "cell_optics": json_.dumps(asdict(optics_of(trace.config.name, optics))),
    }


def _write_film(
    path: Path, trace: Trace, microscope: Microscope, optics: dict[str, Any], arguments: Arguments
) -> dict[str, Any]:
    from bridge.truth import Truth
    from bridge.video import video_writer

    film = make_film(
        trace,
        microscope,
        arguments.frame_rate,
        arguments.seed,
        arguments.optics.exposure is not None,
        optics,
    )
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
        "frame_rate": film.frame_rate,
        "exposure": film.microscope.exposure,
        "x0": film.grid.x0,
        "y0": film.grid.y0,
    }
    truth.write(path.with_suffix(""), about | _about(trace, film.microscope, optics, arguments))
    inside = film.frame_rate * _transition(trace)
    say(
        f"{path}: {len(film.times)} frames of {columns} x {rows} px, {film.grid.pixel_size * 1e6:.3g} µm each, "
        f"{film.frame_rate:,.0f} Hz, exposure {film.microscope.exposure * 1e6:.3g} µs, {inside:.0f} frames in the "
        f"constriction; truth in {path.with_suffix('.csv').name} and {path.with_suffix('.h5').name}",
        arguments.quiet,
    )
    size = {"frames": len(film.times), "video_width": columns, "video_height": rows}
    return {"video": str(path), **size, "pixel_size": film.grid.pixel_size, **about}


def _transition(trace: Trace) -> float:
    """Return for how long the centroid is in the constriction (s)."""
    x = trace["x"]
    inside = trace["time"][(x >= 0) & (x <= trace.config.channel.constriction_length)]
    return float(inside[-1] - inside[0]) if inside.size else 0.0


def make_film(
    trace: Trace,
    microscope: Microscope,
    frame_rate: float | None,
    seed: int,
    strict: bool = False,
    optics: dict[str, Any] | None = None,
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
    seed
        Draws all that is random.
    strict
        Whether an exposure longer than a frame is an error; else it is cut to the frame's time.
    optics
        Values of `bridge.looks.CellOptics` that take the place of the class's.

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
    if strict and microscope.exposure > 1 / frame_rate:
        raise InputError(
            f"exposure = {microscope.exposure:g} s is longer than a frame of {1 / frame_rate:g} s; "
            "shorten it, or lower --frame-rate"
        )
    microscope = replace(microscope, exposure=min(microscope.exposure, 1 / frame_rate))
    grid = whole_channel(trace.config.channel, microscope.pixel_size)
    seeds = (seed, int(trace.config.digest(), 16))
    actors = [Actor(motion, draw_scene(trace, microscope, seed, optics))]
    actors += [Actor(Motion(one), draw_scene(one, microscope, seed, optics)) for one in trace.others]
    return Film(actors, trace.config.channel, microscope, grid, frame_rate, seeds)


if __name__ == "__main__":
    run_command(main)
