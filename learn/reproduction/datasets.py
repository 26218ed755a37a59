"""From measured cells to the datasets that are trained on: splits by cell and by day, and the controls."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from bridge.merge import merge
from bridge.records import Dataset, DatasetError, read_dataset, write_dataset
from learn.outputs import save_table
from learn.reproduction.cells import Place, Simulated
from learn.reproduction.scales import PAIR, STIFFENED, TEST

FEATURES = ("deformation_index", "max_velocity", "transition_time")
RATE = "deformation_index_rate"
CALIPER = 0.25e-6
"""Largest difference of the measured diameters of two matched cells (m)."""
TEST_SHARE = 0.2
SEED = 2521
"""Draws the split by cell and the order of matching."""


def gather(place: Place, cells: Sequence[Simulated], look: str) -> tuple[Dataset, dict[str, int]]:
    """Return the cells that were measured under a look, one row each, and why others were lost.

    A film must show exactly one cell, with both pictures and the three features of the paper.

    Raises
    ------
    DatasetError
        If none is left.
    """
    found: list[Dataset] = []
    lost: dict[str, int] = {}
    for one in cells:
        reason = _lost(place, one, look)
        path = place.measured(look) / f"{one.run}.h5"
        data = None if reason else read_dataset(path)
        if data is not None:
            reason = _incomplete(data)
        if reason or data is None:
            lost[reason] = lost.get(reason, 0) + 1
            continue
        table = data.table.assign(cell_id=one.run, source="simulated", label=one.label, group=one.day)
        found.append(replace(data, table=table))
    if not found:
        raise DatasetError(f"{place.measured(look)}: none of {len(cells)} films could be measured ({lost})")
    return merge(found), lost


def _lost(place: Place, one: Simulated, look: str) -> str:
    note = json.loads((place.measured(look) / f"{one.run}.json").read_text(encoding="utf-8"))
    return "" if note["code"] == 0 else f"command ended with {note['code']}: {_general(note['reason'])}"


def _general(reason: str) -> str:
    """Return a message without the file it is about, so that equal ones count together."""
    return reason.rsplit(": ", 1)[-1][:120]


def _incomplete(data: Dataset) -> str:
    if len(data) != 1:
        return f"{len(data)} cells in the film"
    if data.views_present is None or not data.views_present.all():
        return "a picture is missing"
    missing = [name for name in FEATURES if not np.isfinite(data.table[name]).all()]
    return f"not measured: {', '.join(missing)}" if missing else ""


def chosen(data: Dataset, rows: np.ndarray) -> Dataset:
    """Return some rows of a dataset, in that order."""

    def part(array: np.ndarray | None) -> np.ndarray | None:
        return None if array is None else array[rows]

    table = data.table.iloc[rows].reset_index(drop=True)
    return replace(
        data,
        table=table,
        images=part(data.images),
        masks=part(data.masks),
        views_present=part(data.views_present),
    )


def of_classes(data: Dataset, classes: Sequence[str]) -> Dataset:
    """Return the cells of some classes."""
    return chosen(data, np.flatnonzero(data.table["label"].isin(list(classes))))


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


def matched(data: Dataset, classes: Sequence[str] = PAIR) -> Dataset:
    """Return pairs of cells of two classes whose measured diameters are nearly equal (`CALIPER`).

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
        if abs(size[nearest] - size[row]) <= CALIPER:
            kept += [int(row), nearest]
            del free[nearest]
    return chosen(data, np.array(sorted(kept), dtype=int))


def write_all(place: Place, own: Dataset, same: Dataset, cells: Sequence[Simulated]) -> dict[str, dict[str, int]]:
    """Write every dataset of the trainings into ``datasets/``; return how many cells of each class each has."""
    with_rate = chosen(own, np.flatnonzero(np.isfinite(own.table[RATE])))
    made = {
        "day": by_day(of_classes(own, PAIR)),
        "cell": by_cell(of_classes(own, PAIR)),
        "rate": by_cell(of_classes(with_rate, PAIR)),
        "same-optics": by_cell(of_classes(same, PAIR)),
        "matched": by_cell(matched(of_classes(own, PAIR))),
        "matched-same-optics": by_cell(matched(of_classes(same, PAIR))),
        "stiffened": without_split(by_cell(of_classes(own, STIFFENED))),
    }
    folder = place.out / "datasets"
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in made.items():
        write_dataset(folder / f"{name}.h5", data)
    save_table(place.out / "cells.csv", measured_beside_true(own, cells))
    return {name: counts(data) for name, data in made.items()}


def without_split(data: Dataset) -> Dataset:
    """Return the cells without a test of their own, for `learn.transfer`, which draws it."""
    return replace(data, table=data.table.assign(split=""))


def counts(data: Dataset) -> dict[str, int]:
    """Return the number of cells of each class."""
    return {str(label): int(count) for label, count in data.table["label"].value_counts().sort_index().items()}


def measured_beside_true(data: Dataset, cells: Sequence[Simulated]) -> Mapping[str, pd.Series]:
    """Return the features read from the films beside those of the runs, one row for each cell."""
    known = {one.run: one for one in cells}
    rows = [known[run].row for run in data.table["cell_id"]]
    columns: dict[str, pd.Series] = {name: data.table[name] for name in ("cell_id", "label", "group", "diameter")}
    for name in (*FEATURES, RATE):
        columns[name] = data.table[name]
        columns[f"true_{name}"] = pd.to_numeric(pd.Series([row[name] for row in rows]), errors="coerce")
    for name in ("cell.diameter", "cell.ks", "cell.kb"):
        columns[name] = pd.to_numeric(pd.Series([row[name] for row in rows]), errors="coerce")
    return columns


def counted(path: Path) -> dict[str, int]:
    """Return the number of cells of each class in a dataset file."""
    return counts(read_dataset(path))
