"""The page of a sweep: how its runs ended, features over what was varied, and all of its table."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bridge.runs import PASSED, Column, is_run, read_run, read_sweep
from learn.report_page import Fact, Figure, Page, Player, Section, Table, cell
from learn.report_squeeze import animation, moments
from learn.report_svg import drawing, series

_FEATURES = ("transition_time", "max_velocity", "deformation_index")
_SCALES = {"s": ("ms", 1e3), "m/s": ("mm/s", 1e3), "m": ("µm", 1e6), "N/m": ("mN/m", 1e3), "Pa": ("kPa", 1e-3)}
_PARAMETERS = 4
"""Parameters that features are drawn over, at most."""
_ROWS = 2000
_LOGARITHMIC = 20.0
"""A parameter whose values span a larger factor is drawn on a logarithmic axis."""
_FILES = {
    "sweep.csv": "the table, SI; sweep.units.csv has unit and meaning of each column",
    "sweep.h5": "the same with units as attributes",
    "sweep.png": "the figure that sim.sweep drew",
}


def sweep_page(folder: Path) -> Page:
    """Return the page of a sweep's folder.

    Raises
    ------
    InputError
        If its table is missing or damaged.
    """
    table, columns = read_sweep(folder)
    varied = _varied(table, columns)
    sections = [
        Section("Features over what was varied", _figures(table, columns, varied)),
        Section("A squeeze", _squeeze(folder, table)),
        Section("Outcomes", [_outcomes(table), *_without_result(table)]),
        Section("Runs", [_runs(table, columns, varied)]),
    ]
    classes = ", ".join(sorted(table["class"].unique()))
    about = {name: _all(table, name) for name in ("physics_version", "commit")}
    passed = int(np.isin(table["outcome"].to_numpy(str), PASSED).sum())
    return Page(
        "Sweep",
        f"{len(table)} runs: {classes}",
        [_lede(table, columns, varied)],
        [
            Fact("runs", str(len(table)), f"of {table['class'].nunique()} class(es)"),
            Fact("came through", str(passed), f"{100 * passed / len(table):.0f} % of the runs"),
            Fact("largest change of area", _worst(table, "drift_area"), "of the cell’s area, 3-D: volume"),
            Fact("largest slip", _worst(table, "drift_slip"), "of the mean flow velocity in the gap"),
        ],
        [section for section in sections if section.blocks],
        [(name.replace("_", " "), value) for name, value in about.items() if value],
        [f"python -m sim.sweep --out {folder.resolve().name}"],
        {name: what for name, what in _FILES.items() if (folder / name).is_file()},
    )


def _varied(table: pd.DataFrame, columns: dict[str, Column]) -> list[str]:
    """Return the numeric parameters that differ between runs, the seed left out."""
    names = [name for name, column in columns.items() if column.role == "parameter" and column.unit and name != "seed"]
    return [name for name in names if len(np.unique(table[name].to_numpy(float))) > 1]


def _known(table: pd.DataFrame, name: str) -> pd.DataFrame:
    return table.iloc[np.flatnonzero(np.isfinite(table[name].to_numpy(float)))]


def _all(table: pd.DataFrame, name: str) -> str:
    values = [f"{value:g}" if isinstance(value, float) else str(value) for value in table[name].unique()]
    return ", ".join(value for value in values if value not in ("", "nan"))


def _worst(table: pd.DataFrame, name: str) -> str:
    values = table[name].to_numpy(float)
    return f"{100 * np.nanmax(values):.2g} %" if np.isfinite(values).any() else "–"


def _lede(table: pd.DataFrame, columns: dict[str, Column], varied: list[str]) -> str:
    ranges = []
    for name in varied:
        unit, factor = _shown(columns[name].unit)
        values = factor * table[name].to_numpy(float)
        ranges.append(f"{name} from {np.nanmin(values):.3g} to {np.nanmax(values):.3g} {unit}".rstrip(" 1"))
    return f"Varied: {'; '.join(ranges)}." if ranges else "Nothing but the seed was varied."


def _shown(unit: str) -> tuple[str, float]:
    return _SCALES.get(unit, (unit, 1.0))


def _label(name: str, columns: dict[str, Column]) -> str:
    return f"{name.replace('_', ' ')} ({_shown(columns[name].unit)[0]})"


def _figures(table: pd.DataFrame, columns: dict[str, Column], varied: list[str]) -> list[Figure]:
    """Draw each feature over each of the first parameters, classes in colour."""
    figures = []
    for parameter, feature in itertools.product(varied[:_PARAMETERS], _FEATURES):
        known = _known(table, feature)
        if known.empty:
            continue
        x, y = (_shown(columns[name].unit)[1] for name in (parameter, feature))
        with drawing() as made:
            axes = made.axes()
            for index, (label, part) in enumerate(known.groupby("class")):
                axes.plot(
                    x * part[parameter], y * part[feature], "o", ms=4, alpha=0.7, color=series(index), label=label
                )
            values = known[parameter].to_numpy(float)
            if values.min() > 0 and values.max() / values.min() > _LOGARITHMIC:
                axes.set_xscale("log")
            axes.set(xlabel=_label(parameter, columns), ylabel=_label(feature, columns))
            axes.legend()
        figures.append(Figure(f"{feature.replace('_', ' ').capitalize()} over {parameter}.", made.svg))
    return figures


def _squeeze(folder: Path, table: pd.DataFrame) -> list[Player | Figure]:
    """Show the run whose transition time is the median."""
    known = _known(table, "transition_time")
    order = known["transition_time"].to_numpy(float).argsort(kind="stable")
    names = known["run"].to_numpy(str)[order]
    if not len(names) or not is_run(folder / names[len(names) // 2]):
        return []
    trace = read_run(folder / names[len(names) // 2])[0]
    return [animation(trace), moments(trace)]


def _outcomes(table: pd.DataFrame) -> Table:
    outcomes = sorted(table["outcome"].unique())
    rows = []
    for label, part in table.groupby("class"):
        counts = Counter(part["outcome"])
        rows.append([cell(str(label)), *(cell(counts[outcome]) for outcome in outcomes)])
    return Table("Runs of each class by how they ended.", ("class", *outcomes), rows)


def _without_result(table: pd.DataFrame) -> list[Table]:
    rows = [
        [cell(name), cell(outcome), cell(reason)]
        for name, outcome, reason in table[["run", "outcome", "reason"]].to_numpy(str)
        if reason
    ]
    return [Table("Runs without a result, and why.", ("run", "outcome", "reason"), rows)] if rows else []


def _runs(table: pd.DataFrame, columns: dict[str, Column], varied: list[str]) -> Table:
    names = ["class", "outcome", *varied, *_FEATURES, "drift_area", "drift_slip"]
    rows: list[list[Any]] = []
    for values in table[["run", *names]].head(_ROWS).to_numpy(object):
        row = [cell(str(values[0]))]
        row += [_cell(value, columns[name].unit) for name, value in zip(names, values[1:], strict=True)]
        rows.append(row)
    more = f", the first {_ROWS} of {len(table)}" if len(table) > _ROWS else ""
    heads = ["run", *(_head(name, columns) for name in names)]
    return Table(f"Runs{more}; every column is in sweep.csv.", heads, rows, folded=len(rows) > 40)


def _head(name: str, columns: dict[str, Column]) -> str:
    return _label(name, columns) if columns[name].unit not in ("", "1") else name.replace("_", " ")


def _cell(value: Any, unit: str) -> Any:
    return cell(float(value) * _shown(unit)[1], digits=3) if unit else cell(str(value))
