"""``python -m bridge.check cells.h5``: faults of a dataset that would make a result worthless.

Each check takes a dataset and returns findings. An ``error`` makes accuracy meaningless, a
``warning`` limits what can be concluded, an ``info`` is worth knowing.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from bridge.command import Exit, parse_arguments, print_json, run_command, say

if TYPE_CHECKING:
    import numpy as np

    from bridge.records import Dataset

_LIMITS = {"m/s": (-10.0, 10.0), "s": (0.0, 3600.0)}
"""Values a cell in a microchannel can have, by unit."""

_SHOWN = 6  # cells named in a line of text; JSON names all


@dataclass(frozen=True)
class Finding:
    """One fault or remark."""

    level: Literal["error", "warning", "info"]
    check: str
    """Name of the check, for machines."""
    what: str
    """What was found, for people."""
    cells: tuple[str, ...]
    """Cells it concerns; empty where it concerns the dataset."""
    remedy: str
    """What to do."""


def check(dataset: Dataset) -> list[Finding]:
    """Return all findings, errors first."""
    checks = (check_cells, check_pictures, check_classes, check_groups, check_features)
    findings = [finding for one in checks for finding in one(dataset)]
    return sorted(findings, key=lambda finding: ("error", "warning", "info").index(finding.level))


def check_cells(dataset: Dataset) -> list[Finding]:
    """Find cells that occur twice or have no label, and a split that is filled in for some cells only."""
    findings = []
    ids = dataset.table["cell_id"].astype(str)
    for name, rows in dataset.table.groupby(ids, sort=False):
        if len(rows) > 1:
            splits = sorted(set(rows["split"]))
            where = f" and stands in the splits {' and '.join(map(repr, splits))}" if len(splits) > 1 else ""
            what = f"one cell has {len(rows)} rows{where}"
            findings.append(Finding("error", "cell-twice", what, (str(name),), "keep one row a cell"))
    nameless = tuple(ids[dataset.table["label"] == ""])
    if nameless:
        what = f"{len(nameless)} of {len(dataset)} cells have no label"
        findings.append(Finding("error", "label-missing", what, nameless, "label them, or leave them out"))
    blank = ids[dataset.table["split"] == ""]
    if 0 < len(blank) < len(dataset):
        what = f"{len(blank)} of {len(dataset)} cells have no split while the others have"
        findings.append(
            Finding("error", "split-partial", what, tuple(blank), "fill the column for all cells or for none")
        )
    return findings


def picture_key(image: np.ndarray) -> str:
    """Return a digest of a picture (rows, columns) that its mirror images and quarter turns share."""
    import numpy as np

    turned = [np.rot90(flipped, k) for flipped in (image, image[:, ::-1]) for k in range(4)]
    return min(hashlib.sha256(repr(t.shape).encode() + np.ascontiguousarray(t).tobytes()).hexdigest() for t in turned)


def distinct_pictures(dataset: Dataset) -> tuple[int, int]:
    """Return how many pictures differ by more than a flip or a quarter turn, and how many there are."""
    shown = _shown(dataset)
    return len({picture_key(image) for _, _, image in shown}), len(shown)


def _shown(dataset: Dataset) -> list[tuple[int, str, np.ndarray]]:
    """Return row, view and picture of all pictures there are."""
    if dataset.images is None or dataset.views_present is None:
        return []
    return [
        (i, view, dataset.images[i, j])
        for i in range(len(dataset))
        for j, view in enumerate(dataset.views)
        if dataset.views_present[i, j]
    ]


def check_pictures(dataset: Dataset) -> list[Finding]:
    """Find pictures that are blank, missing, shared by cells, or the mirror image of the cell's other view."""
    shown = _shown(dataset)
    if not shown:
        return []
    ids = dataset.table["cell_id"].astype(str).to_list()
    findings = []
    blank = _unique(ids[i] for i, _, image in shown if image.min() == image.max())
    if blank:
        findings.append(
            Finding("error", "picture-blank", "pictures of one grey value", blank, "record or render them again")
        )
    alike = defaultdict(list)
    for i, view, image in shown:
        if image.min() != image.max():
            alike[picture_key(image)].append((i, view, image))
    for same in alike.values():
        findings += _same_picture(dataset, same)
    missing = _unique(ids[i] for i in range(len(ids)) if not dataset.views_present[i].all())  # type: ignore[index]
    if missing:
        what = f"{len(missing)} cells lack a view"
        findings.append(Finding("info", "view-missing", what, missing, "nothing, if the cell never got there"))
    return findings


