"""From cells measured from films to the datasets that are trained on: splits by cell and by day, and the controls."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bridge.records import Dataset, DatasetError, read_dataset, write_dataset
from bridge.writer import new_dataset
from learn.outputs import save_table
from learn.reproduction.films import Simulated
from learn.reproduction.scales import PAIR, STIFFENED, TEST, Scale
from learn.reproduction.steps import Place

FEATURES = ("deformation_index", "max_velocity", "transition_time")
RATE = "deformation_index_rate"
TEST_SHARE = 0.2
SEED = 2521
"""Draws the split by cell and the order of matching."""


def gather(place: Place, cells: Sequence[Simulated], look: str) -> dict[str, int]:
    """Write the cells that were measured into one dataset, and return why others were lost.

    With the look ``same`` every class has the optics of hct116, whose own films serve. A film must show exactly one
    cell, with both pictures and the features of the paper, DI rate included.

    Raises
    ------
    DatasetError
        If none is left.
    """
    lost: dict[str, int] = {}
    with new_dataset(place.dataset(look)) as writer:
        for one in cells:
            changed = look == "same" and one.label != "hct116"
            path = place.films("same" if changed else "own") / f"{one.name}.h5"
            reason = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))["lost"].rsplit(": ", 1)[-1]
            data = None if reason else read_dataset(path)
            reason = _incomplete(data) if data else reason
            if reason or data is None:
                lost[reason] = lost.get(reason, 0) + 1
                continue
            kind = "solid" if one.solid else "flat"
            table = data.table.assign(cell_id=one.name, source="simulated", label=one.label, group=one.day, kind=kind)
            # What a film was read with differs from day to day and stands in the plan; one file holds all days.
            writer.append(replace(data, table=table, meta={"sources": [{"name": "films", "look": look}]}))
        if not writer.cells:
            raise DatasetError(f"{place.films(look)}: none of {len(cells)} films could be measured ({lost})")
    return lost


def _incomplete(data: Dataset) -> str:
    if len(data) != 1:
        return f"{len(data)} cells in the film"
    if data.views_present is None or not data.views_present.all():
        return "a picture is missing"
    missing = [name for name in (*FEATURES, RATE) if not np.isfinite(data.table[name]).all()]
    return f"not measured: {', '.join(missing)}" if missing else ""


def chosen(data: Dataset, rows: np.ndarray) -> Dataset:
    """Return some rows of a dataset, in that order."""

    def part(array: np.ndarray | None) -> np.ndarray | None:
        return None if array is None else array[rows]

    table = data.table.iloc[rows].reset_index(drop=True)
    pictures = {name: part(getattr(data, name)) for name in ("images", "masks", "views_present")}
    return replace(data, table=table, **pictures)


def of_classes(data: Dataset, classes: Sequence[str]) -> Dataset:
    """Return the cells of some classes."""
    return chosen(data, np.flatnonzero(data.table["label"].isin(list(classes))))


def set_apart(data: Dataset, share: float, label: str = "hct116") -> tuple[Dataset, Dataset]:
    """Return the cells without a drawn share of one class, and that share."""
    own = np.flatnonzero(data.table["label"] == label)
    apart = np.random.default_rng(SEED).permutation(own)[: round(share * len(own))]
    return chosen(data, np.setdiff1d(np.arange(len(data)), apart)), chosen(data, np.sort(apart))


def by_day(data: Dataset) -> Dataset:
    """Return the cells with the test day as their test, days as groups."""
    table = data.table.assign(split=np.where(data.table["group"] == TEST.name, "test", "train"))
    return replace(data, table=table)


def by_cell(data: Dataset) -> Dataset:
    """Return the cells with a fifth of each class as their test, whatever the day; each cell is a group of its own."""
    rng = np.random.default_rng(SEED)
    split = np.full(len(data), "train", dtype=object)
    for label in sorted(data.table["label"].unique()):
        own = np.flatnonzero(data.table["label"] == label)
        split[rng.permutation(own)[: max(1, round(TEST_SHARE * len(own)))]] = "test"
    return replace(data, table=data.table.assign(split=split, group=data.table["cell_id"]))


def undivided(data: Dataset) -> Dataset:
    """Return the cells without a test, each a group of its own: for cross-validations of features alone."""
    return replace(data, table=data.table.assign(split="", group=data.table["cell_id"]))


def matched(data: Dataset, caliper: float, classes: Sequence[str] = PAIR) -> Dataset:
    """Return pairs of cells of two classes whose measured diameters differ by `caliper` (m) at most.

    Raises
    ------
    DatasetError
        If there is no pair.

    Notes
    -----
    Greedy matching without replacement in a drawn order; of each pair both cells are kept, so that the classes have
    equal numbers and equal sizes.
    """
    one, other = (np.flatnonzero(data.table["label"] == label) for label in classes)
    size = data.table["diameter"].to_numpy(float)
    free = dict.fromkeys(other.tolist())
    kept: list[int] = []
    for row in np.random.default_rng(SEED).permutation(one):
        if not free:
            break
        nearest = min(free, key=lambda candidate: abs(size[candidate] - size[row]))
        if abs(size[nearest] - size[row]) <= caliper:
            kept += [int(row), nearest]
            del free[nearest]
    if not kept:
        raise DatasetError(f"no two cells of {' and '.join(classes)} are within {1e6 * caliper:g} µm of one diameter")
    return chosen(data, np.array(sorted(kept), dtype=int))


def write_all(place: Place, scale: Scale, cells: Sequence[Simulated]) -> dict[str, dict[str, int]]:
    """Write every dataset of the trainings; return how many cells of each class each has."""
    own, same = read_dataset(place.dataset("own")), read_dataset(place.dataset("same"))
    flat = chosen(own, np.flatnonzero(own.table["kind"] != "solid"))
    kept, apart = set_apart(flat, scale.apart / scale.cells["hct116"])
    pair, stiff = of_classes(kept, PAIR), of_classes(flat, STIFFENED[1:])
    same = chosen(same, np.flatnonzero(~same.table["cell_id"].isin(apart.table["cell_id"])))
    made = {
        "features": undivided(pair),
        "day": by_day(pair),
        "cell": by_cell(pair),
        "same-optics": by_cell(of_classes(same, PAIR)),
        "matched": by_cell(matched(pair, scale.caliper)),
        "matched-same-optics": by_cell(matched(of_classes(same, PAIR), scale.caliper)),
    }
    for name, data in made.items():
        write_dataset(place.dataset(name), data)
    with new_dataset(place.dataset("stiffened")) as writer:
        for data in (apart, stiff):
            writer.append(undivided(data))
    made["stiffened"] = read_dataset(place.dataset("stiffened"))
    save_table(place.out / "cells.csv", measured_beside_true(own, cells))
    return {name: counts(data) for name, data in made.items()}


def counts(data: Dataset) -> dict[str, int]:
    """Return the number of cells of each class."""
    return {str(label): int(count) for label, count in data.table["label"].value_counts().sort_index().items()}


def measured_beside_true(data: Dataset, cells: Sequence[Simulated]) -> Mapping[str, Any]:
    """Return the features read from the films beside those of the runs, one row for each cell."""
    known = {one.name: one.row for one in cells}
    rows = pd.DataFrame([known[run] for run in data.table["cell_id"]])
    columns: dict[str, Any] = {name: data.table[name] for name in ("cell_id", "label", "group", "kind")}
    columns["diameter"] = data.table["diameter"]
    for name in (*FEATURES, RATE):
        columns[name], columns[f"true_{name}"] = data.table[name], pd.to_numeric(rows[name], errors="coerce")
    return columns | {name: pd.to_numeric(rows[name]) for name in ("cell.diameter", "cell.ks", "cell.kb")}


def write_measured(place: Place, source: Path) -> dict[str, int]:
    """Write the paper's measured cells with the names of classes used here; return how many of each there are.

    Raises
    ------
    InputError
        If the table cannot be read.
    """
    from bridge.ingest import read_source

    data = read_dataset(source) if source.suffix == ".h5" else read_source(source, ())
    data = replace(data, table=data.table.assign(label=data.table["label"].str.lower()))
    write_dataset(place.dataset("measured"), data)
    return counts(data)
