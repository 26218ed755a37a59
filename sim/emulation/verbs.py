"""The verbs of `python -m sim.emulate`: each takes the options, says what came out and returns it for ``--json``."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from sim.command import InputError, progress, say
from sim.config import SimulationConfig, load_config
from sim.emulate import bare
from sim.emulation import figures, store
from sim.emulation.crossval import cross_validate, fit_parts
from sim.emulation.emulator import OUTPUTS, Emulator, fit_emulator, unit_of, usable
from sim.emulation.inputs import SECTIONS
from sim.emulation.inverse import Evidence, Posterior, Value, feature_evidence, posterior
from sim.emulation.labels import label
from sim.emulation.recovery import Recovery, recover
from sim.emulation.traces import TraceBasis, fit_traces, read_columns, sample_course
from sim.features import FEATURES
from sim.files import check_writable, replacing

PAPER = ("deformation_index", "max_velocity", "transition_time")
"""The paper's features, from which the stiffness of held-out cells is found as a check."""
MEASURED = 0.02
"""Error of these features in that check."""
UNLIKE = 3.0
"""A trace whose leftover is this many times the sweep's 95 % quantile is unlike all in it."""


def fit(options: argparse.Namespace, values: dict[str, Value]) -> dict[str, Any]:
    """Fit an emulator, cross-validate it, write it and its figures."""
    from sim.sweep_table import read_sweep

    check_writable(options.out)
    table, columns = read_sweep(options.sweep)
    units = {name: "" if column.unit == "1" else column.unit for name, column in columns.items()}
    runs = usable(table)
    home = options.sweep if options.sweep.is_dir() else options.sweep.parent
    folders = [home / name for name in runs["run"]]
    config = _config(folders)
    with progress("fitting:", options.quiet) as bar:
        emulator = fit_emulator(runs, units, options.over, OUTPUTS, constants=_constants(config))
        bar.update(0.2, "cross-validation")
        parts = fit_parts(emulator, runs, units, lambda done: bar.update(0.2 + 0.4 * done, "cross-validation"))
        emulator, held_out = cross_validate(emulator, runs, parts)
        recovery = recover(emulator, runs, parts, PAPER, MEASURED) if "cell.ks" in emulator.design.names else None
        bar.update(0.8, "traces")
        traces = fit_traces(folders, runs, emulator.design, config.channel.constriction_length) if config else None
    meta = {
        **emulator.meta,
        "classes": sorted(set(runs["class"])),
        "runs": len(runs),
        "left_out": len(table) - len(runs),
    }
    emulator = dataclasses.replace(emulator, traces=traces, meta=meta)
    store.write_emulator(options.out, emulator)
    pictures = [options.out.with_suffix(".png"), options.out.with_name(f"{options.out.stem}_slices.png")]
    figures.draw_crossval(pictures[0], emulator, held_out)
    figures.draw_slices(pictures[1], emulator)
    for line in _fit_lines(emulator, recovery):
        say(line, options.quiet)
    say(f"{options.out}\n  {pictures[0].name}: predicted against simulated, {pictures[1].name}: slices", options.quiet)
    return {
        "emulator": str(options.out),
        "figures": [str(p) for p in pictures],
        "inputs": [dataclasses.asdict(item) for item in emulator.design.inputs],
        "scores": {name: dataclasses.asdict(score) for name, score in emulator.scores.items()},
        "recovery": None if recovery is None else _recovery_numbers(recovery),
        "trace_components": 0 if traces is None else len(traces.components),
        **meta,
    }


def _config(folders: list[Path]) -> SimulationConfig | None:
    """Return the configuration of one of the runs, if a folder is there."""
    there = next((f for f in folders if (f / "config.toml").is_file()), None)
    return None if there is None else load_config(str(there / "config.toml"))


def _constants(config: SimulationConfig | None) -> dict[str, Any]:
    if config is None:
        return {}
    nested = config.model_dump(include={"fluid", "channel", "cell", "numerics"}, exclude_none=True)
    flat = {f"{section}.{key}": value for section, inner in nested.items() for key, value in inner.items()}
    return {n: v for n, v in flat.items() if n.startswith(SECTIONS) or n == "numerics.dimension"}


def _recovery_numbers(found: Recovery) -> dict[str, float]:
    return {
        "cells": len(found.truth),
        "rms_ln_error": found.error,
        "coverage_50": found.coverage(0.5),
        "coverage_95": found.coverage(0.95),
    }