def _same_picture(dataset: Dataset, same: list[tuple[int, str, np.ndarray]]) -> list[Finding]:
    """Return findings on pictures that agree up to flips and turns: between cells, and between views of a cell."""
    table = dataset.table
    findings = []
    rows = sorted({i for i, _, _ in same})
    cells = _unique(str(table["cell_id"].iloc[i]) for i in rows)
    if len(cells) > 1:
        places = _unique(str(table["split"].iloc[i]) for i in rows)
        labels = _unique(str(table["label"].iloc[i]) for i in rows)
        parts = ", ".join(f"{table['cell_id'].iloc[i]} ({view})" for i, view, _ in same)
        where = f", in the splits {' and '.join(places)}" if len(places) > 1 else ""
        where += f", of the classes {' and '.join(labels)}" if len(labels) > 1 else ""
        what = f"different cells share {_likeness(same)}{where}: {parts}"
        remedy = "find out whose picture it is; remove the other cells"
        findings.append(Finding("error", "picture-shared", what, cells, remedy))
    for i in rows:
        views = [entry for entry in same if entry[0] == i]
        if len(views) > 1:
            what = f"views {' and '.join(view for _, view, _ in views)} of one cell are {_likeness(views)}"
            remedy = "one of them is not a recording of its own: restore the lost one, or mark it missing"
            findings.append(Finding("warning", "picture-repeated", what, (str(table["cell_id"].iloc[i]),), remedy))
    return findings


def _likeness(same: list[tuple[int, str, np.ndarray]]) -> str:
    exact = len({image.tobytes() for _, _, image in same}) == 1
    return "the same picture" if exact else "the same picture, mirrored or turned"


def check_classes(dataset: Dataset) -> list[Finding]:
    """Find classes that training or test lack."""
    table = dataset.table
    labels = _unique(label for label in table["label"].astype(str) if label)
    if len(labels) == 1:
        what = f"one class only, {labels[0]!r}: nothing can be told apart"
        return [Finding("warning", "one-class", what, (), "add cells of another class")]
    findings = []
    for split in _unique(table["split"].astype(str)):
        inside = set(table.loc[table["split"] == split, "label"].astype(str))
        lacking = [label for label in labels if label not in inside]
        if split and len(inside) == 1 and split == "train":
            what = f"training holds one class only, {next(iter(inside))!r}"
            findings.append(Finding("error", "one-class-training", what, (), "divide the cells anew, by class"))
        for label in lacking:
            cells = tuple(table.loc[table["label"] == label, "cell_id"].astype(str))
            what = f"class {label!r} is missing from {split!r}; its {len(cells)} cells are elsewhere"
            level = "error" if split == "train" else "warning"
            findings.append(Finding(level, "class-missing", what, cells, "divide the cells anew, by class"))
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
        known = table[(groups != "") & (table[column] != "") & (table[column] != -1)]
        for name, rows in known.groupby("group", sort=False):
            places = _unique(rows[column].astype(str))
            if len(places) > 1:
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


def check_features(dataset: Dataset) -> list[Finding]:
    """Find features that are missing, constant, scaled, without a unit, or impossible."""
    import numpy as np
    import pandas as pd

    from bridge.records import PARAMETERS

    findings, lacking = [], defaultdict(list)
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


