"""Which cells train, which decide when training ends, which are the test: by cell and group, never by picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bridge.records import DatasetError
from learn.config import TrainConfig
from learn.data import OWN_GROUP, Cells


@dataclass(frozen=True)
class Fold:
    """Rows of the cells of one training; no row stands in two of them."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray

    def moved(self, rows: np.ndarray) -> Fold:
        """Return the fold among the cells `rows` (rising) alone, numbered as these are."""
        return Fold(*(np.searchsorted(rows, side) for side in (self.train, self.validation, self.test)))


@dataclass(frozen=True)
class Splits:
    """All trainings of a run.

    Attributes
    ----------
    folds
        One, or one per fold of the cross-validation.
    aside
        Rows that the dataset keeps as its test set in a cross-validation; empty otherwise.
    groups_whole
        Whether no group of a test stands on another side of its fold.
    notes
        How the split was made, for people.
    """

    folds: tuple[Fold, ...]
    aside: np.ndarray
    groups_whole: bool
    notes: tuple[str, ...]


def split_cells(cells: Cells, config: TrainConfig) -> Splits:
    """Divide the cells as their dataset says, or else stratified by class with groups kept whole.

    Raises
    ------
    DatasetError
        If the dataset's split is incomplete or contradicts `config`, or a class has too few cells.
    """
    mixed = config.held_out == "experimental" and cells.simulated.any() and not cells.simulated.all()
    judged = np.flatnonzero(~cells.simulated) if mixed else np.arange(len(cells))
    if cells.simulated.all() or not cells.simulated.any():
        kind = "simulated" if cells.simulated.all() else "experimental"
        if config.schedule == "staged":
            raise DatasetError(f"all cells are {kind}, so that there are no stages; use --schedule together")
        if config.norm == "separate":
            raise DatasetError(f"all cells are {kind}, so that there is nothing to separate; use --norm shared")
    aside = _dataset_test(cells, judged) if config.split == "dataset" else judged[:0]
    rest = np.setdiff1d(judged, aside)
    numbers = _dataset_folds(cells, rest, config) if config.folds > 1 else None
    notes = []
    if config.folds > 1:
        if numbers is None:
            numbers = _divide(cells, rest, config.folds, config.seed)
        else:
            notes.append("folds as the dataset has them")
        pairs = [(rest[numbers != k], rest[numbers == k]) for k in range(config.folds)]
    else:
        if len(aside):
            notes.append("test cells as the dataset has them")
            pairs, aside = [(rest, aside)], aside[:0]
        else:
            pairs = [cut(cells, rest, config.test_fraction, config.seed)]
    folds = []
    for index, (training, test) in enumerate(pairs):
        train, validation = cut(cells, training, config.validation_fraction, config.seed + 1 + index)
        if mixed:
            held = cells.groups[np.concatenate([validation, test, aside])]
            extra = np.flatnonzero(cells.simulated & ~np.isin(cells.groups, held))
            train = np.concatenate([extra, train])
        folds.append(Fold(train, validation, test))
    for fold in folds:
        check_sides(cells, fold)
    held = sum(_broken_groups(cells, [np.concatenate(_sides(fold)[:2]), fold.test, aside]) for fold in folds)
    inside = sum(_broken_groups(cells, _sides(fold)[:2]) for fold in folds)
    if mixed:
        counts = f"{int(cells.simulated.sum())} simulated cells train"
        notes.append(f"{counts}, {len(judged)} experimental ones train, validate and test (--held-out experimental)")
    notes.append(_group_note(cells, held, inside))
    return Splits(tuple(folds), aside, held == 0, tuple(notes))


def _dataset_test(cells: Cells, rows: np.ndarray) -> np.ndarray:
    filled = int((cells.split[rows] != "").sum())
    if 0 < filled < len(rows):
        raise DatasetError(f"column split is filled for {filled} of {len(rows)} cells; fill it for all or for none")
    test = rows[cells.split[rows] == "test"]
    if filled and len(test) in (0, len(rows)):
        raise DatasetError(
            f"column split names {len(test)} of {len(rows)} cells as test; give it both or leave it empty"
        )
    return test


def _dataset_folds(cells: Cells, rest: np.ndarray, config: TrainConfig) -> np.ndarray | None:
    numbers = cells.fold[rest]
    if (numbers < 0).all() or config.split == "new":
        return None
    found = np.unique(numbers)
    if found[0] < 0:
        raise DatasetError(
            f"column fold is filled for {int((numbers >= 0).sum())} of {len(rest)} cells; fill all or none"
        )
    if not np.array_equal(found, np.arange(config.folds)):
        raise DatasetError(
            f"the dataset has its own folds {found.tolist()}, --folds is {config.folds}; use --folds {len(found)} "
            "with folds numbered from 0, or set its column fold to -1"
        )
    return numbers


