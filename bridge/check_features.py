"""Faults of a dataset's features: missing, constant, scaled, of no unit, or of values that cannot be."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pandas as pd

from bridge.finding import Finding, unique
from bridge.formats.tables import SCALE_LOST, UNKNOWN
from bridge.records import PARAMETERS, Dataset
from sim.features import FEATURES

_LIMITS = {
    "m/s": (-10.0, 10.0, 1e-6, 2.0),
    "s": (0.0, 3600.0, 1e-7, 600.0),
    "1/s": (-1e9, 1e9, 0.0, 1e7),
    "m": (0.0, 1e-2, 1e-7, 1e-3),
    "m²": (0.0, 1e-4, 1e-14, 1e-6),
    "m³": (0.0, 1e-6, 1e-20, 1e-10),
    "Pa": (0.0, 1e9, 1e-1, 1e7),
}
"""Of a cell in a microchannel, by unit: lowest and highest value there can be, and of the median of those there are."""


def check_features(dataset: Dataset) -> list[Finding]:
    """Find features that are missing, constant, scaled, without a unit, or impossible."""
    findings, lacking = [], defaultdict(list)
    findings += _pixel_size(dataset)
    ids = dataset.table["cell_id"].astype(str).to_numpy()
    for name in map(str, dataset.table):
        column = dataset.table[name]
        if name in dataset.features:
            findings += _one_feature(dataset, name)
            lacking[tuple(ids[np.isnan(column.to_numpy(float))])].append(name)
        elif not name.startswith(PARAMETERS) and pd.api.types.is_numeric_dtype(column):
            remedy = "state the unit, or leave the column out"
            findings.append(Finding("warning", "unit-unknown", f"{name}: no unit", (), remedy))
    for cells, names in lacking.items():
        if 0 < len(cells) < len(dataset):
            what = f"{', '.join(names)}: missing for {len(cells)} of {len(dataset)} cells"
            remedy = "leave these cells out, or say how they are filled in"
            findings.append(Finding("warning", "feature-missing", what, cells, remedy))
    return findings


def _pixel_size(dataset: Dataset) -> list[Finding]:
    if "pixel_size" not in dataset.table:
        return []
    values = dataset.table["pixel_size"].to_numpy(float)
    wrong = (values < 1e-9) | (values > 1e-4)
    if not wrong.any():
        return []
    ids = tuple(dataset.table["cell_id"].astype(str).to_numpy()[wrong])
    what = f"pixel_size: {values[wrong][0]:g} m is impossible (1e-09 to 0.0001), for {wrong.sum()} cells"
    return [Finding("error", "feature-impossible", what, ids, "correct the unit or the values")]


def _one_feature(dataset: Dataset, name: str) -> list[Finding]:
    unit, values = dataset.units[name], dataset.table[name].to_numpy(float)
    ids = dataset.table["cell_id"].astype(str).to_numpy()
    if np.isnan(values).all():
        return [Finding("error", "feature-empty", f"{name}: missing for all cells", (), "leave the column out")]
    shown = "" if unit == "1" else f" {unit}"
    findings = _unit(dataset, name, values)
    if len(values) > 1 and np.nanmin(values) == np.nanmax(values):
        what = f"{name}: {np.nanmin(values):g}{shown} for every cell"
        findings.append(Finding("warning", "feature-constant", what, (), "leave the column out: it tells nothing"))
    return findings + _range(name, unit, values, ids)


def _range(name: str, unit: str, values: np.ndarray, ids: np.ndarray) -> list[Finding]:
    """Return findings on values that cannot be, or hardly, in their unit."""
    shown = "" if unit == "1" else f" {unit}"
    low, high, least, most = _limits(name, unit)
    outside = (values < low) | (values > high)
    if outside.any():
        worst = values[outside][np.argmax(np.abs(values[outside]))]
        what = f"{name}: {worst:g}{shown} is impossible ({low:g} to {high:g}), for {outside.sum()} cells"
        remedy = "correct the unit or the values"
        return [Finding("error", "feature-impossible", what, tuple(ids[outside]), remedy)]
    middle = float(np.nanmedian(np.abs(values)))
    if middle > 0 and not least <= middle <= most:
        what = f"{name}: half of the cells have less than {middle:g}{shown}; {least:g} to {most:g} is usual of cells"
        return [Finding("warning", "unit-unlikely", what, (), "see whether the unit is right")]
    return []


def _unit(dataset: Dataset, name: str, values: np.ndarray) -> list[Finding]:
    """Return findings on a feature's unit and scale."""
    unit = dataset.units[name]
    remedy = "get the values before scaling; else train on this source alone"
    if unit == SCALE_LOST:
        return [Finding("warning", "scale-lost", f"{name}: scaled to 0 … 1, and the scale is lost", (), remedy)]
    splits = dataset.table["split"].astype(str).to_numpy()
    for split in ("", *unique(splits)):
        part = values[splits == split] if split else values
        part = part[np.isfinite(part)]
        if len(part) > 2 and (part >= 0).all() and (part <= 1).all() and 0 in part and 1 in part:
            what = f"{name}: {split or 'all cells'} from exactly 0 to exactly 1: min-max scaled, the scale is lost"
            return [Finding("warning", "scale-lost", what, (), remedy)]
    if unit == UNKNOWN:
        return [Finding("warning", "unit-unknown", f"{name}: unit unknown", (), "state it in the source's header")]
    expected = FEATURES[name].unit if name in FEATURES else unit
    if unit != expected and unit in {feature.unit for feature in FEATURES.values()}:
        what = f"{name}: unit {unit!r}, which is no unit of it ({expected})"
        return [Finding("error", "unit-wrong", what, (), "correct the unit or the column's name")]
    if unit != expected:
        what = f"{name}: in {unit!r}, not in {expected}"
        remedy = "train on it alone, not together with sources in another unit"
        return [Finding("info", "unit-not-si", what, (), remedy)]
    return []


def _limits(name: str, unit: str) -> tuple[float, float, float, float]:
    if unit == "1" and "deformation_index" in name:
        return -1.0, 1.0, 0.0, 1.0
    return _LIMITS.get(unit, (-np.inf, np.inf, 0.0, np.inf))
