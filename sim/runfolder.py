"""The run folder: everything about one simulation, whole or not there."""

from __future__ import annotations

import csv
import errno
import json
import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sim.command import InputError
from sim.config import PHYSICS_VERSION, SimulationConfig
from sim.export import write_result
from sim.features import FEATURES, compute_features
from sim.files import replacing
from sim.provenance import software
from sim.trace import Outcome, Trace, header, is_complete, read_trace


def run_path(out: Path, config: SimulationConfig) -> Path:
    """Return the folder of a resolved configuration under `out`."""
    return out / f"{config.name}-{config.digest()}"


def checkpoint_path(folder: Path) -> Path:
    """Return where the run that will be `folder` keeps its state while it goes on."""
    return folder.with_name(f".{folder.name}.checkpoint.npz")


def fields_path(folder: Path) -> Path:
    """Return where the run that will be `folder` keeps the fields of its flow while it goes on."""
    return folder.with_name(f".{folder.name}.fields")


def existing(folder: Path) -> dict[str, Any] | None:
    """Return ``features.json`` of a finished run, or None if there is none.

    Raises
    ------
    InputError
        If the folder is there but holds no finished run, or the file is damaged.
    """
    if not folder.exists():
        return None
    if not is_complete(folder):
        raise InputError(f"{folder} exists but is no finished run: move it away or choose another --out")
    path = folder / "features.json"
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
        complete = {"outcome", "advice", "features"} <= result.keys() and result["outcome"] in Outcome.__members__
    except (OSError, ValueError, AttributeError):
        complete = False
    if not complete:
        raise InputError(f"{path}: missing or damaged; move the folder away and run it again")
    return result


def write_run(
    folder: Path,
    simulate: Callable[[], Trace],
    description: str,
    movie: str | None = None,
    quiet: bool = True,
    picture: bool = True,
) -> dict[str, Any]:
    """Simulate and write the run folder; return what ``features.json`` holds.

    The files are made in a folder of another name, which is renamed when all are there; it is
    made, and so shown to be writable, before anything is computed. If another process finishes
    the same run in the meantime, its folder stands: the results are the same.

    Parameters
    ----------
    folder
        Final name.
    simulate
        Computes the trace; keeps the fields of its flow, if it is to, in `fields_path`.
    description
        The pre-flight report, for ``log.txt``.
    movie
        ``gif`` or ``mp4``: film the run, too.
    quiet
        Whether to keep the movie's progress to oneself.
    picture
        Whether to draw ``summary.png``.
    """
    try:
        return _write_run(folder, simulate, description, movie, quiet, picture)
    except OSError as error:
        result = existing(folder) if error.errno in (errno.ENOTEMPTY, errno.EEXIST) else None
        if result is None:
            raise
        return result


def add_movie(folder: Path, movie: str, quiet: bool = True) -> None:
    """Film a finished run into its folder as ``movie.gif`` or ``movie.mp4``, unless that is there."""
    path = folder / f"movie.{movie}"
    if path.is_file():
        return
    from sim.movie import write_movie

    trace = read_trace(folder)
    with replacing(path) as part:
        write_movie(part, trace, quiet)