def _divide(cells: Cells, rows: np.ndarray, parts: int, seed: int) -> np.ndarray:
    """Return the part (0 to parts - 1) of each of `rows`, stratified, groups whole where each class has enough."""
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    labels, groups = cells.labels[rows], cells.groups[rows]
    fewest = int(np.bincount(labels, minlength=len(cells.classes)).min())
    if fewest < parts:
        scarce = cells.classes[int(np.bincount(labels, minlength=len(cells.classes)).argmin())]
        raise DatasetError(
            f"class {scarce!r} has {fewest} cells to share among {parts} parts; "
            f"each part needs one: lower --folds, raise the fractions, or add cells"
        )
    numbers = np.full(len(rows), -1)
    if all(len(np.unique(groups[labels == k])) >= parts for k in range(len(cells.classes))):
        divider = StratifiedGroupKFold(parts, shuffle=True, random_state=seed)
        for part, (_, held) in enumerate(divider.split(rows, labels, groups)):
            numbers[held] = part
        # scikit-learn may leave a part without a class: then cells are divided one by one.
        if all(len(np.unique(labels[numbers == part])) == len(cells.classes) for part in range(parts)):
            return numbers
    divider = StratifiedKFold(parts, shuffle=True, random_state=seed)
    for part, (_, held) in enumerate(divider.split(rows, labels)):
        numbers[held] = part
    return numbers


def cut(cells: Cells, rows: np.ndarray, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return `rows` in two: what stays, and `fraction` (to the nearest 1/n) of them; stratified, groups whole."""
    parts = max(2, round(1 / fraction))
    numbers = _divide(cells, rows, parts, seed)
    return rows[numbers != 0], rows[numbers == 0]


def resampled(cells: Cells, fold: Fold) -> int:
    """Return how many cells that train or validate are drawn from those that are tested in turn.

    Simulated cells that train in every fold and are never tested do not count: what they add is the same each time.
    """
    training = np.concatenate([fold.train, fold.validation])
    return int(np.isin(cells.simulated[training], cells.simulated[fold.test]).sum())


def broken(cells: Cells, folds: Sequence[Fold]) -> int:
    """Return in how many folds a group of the test trains or validates too."""
    return sum(bool(_broken_groups(cells, [np.concatenate(_sides(fold)[:2]), fold.test])) for fold in folds)


def _sides(fold: Fold) -> list[np.ndarray]:
    return [fold.train, fold.validation, fold.test]


def check_sides(
    cells: Cells, fold: Fold, remedy: str = "mend the dataset's columns split and fold, or draw anew (--split new)"
) -> None:
    """Check that training, validation and test hold every class.

    Raises
    ------
    DatasetError
        If one does not, with the remedy.
    """
    for name, rows in zip(("training", "validation", "test"), _sides(fold), strict=True):
        absent = set(range(len(cells.classes))) - set(cells.labels[rows].tolist())
        if absent:
            raise DatasetError(f"the {name} cells of a fold hold no {cells.classes[min(absent)]!r}; {remedy}")


def _broken_groups(cells: Cells, sides: list[np.ndarray]) -> int:
    _, counts = np.unique(np.concatenate([np.unique(cells.groups[rows]) for rows in sides]), return_counts=True)
    return int((counts > 1).sum())


def _group_note(cells: Cells, held: int, inside: int) -> str:
    count = len(np.unique(cells.groups))
    if count == len(cells):
        if all(group.startswith(OWN_GROUP) for group in cells.groups):
            return "no groups recorded: split by cell; cells of one run or donor may stand on two sides"
        return "no two cells share a group: split by cell"
    if held:
        return (
            f"groups could NOT be kept whole ({count} groups, too few in some class): "
            "cells of one run or donor stand on two sides, the accuracy may be too high"
        )
    if inside:
        return (
            f"groups kept whole in the test: none of the {count} stands in test and training; "
            "too few are left for validation, which shares some with training"
        )
    return f"groups kept whole: none of the {count} stands on two sides"


def draw(cells: Cells, rows: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return `count` of `rows`, each class in its proportion and at least twice.

    With equal generators a larger draw holds the smaller one.

    Raises
    ------
    DatasetError
        If there are too few.
    """
    if count > len(rows):
        raise DatasetError(f"{count} cells to train on are asked for, {len(rows)} are left beside the test cells")
    labels = cells.labels[rows]
    place = np.empty(len(rows))
    for k in np.unique(labels):
        own = np.flatnonzero(labels == k)
        # Evenly spread over the order of all cells, so that every beginning of it holds the classes in proportion.
        place[rng.permutation(own)] = (np.arange(len(own)) + 0.5) / len(own)
    chosen = rows[np.argsort(place, kind="stable")[:count]]
    counts = np.bincount(cells.labels[chosen], minlength=len(cells.classes))
    if counts.min() < 2:
        raise DatasetError(
            f"{count} cells to train on hold {counts.min()} of class {cells.classes[int(counts.argmin())]!r}; "
            "at least two are needed: ask for more"
        )
    return chosen
