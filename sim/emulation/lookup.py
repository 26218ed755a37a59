"""The look-up of a device: stiffness from diameter, transition time and pressure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import make_interp_spline

from sim.command import InputError
from sim.emulation.emulator import Emulator

STIFFNESS, BENDING, SIZE, DRIVE = "cell.ks", "cell.kb", "cell.diameter", "fluid.pressure_drop"
TIME = "transition_time"
COARSE, FINE, BENDINGS = 24, 400, 6
DIAMETERS, TIMES, DRIVES, LINES = 25, 30, 3, 7
"""Rows of the table along each column, and iso-stiffness lines of the figure."""
REACH = 2.5
"""A time further from all that the design gives than this many deviations has no row."""


@dataclass(frozen=True)
class Lookup:
    """The look-up of one device.

    Attributes
    ----------
    rows
        Columns diameter (m), pressure_drop (Pa), transition_time (s), ks, ks_low, ks_high (N/m), each (R,);
        the last two end the 95 % interval.
    lines
        For each pressure (Pa) and Ks (N/m): diameters (m) and transition time with its 95 % band (s), each (L,).
    """

    rows: Mapping[str, np.ndarray]
    lines: Mapping[tuple[float, float], tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]


def make_lookup(emulator: Emulator, given: Mapping[str, float]) -> Lookup:
    """Return the look-up over the whole design.

    Parameters
    ----------
    emulator
        Must depend on Ks and diameter.
    given
        Values of further parameters; of Kb, if it is left out, the interval covers the design's range.

    Raises
    ------
    InputError
        If the emulator lacks a parameter or another parameter is not given.
    """
    design = emulator.design
    for name in (STIFFNESS, SIZE):
        if name not in design.names:
            raise InputError(f"{name} did not vary in the sweep: a look-up needs it swept")
    for name, value in given.items():
        if name in (STIFFNESS, SIZE) or name not in design.names:
            free = ", ".join(n for n in design.names if n not in (STIFFNESS, SIZE))
            raise InputError(f"--{name} cannot be given for a look-up; only {free or 'nothing'} can")
        design.inputs[design.names.index(name)].require(value)
    left = [n for n in design.names if n not in (STIFFNESS, BENDING, SIZE, DRIVE) and n not in given]
    if left:
        item = design.inputs[design.names.index(left[0])]
        raise InputError(f"--{left[0]} is missing: the look-up is for one value of it ({item.describe()})")
    times = _times(emulator)
    parts, lines = [], {}
    for pressure in _pressures(emulator, given):
        fixed = dict(given) if pressure is None else {**given, DRIVE: pressure}
        drive = pressure if pressure is not None else float(design.fixed.get(DRIVE, np.nan))
        size, axis, mean, deviation, weight = _curves(emulator, fixed)
        parts += [
            (d, drive, *row)
            for k, d in enumerate(size)
            for row in _invert(times, axis, mean[k], deviation[k], weight[k])
        ]
        for ks in _levels(axis):
            lines[(drive, float(np.exp(ks)))] = _line(size, np.abs(axis - ks).argmin(), mean, deviation, weight)
    names = ("diameter", "pressure_drop", "transition_time", "ks", "ks_low", "ks_high")
    table = np.array(parts).reshape(-1, len(names)).T
    return Lookup(dict(zip(names, table, strict=True)), lines)


def _pressures(emulator: Emulator, given: Mapping[str, float]) -> list[float | None]:
    if DRIVE not in emulator.design.names:
        return [None]
    if DRIVE in given:
        return [given[DRIVE]]
    item = emulator.design.inputs[emulator.design.names.index(DRIVE)]
    return [float(v) for v in item.unscale((np.arange(DRIVES) + 0.5) / DRIVES)]


def _times(emulator: Emulator) -> np.ndarray:
    values = emulator.surfaces[TIME].values
    return np.geomspace(values.min(), values.max(), TIMES)


def _levels(axis: np.ndarray) -> np.ndarray:
    return np.linspace(axis[0], axis[-1], LINES)


def _curves(emulator: Emulator, fixed: Mapping[str, float]) -> tuple[np.ndarray, ...]:
    """Return diameters (S,), ln Ks (K,), and over both and Kb (S, K, B): mean and deviation of ln t, weight."""
    design = emulator.design
    names, items = design.names, dict(zip(design.names, design.inputs, strict=True))
    bending = (np.arange(BENDINGS) + 0.5) / BENDINGS if BENDING in names and BENDING not in fixed else np.zeros(1)
    size, coarse = np.linspace(0, 1, DIAMETERS), np.linspace(0, 1, COARSE)
    grids: dict[str, np.ndarray] = dict(
        zip((SIZE, STIFFNESS, BENDING), np.meshgrid(size, coarse, bending, indexing="ij"), strict=True)
    )
    columns = [
        np.full(grids[SIZE].size, float(items[n].scale(fixed[n]))) if n in fixed else grids[n].ravel() for n in names
    ]
    points = np.column_stack(columns)
    mean, deviation = emulator.surfaces[TIME].predict(points)
    weight = emulator.exit.probability(points) * design.inside(points)
    fine = np.linspace(0, 1, FINE)
    smooth = [
        make_interp_spline(coarse, v.reshape(grids[SIZE].shape), k=3, axis=1)(fine) for v in (mean, np.log(deviation))
    ]
    weights = make_interp_spline(coarse, weight.reshape(grids[SIZE].shape), k=1, axis=1)(fine)
    axis = np.log(items[STIFFNESS].unscale(fine))
    return items[SIZE].unscale(size), axis, smooth[0], np.exp(smooth[1]), weights


def _invert(
    times: np.ndarray, axis: np.ndarray, mean: np.ndarray, deviation: np.ndarray, weight: np.ndarray
) -> list[tuple[float, float, float, float]]:
    """Return time, Ks and its 95 % interval for the times that cells of one size and drive may take."""
    rows = []
    for time in times:
        away = (np.log(time) - mean) / deviation
        if not (weight * (abs(away) < REACH)).max() > 0.5:
            continue
        density = (np.exp(-(away**2) / 2) / deviation * weight).sum(axis=1)
        cumulative = (np.cumsum(density) - density / 2) / density.sum()
        middle, low, high = np.exp(np.interp([0.5, 0.025, 0.975], cumulative, axis))
        rows.append((float(time), float(middle), float(low), float(high)))
    return rows


def _line(
    size: np.ndarray, column: int, mean: np.ndarray, deviation: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return diameters and transition time with its band, of one Ks and any Kb, where cells come through."""
    centre, spread = mean[:, column].mean(axis=1), mean[:, column].var(axis=1)
    band = 1.96 * np.sqrt(spread + np.square(deviation[:, column]).mean(axis=1))
    there = weight[:, column].mean(axis=1) > 0.5
    return size[there], *(np.exp(v[there]) for v in (centre, centre - band, centre + band))
