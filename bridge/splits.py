"""``python -m bridge.splits cells.h5``: cells for training and for the test, and folds, kept in the file.

Cells of one group (run, donor, day, chip) stay together, classes are shared out evenly, and the same seed gives the
same division. A dataset divided here is divided alike in every training.
"""

from __future__ import annotations

import json as json_
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from bridge.command import Exit, InputError, parse_arguments, print_json, run_command, say

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

_TRIES = 20  # seeds tried until each part has each class


def divide(labels: np.ndarray, groups: np.ndarray, parts: int, seed: int) -> np.ndarray:
    """Return the part (0 to parts - 1) of each cell: groups whole, classes shared out evenly, no part without a class.

    Parameters
    ----------
    labels
        Class of each cell (cells,).
    groups
        Group of each cell (cells,); a cell of no group has a name of its own.
    parts
        How many.
    seed
        Draws the division.

    Raises
    ------
    InputError
        If a class has too few groups, or no such division was found.
    """
    import numpy as np
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    for label in np.unique(labels):
        count = len(np.unique(groups[labels == label]))
        if count < parts:
            raise InputError(
                f"class {str(label)!r} has {count} groups to share among {parts} parts; take fewer folds or a larger "
                "share for the test, add groups, or divide cell by cell (--by cell)"
            )
    single = len(np.unique(groups)) == len(groups)
    for number in range(_TRIES):
        kind = StratifiedKFold if single else StratifiedGroupKFold
        divider = kind(parts, shuffle=True, random_state=seed + 1000 * number)
        found = np.full(len(labels), -1)
        for part, (_, held) in enumerate(divider.split(labels, labels, None if single else groups)):
            found[held] = part
        # scikit-learn may leave a part empty or without a class
        if all(len(np.unique(found[labels == label])) == parts for label in np.unique(labels)):
            return found
    raise InputError(
        f"no division into {parts} parts was found that keeps groups whole and gives each part each class; "
        "take fewer folds, or divide cell by cell (--by cell)"
    )


def assign(table: pd.DataFrame, by: Literal["group", "cell"], test: float, folds: int, seed: int) -> pd.DataFrame:
    """Return the columns ``split`` and ``fold`` for a dataset's cells.

    Parameters
    ----------
    table
        Of the dataset.
    by
        What is not divided.
    test
        Share of the cells for the test, to the nearest 1/n; 0 for none.
    folds
        Folds of the other cells; 0 for none.
    seed
        Draws the division.

    Raises
    ------
    InputError
        If a cell has no label, or the cells cannot be divided so.
    """
    import numpy as np
    import pandas as pd

    labels = table["label"].astype(str).to_numpy(dtype=str)
    if (labels == "").any():
        raise InputError(f"{(labels == '').sum()} of {len(labels)} cells have no label; label them first")
    own = "cell " + table["cell_id"].astype(str)
    named = table["group"].astype(str)
    groups = (own if by == "cell" else named.where(named != "", own)).to_numpy(dtype=str)
    split, fold = np.full(len(table), "train" if test else "", dtype="<U5"), np.full(len(table), -1)
    if test:
        split[_held_out(labels, groups, test, seed)] = "test"
    rest = np.flatnonzero(split != "test")
    if folds:
        fold[rest] = divide(labels[rest], groups[rest], folds, seed)
    return pd.DataFrame({"split": split, "fold": fold}, index=table.index)


def _held_out(labels: np.ndarray, groups: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Return the cells for the test: of several divisions the part whose size is nearest to `share`."""
    import numpy as np

    parts = divide(labels, groups, max(2, round(1 / share)), seed)
    sizes = np.bincount(parts) / len(parts)
    return np.flatnonzero(parts == int(np.abs(sizes - share).argmin()))


def store(path: Path, columns: pd.DataFrame, how: dict[str, Any]) -> None:
    """Write a division into a dataset in place, all or nothing.

    Raises
    ------
    DatasetError
        If the file is no dataset, or cannot be changed.
    OSError
        If it cannot be written.
    """
    import h5py

    from bridge.writer import editing

    with editing(path) as file:
        table: Any = file["table"]
        table["split"][...] = columns["split"].to_list()
        table["fold"][...] = columns["fold"].to_numpy()
        meta = json_.loads(file["meta"].asstr()[()])  # type: ignore[union-attr]
        del file["meta"]
        text = json_.dumps(meta | {"division": how}, sort_keys=True)
        file.create_dataset("meta", data=text, dtype=h5py.string_dtype())


@dataclass(frozen=True)
class Arguments:
    """Divide the cells of a dataset into training, test and folds, and keep the division in the file."""

    dataset: Annotated[Path, tyro.conf.Positional]
    """Dataset (.h5); it is changed in place."""
    by: Literal["group", "cell"] = "group"
    """What stays together: groups (run, donor, day, chip), or cells alone."""
    test: float = 0.2
    """Share of the cells for the test, to the nearest 1/n; 0: none (fraction)."""
    folds: int = 5
    """Folds of the other cells, for cross-validation; 0: none."""
    seed: int = 0
    """Draws the division."""
    replace: bool = False
    """Divide anew what is divided already."""
    json: bool = False
    """Print one JSON object on standard output."""
    quiet: bool = False
    """Print errors only."""


def main(argv: list[str]) -> int:
    """Run the command; see `Arguments`."""
    arguments = parse_arguments(Arguments, "bridge.splits", argv)
    if not 0 <= arguments.test <= 0.5:
        raise InputError(f"--test = {arguments.test:g}: choose 0 to 0.5")
    if arguments.folds != 0 and not 2 <= arguments.folds <= 50:
        raise InputError(f"--folds = {arguments.folds}: choose 2 to 50, or 0 for none")
    if arguments.test == 0 and arguments.folds == 0:
        raise InputError("--test 0 and --folds 0: nothing to divide into")
    if arguments.seed < 0:
        raise InputError(f"--seed = {arguments.seed}: must not be negative")
    from bridge.stored import open_dataset

    with open_dataset(arguments.dataset) as dataset:
        table = dataset.table
    if not arguments.replace and (set(table["split"]) != {""} or set(table["fold"]) != {-1}):
        raise InputError(f"{arguments.dataset}: its cells are divided already; to divide them anew add --replace")
    columns = assign(table, arguments.by, arguments.test, arguments.folds, arguments.seed)
    how = {name: getattr(arguments, name) for name in ("by", "test", "folds", "seed")}
    store(arguments.dataset, columns, how)
    facts = describe(table.assign(split=columns["split"], fold=columns["fold"]))
    for name, part in facts.items():
        labels = ", ".join(f"{count} {label}" for label, count in part["labels"].items())
        say(f"{name}: {part['cells']} cells in {part['groups']} groups ({labels})", arguments.quiet)
    if arguments.json:
        print_json({"dataset": str(arguments.dataset), **how, "parts": facts})
    return Exit.DONE


def describe(table: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Return cells, groups and classes of each split and fold."""
    import numpy as np

    split, fold = table["split"].to_numpy(), table["fold"].to_numpy(int)
    named = [group or cell for group, cell in zip(table["group"], table["cell_id"], strict=True)]
    labels, groups = table["label"].to_numpy(), np.array(named)
    parts = {name: split == name for name in ("train", "test")}
    parts |= {f"fold {k}": fold == k for k in range(fold.max() + 1)}
    return {
        name: {
            "cells": int(inside.sum()),
            "groups": len(np.unique(groups[inside])),
            "labels": dict(sorted(Counter(labels[inside]).items())),
        }
        for name, inside in parts.items()
        if inside.any()
    }


if __name__ == "__main__":
    run_command(main)