def _one_feature(dataset: Dataset, name: str) -> list[Finding]:
    import numpy as np

    unit, values = dataset.units[name], dataset.table[name].to_numpy(float)
    ids = dataset.table["cell_id"].astype(str).to_numpy()
    if np.isnan(values).all():
        return [Finding("error", "feature-empty", f"{name}: missing for all cells", (), "leave the column out")]
    shown = "" if unit == "1" else f" {unit}"
    findings = _unit(dataset, name, values)
    if len(values) > 1 and np.nanmin(values) == np.nanmax(values):
        what = f"{name}: {np.nanmin(values):g}{shown} for every cell"
        findings.append(Finding("warning", "feature-constant", what, (), "leave the column out: it tells nothing"))
    low, high = _limits(name, unit)
    outside = (values < low) | (values > high)
    if outside.any():
        worst = values[outside][np.argmax(np.abs(values[outside]))]
        what = f"{name}: {worst:g}{shown} is impossible ({low:g} to {high:g}), for {outside.sum()} cells"
        remedy = "correct the unit or the values"
        findings.append(Finding("error", "feature-impossible", what, tuple(ids[outside]), remedy))
    return findings


def _unit(dataset: Dataset, name: str, values: np.ndarray) -> list[Finding]:
    """Return findings on a feature's unit and scale."""
    from bridge.formats.tables import SCALE_LOST, UNKNOWN
    from sim.features import FEATURES

    unit = dataset.units[name]
    remedy = "get the values before scaling; else train on this source alone"
    if unit == SCALE_LOST:
        return [Finding("warning", "scale-lost", f"{name}: scaled to 0 … 1, and the scale is lost", (), remedy)]
    splits = dataset.table["split"].astype(str).to_numpy()
    for split in ("", *_unique(splits)):
        part = values[splits == split] if split else values
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


def _limits(name: str, unit: str) -> tuple[float, float]:
    if unit == "1" and "deformation_index" in name:
        return -1.0, 1.0
    return _LIMITS.get(unit, (float("-inf"), float("inf")))


def _unique(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


@dataclass(frozen=True)
class Arguments:
    """Look for faults that would make a result worthless: leaks, repeated pictures, lost scales. Exits 1 on errors."""

    dataset: Annotated[Path, tyro.conf.Positional]
    """Dataset (.h5)."""
    json: bool = False
    """Print one JSON object on standard output."""
    quiet: bool = False
    """Print errors only."""


def main(argv: list[str]) -> int:
    """Run the command; see `Arguments`."""
    arguments = parse_arguments(Arguments, "bridge.check", argv)
    from bridge.records import read_dataset

    dataset = read_dataset(arguments.dataset)
    findings = check(dataset)
    levels = Counter(finding.level for finding in findings)
    for finding in findings:
        cells = ", ".join(finding.cells[:_SHOWN])
        more = f" and {len(finding.cells) - _SHOWN} more" if len(finding.cells) > _SHOWN else ""
        named = f" [{cells}{more}]" if cells and finding.check != "picture-shared" else ""
        text = f"{finding.level}: {finding.what}{named}; {finding.remedy}"
        say(text, arguments.quiet and finding.level != "error")
    distinct, pictures = distinct_pictures(dataset)
    summary = f"{len(dataset)} cells, {distinct} of {pictures} pictures distinct up to flips and quarter turns"
    say(f"{arguments.dataset}: {summary}; {levels['error']} errors, {levels['warning']} warnings", arguments.quiet)
    if arguments.json:
        counts = {"cells": len(dataset), "pictures": pictures, "distinct_pictures": distinct}
        totals = {f"{level}s" if level != "info" else level: levels[level] for level in ("error", "warning", "info")}
        print_json({"dataset": str(arguments.dataset), **counts, **totals, "findings": [asdict(f) for f in findings]})
    return Exit.FAILED_CHECK if levels["error"] else Exit.DONE


if __name__ == "__main__":
    run_command(main)