def _fit_lines(emulator: Emulator, recovery: Recovery | None) -> list[str]:
    meta, exit_ = emulator.meta, emulator.meta["exit"]
    lines = [
        f"{meta['runs']} runs: {exit_['passed']} came through, {exit_['stuck']} did not; {meta['left_out']} left out "
        "(unstable, refused or failed)",
        *(f"  {item.describe()}" for item in emulator.design.inputs),
        "cross-validated:",
    ]
    for name, score in emulator.scores.items():
        error = f"{100 * score.rmse:.2g} %" if emulator.surfaces[name].log else f"{score.rmse:.2g}"
        lines.append(
            f"  {name:24s} RMSE {error:>7s}   R² {score.r2:.4f}   {100 * score.coverage:.0f} % in their 95 % interval"
        )
    lines.append(
        f"  {'comes through or not':24s} {100 * exit_['accuracy']:.0f} % right, Brier score {exit_['brier']:.3f}"
    )
    if recovery is not None and len(recovery.truth):
        lines.append(
            f"  Ks from {', '.join(PAPER)} measured to {100 * MEASURED:g} %, {len(recovery.truth)} cells: off by "
            f"× {np.exp(recovery.error):.2f} (rms); 50 % intervals hold {100 * recovery.coverage(0.5):.0f} %, "
            f"95 % intervals {100 * recovery.coverage(0.95):.0f} %"
        )
    if emulator.traces is None:
        lines.append("  no traces: the runs' folders are not beside the table; inverse --trace will not work")
    else:
        lines.append(f"  traces DI(x), v(x) in {len(emulator.traces.components)} principal components")
    return lines


def predict(options: argparse.Namespace, values: dict[str, Value]) -> dict[str, Any]:
    """Predict one cell."""
    emulator = store.read_emulator(options.emulator)
    given = bare(values, emulator.design.names)
    point = emulator.design.require(given)[None]
    probability = float(emulator.exit.probability(point)[0])
    features: dict[str, Any] = dict.fromkeys(emulator.surfaces)
    if probability >= 0.5:
        for name, (value, low, high) in emulator.predict(point).items():
            numbers = {"value": float(value[0]), "low": float(low[0]), "high": float(high[0])}
            features[name] = numbers | {"unit": FEATURES[name].unit}
    _say_prediction(probability, features, options.quiet)
    return {"inputs": given, "probability_of_passing": probability, "features": features}


def _say_prediction(probability: float, features: dict[str, Any], quiet: bool) -> None:
    if probability < 0.5:
        say(f"stuck: the cell comes through with probability {probability:.2f}", quiet)
        return
    say(f"comes through with probability {probability:.2f}; values and 95 % intervals:", quiet)
    for name, entry in features.items():
        unit = unit_of(name)
        say(f"  {name:24s} {entry['value']:.4g} ({entry['low']:.4g} to {entry['high']:.4g}) {unit}".rstrip(), quiet)


def lookup(options: argparse.Namespace, values: dict[str, Value]) -> dict[str, Any]:
    """Write the look-up table and its figure."""
    import pandas as pd

    from sim.emulation.lookup import make_lookup

    check_writable(options.out)
    emulator = store.read_emulator(options.emulator)
    given = bare(values, emulator.design.names)
    found = make_lookup(emulator, given)
    heads = ("diameter_m", "pressure_drop_pa", "transition_time_s", "ks_n_per_m", "ks_low_n_per_m", "ks_high_n_per_m")
    table = pd.DataFrame(dict(zip(heads, found.rows.values(), strict=True)))
    with replacing(options.out) as part:
        table.to_csv(part, index=False, float_format="%.5g", lineterminator="\n")
    picture = options.out.with_suffix(".png")
    figures.draw_lookup(picture, emulator, found)
    width = float(np.median(found.rows["ks_high"] / found.rows["ks_low"]))
    say(
        f"{len(table)} rows; the 95 % interval of Ks spans × {width:.2g} in the middle of them\n"
        f"{options.out}: diameter, pressure, transition time → Ks with its 95 % interval, all in SI\n"
        f"  {picture.name} shows the lines of equal stiffness",
        options.quiet,
    )
    return {"table": str(options.out), "figure": str(picture), "rows": len(table), "median_ratio_high_low": width}


