"""Faults in how a dataset's cells are named and divided: doubles, classes that a part lacks, groups in two parts."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd

from bridge.finding import Finding, unique
from bridge.records import Dataset

_ANEW = "divide the cells anew: python -m bridge.splits"


def check_cells(dataset: Dataset) -> list[Finding]:
    """Find cells that occur twice or have no label."""
    findings = []
    table = dataset.table
    ids = table["cell_id"].astype(str)
    for name in unique(ids[ids.duplicated()]):
        rows = table[ids == name]
        where = ""
        for column in ("split", "fold"):
            places = unique(rows[column].astype(str))
            where += f" and stands in the {column}s {' and '.join(map(repr, places))}" if len(places) > 1 else ""
        what = f"one cell has {len(rows)} rows{where}"
        findings.append(Finding("error", "cell-twice", what, (name,), "keep one row a cell"))
    nameless = tuple(ids[table["label"] == ""])
    if nameless:
        what = f"{len(nameless)} of {len(dataset)} cells have no label"
        findings.append(Finding("error", "label-missing", what, nameless, "label them, or leave them out"))
    return findings


def check_classes(dataset: Dataset) -> list[Finding]:
    """Find classes that training or test lack."""
    table = dataset.table
    labels = unique(label for label in table["label"].astype(str) if label)
    if len(labels) == 1:
        what = f"one class only, {labels[0]!r}: nothing can be told apart"
        return [Finding("warning", "one-class", what, (), "add cells of another class")]
    findings = []
    for split in unique(table["split"].astype(str)):
        inside = set(table.loc[table["split"] == split, "label"].astype(str))
        if len(inside) == 1 and split == "train":
            what = f"training holds one class only, {next(iter(inside))!r}"
            findings.append(Finding("error", "one-class-training", what, (), _ANEW))
        for label in (label for label in labels if label not in inside):
            cells = tuple(table.loc[table["label"] == label, "cell_id"].astype(str))
            what = f"class {label!r} is missing from {split!r}; its {len(cells)} cells are elsewhere"
            level = "error" if split == "train" else "warning"
            findings.append(Finding(level, "class-missing", what, cells, _ANEW))
    return findings


def check_splits(dataset: Dataset) -> list[Finding]:
    """Find splits that some cells lack, and folds that are empty, lack a class or some cells."""
    findings = []
    table = dataset.table
    ids = table["cell_id"].astype(str)
    blank = ids[table["split"] == ""]
    if 0 < len(blank) < len(dataset):
        what = f"{len(blank)} of {len(dataset)} cells have no split while the others have"
        remedy = "fill the column for all cells or for none"
        findings.append(Finding("error", "split-partial", what, tuple(blank), remedy))
    for split, other in (("train", "test"), ("test", "train")):
        if set(table["split"]) == {split}:
            what = f"all cells are in the split {split!r}, none in {other!r}"
            findings.append(Finding("warning", "split-empty", what, (), _ANEW))
    rest = table.loc[table["split"] != "test"]
    folds = np.asarray(rest["fold"], int)
    if len(folds) and (folds >= 0).any():
        findings += _check_folds(rest, folds)
    return findings


def _check_folds(table: pd.DataFrame, folds: np.ndarray) -> list[Finding]:
    """Return findings on the folds of the cells that are not for the test."""
    findings = []
    outside = tuple(table["cell_id"].astype(str)[folds < 0])
    if outside:
        what = f"{len(outside)} of {len(folds)} cells have no fold while the others have"
        findings.append(Finding("error", "fold-partial", what, outside, "fill the column for all cells or for none"))
    empty = sorted(set(range(folds.max() + 1)) - set(folds.tolist()))
    if empty:
        what = f"of the folds 0 to {folds.max()}, {', '.join(map(str, empty))} hold no cell"
        findings.append(Finding("error", "fold-empty", what, (), _ANEW))
    labels = table["label"].astype(str).to_numpy()
    for label in unique(labels):
        inside = set(folds[(labels == label) & (folds >= 0)].tolist())
        lacking = sorted(set(folds[folds >= 0].tolist()) - inside)
        if len(inside) == 1:
            what = f"class {label!r} is in fold {min(inside)} alone: where that is the test, no training knows it"
            findings.append(Finding("error", "fold-class-missing", what, (), _ANEW))
        elif lacking:
            what = f"class {label!r} is missing from fold {', '.join(map(str, lacking))}"
            findings.append(Finding("warning", "fold-class-missing", what, (), _ANEW))
    return findings


def check_groups(dataset: Dataset) -> list[Finding]:
    """Find groups divided between splits or folds, and groups that stand for a class."""
    table = dataset.table
    groups = table["group"].astype(str)
    if not any(groups):
        what = "no run, donor, day or chip is recorded"
        return [
            Finding("info", "group-unknown", what, (), "fill the column group: only then can a split keep days apart")
        ]
    findings = []
    for column in ("split", "fold"):
        known = table.loc[(groups != "") & (table[column] != "") & (table[column] != -1)]
        pairs = set(zip(known["group"], known[column], strict=True))
        for name in (group for group, count in Counter(group for group, _ in pairs).items() if count > 1):
            rows = known[known["group"] == name]
            places = unique(rows[column].astype(str))
            what = f"group {name!r} stands in the {column}s {' and '.join(places)}"
            cells = tuple(rows["cell_id"].astype(str))
            findings.append(Finding("error", "group-divided", what, cells, "keep a group whole: divide by group"))
    pairs = set(zip(table["label"].astype(str), groups, strict=True))
    alone = all(groups) and len({label for label, _ in pairs}) == len({group for _, group in pairs}) == len(pairs)
    if alone and 1 < len(pairs) < len(table):
        what = "each class has a group of its own: " + ", ".join(
            f"{label} only {name}" for label, name in sorted(pairs)
        )
        remedy = "record every class in every group: else the group is learnt, not the class"
        findings.append(Finding("warning", "group-is-class", what, (), remedy))
    return findings