def _write_run(
    folder: Path, simulate: Callable[[], Trace], description: str, movie: str | None, quiet: bool, picture: bool
) -> dict[str, Any]:
    with replacing(folder) as part:
        part.mkdir()
        started = datetime.now(UTC)
        clock = time.perf_counter()
        trace = simulate()
        seconds = time.perf_counter() - clock
        result = _features(trace)
        (part / "config.toml").write_text(trace.config.to_toml(), encoding="utf-8")
        for one in trace.together:
            _write_csv(part / trace_name(one.number), one)
        (part / "features.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        write_result(part / "result.h5", trace, [_values(one) for one in trace.together])
        if trace.config.output.fluid_fields:
            from sim.fields import write_fields

            write_fields(part / "fields.vtkhdf", fields_path(folder), trace)
        if picture:
            _write_summary(part / "summary.png", trace)
        if movie:
            from sim.movie import write_movie

            write_movie(part / f"movie.{movie}", trace, quiet)
        ending = f"{trace.outcome.name} after {seconds:.1f} s: {_advice(trace)}"
        (part / "log.txt").write_text(f"{started:%Y-%m-%d %H:%M:%S} UTC\n{description}\n{ending}\n", encoding="utf-8")
        origin = provenance(started, seconds)
        (part / "provenance.json").write_text(json.dumps(origin, indent=1) + "\n", encoding="utf-8")
    shutil.rmtree(fields_path(folder), ignore_errors=True)
    return result


def trace_name(number: int) -> str:
    """Return the name of a cell's table of samples: ``trace.csv``, that of the second ``trace_2.csv``."""
    return "trace.csv" if number == 0 else f"trace_{number + 1}.csv"


def _values(trace: Trace) -> dict[str, float | None]:
    channel = trace.config.channel
    return compute_features(trace.samples, channel.constriction_length, channel.next_entry)


def _features(trace: Trace) -> dict[str, Any]:
    """Return what ``features.json`` holds: of several cells the first at the top, and all in the list ``cells``."""
    result = _features_of(trace)
    if not trace.others:
        return result
    cells = [{"number": one.number + 1, "label": one.label, **_features_of(one)} for one in trace.together]
    worst = next((one for one in trace.together if not one.outcome.passed), trace)
    return result | {"outcome": worst.outcome.name, "advice": _advice(worst), "cells": cells}


def _advice(trace: Trace) -> str:
    """Return what to try next; of a cell that did not come through, first where it is and what drives it."""
    if trace.outcome not in (Outcome.STUCK, Outcome.MAX_STEPS):
        return trace.outcome.value
    x, front, pressure = (float(trace[name][-1]) for name in ("x", "front_x", "pressure_drop"))
    return (
        f"at x = {1e6 * x:.3g} µm, its leading edge at {1e6 * front:.3g} µm of the constriction's "
        f"{1e6 * trace.config.channel.constriction_length:.3g} µm, under {pressure:.4g} Pa: {trace.outcome.value}"
    )


def _features_of(trace: Trace) -> dict[str, Any]:
    conserved = "volume" if trace.config.numerics.dimension == 3 else "area"
    values = _values(trace)
    return {
        "outcome": trace.outcome.name,
        "advice": _advice(trace),
        "features": {name: {"value": values[name], "unit": FEATURES[name].unit} for name in FEATURES},
        "flow": dict(trace.flow),
        "drift": {
            conserved: float(abs(trace[conserved] / trace[conserved][0] - 1).max()),
            "slip": float(trace["slip"].max()),
            "smallest_wall_distance_m": float(trace["wall_distance"].min()),
        },
    }


def _write_csv(path: Path, trace: Trace) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([header(name) for name in trace.samples])
        writer.writerows([repr(float(v)) for v in row] for row in zip(*trace.samples.values(), strict=True))


def _write_summary(path: Path, trace: Trace) -> None:
    from sim.figure import write_summary

    cell, dimension, rate = trace.cell, trace.config.numerics.dimension, trace.config.fluid.shear_rate
    drive = f"{trace.flow['pressure_drop_pa'] / 1e3:.3g} kPa" if rate is None else f"{rate:.3g} 1/s"
    drive = f"{drive}, {dimension}-D"
    title = (
        f"{trace.config.name}: D = {1e6 * cell.diameter:.3g} µm, Ks = {1e3 * cell.ks:.3g} mN/m, "
        f"Kb = {cell.kb:.2g} J, {drive} — {trace.outcome.name}"
    )
    if trace.others:
        ends = ", ".join(f"{one.number + 1} {one.label} {one.outcome.name}" for one in trace.together)
        title = f"{trace.config.name}: {len(trace.together)} cells, {drive} — {ends}"
    write_summary(path, trace, title)


def provenance(started: datetime, seconds: float) -> dict[str, Any]:
    """Return where, when, with what and for how long (s) something was computed."""
    clock = {"started": started.isoformat(timespec="seconds"), "wall_time_s": round(seconds, 2)}
    return clock | software(("numpy", "numba", "scipy", "h5py")) | {"physics_version": PHYSICS_VERSION}