def inverse(options: argparse.Namespace, values: dict[str, Value]) -> dict[str, Any]:
    """Infer the parameters that are not given."""
    from sim.emulation.figures_inverse import draw_posterior

    check_writable(options.out)
    emulator = store.read_emulator(options.emulator)
    observed = {name: value for name, value in values.items() if name in FEATURES}
    known = {name: value for name, value in values.items() if name not in FEATURES}
    emulator.design.check_held({name: value.value for name, value in known.items()})
    known = {name: value for name, value in known.items() if name in emulator.design.names}
    notes: list[str] = []
    if options.trace is None:
        evidence = feature_evidence(emulator, observed)
        words = ", ".join(f"{label(n).words} {label(n).show(v.value)}" for n, v in observed.items())
    else:
        if observed:
            raise InputError("give a trace or features, not both: they are the same measurement")
        evidence, notes = _trace_evidence(emulator.traces, options)
        words = f"trace {options.trace.name}"
    found = posterior(emulator, known, evidence)
    notes += found.warnings()
    draw_posterior(options.out, found, words)
    for name in found.names:
        shown = label(name, found.units[found.names.index(name)])
        middle, (low, high) = found.quantile(name, [0.5])[0], found.interval(name, 0.95)
        say(f"{shown.words:>10s} {shown.show(middle)} (95 %: {shown.show(low)} to {shown.show(high)})", options.quiet)
    for note in notes:
        say(f"warning: {note}", options.quiet)
    say(f"{options.out} shows the posterior", options.quiet)
    return _posterior_numbers(found) | {"warnings": notes, "figure": str(options.out)}


def _trace_evidence(basis: TraceBasis | None, options: argparse.Namespace) -> tuple[Evidence, list[str]]:
    if basis is None:
        raise InputError(f"{options.emulator} knows no traces: fit it where the sweep's run folders are")
    if not (options.di_error >= 0 and options.velocity_error >= 0):
        raise InputError("--di-error and --velocity-error must not be negative")
    course = sample_course(read_columns(options.trace), basis.x)
    if course is None:
        raise InputError(
            f"{options.trace}: the cell does not pass from x = 0 to {basis.x[-1]:g} m; a trace of the whole "
            "constriction is needed, with x = 0 at its entry plane"
        )
    scores, leftover = basis.project(course)
    covariance = basis.error(options.di_error, options.velocity_error)
    usual = basis.usual_leftover(options.di_error, options.velocity_error)
    notes = (
        []
        if leftover <= UNLIKE * usual
        else [
            f"the trace is unlike those of the sweep (leftover {leftover:.2g}, there {usual:.2g}): "
            "noise, other units or another channel"
        ]
    )
    return Evidence(scores, covariance, list(basis.scores), basis.moments()), notes


def _posterior_numbers(found: Posterior) -> dict[str, Any]:
    entries = {}
    for k, name in enumerate(found.names):
        low, high = found.interval(name, 0.95)
        low_half, high_half = found.interval(name, 0.5)
        entries[name] = {
            "median": float(found.quantile(name, [0.5])[0]),
            "interval_50": [low_half, high_half],
            "interval_95": [low, high],
            "unit": found.units[k],
            "width_over_prior": found.width(name),
        }
    return {"posterior": entries, "correlation": found.correlation().tolist(), "p_value": found.p_value}


def calibrate(options: argparse.Namespace, values: dict[str, Value]) -> dict[str, Any]:
    """Calibrate the populations of some classes."""
    from sim.emulation.calibration import calibrate as fit_population
    from sim.emulation.calibration import read_tasks
    from sim.emulation.compromise import lines, numbers, write

    check_writable(options.out / "calibration.csv")
    emulator = store.read_emulator(options.emulator)
    tasks = read_tasks(options.targets, emulator)
    fronts = {}
    with progress("fitting populations:", options.quiet) as bar:
        for done, task in enumerate(tasks):
            front = fit_population(
                emulator, task, lambda share, d=done: bar.update((d + share) / len(tasks), "weights")
            )
            fronts[task.name] = (task, front)
    write(options.out, fronts)
    for line in lines(emulator, fronts):
        say(line, options.quiet)
    say(f"{options.out}: calibration.csv, calibration.png (front and deviations)", options.quiet)
    return {"folder": str(options.out), "classes": numbers(fronts)}
