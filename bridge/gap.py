"""``python -m bridge.gap A.h5 B.h5``: how far two Datasets differ, such as simulated and measured cells.

Features are compared one by one by their distributions, pictures by whether a classifier can tell whose they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from bridge.command import (
    Exit,
    InputError,
    check_output,
    parse_arguments,
    print_json,
    progress,
    run_command,
    say,
)

if TYPE_CHECKING:
    import numpy as np

    from bridge.records import Dataset

_NEIGHBOURS = 8


def compare_features(one: Dataset, other: Dataset, label: str = "") -> list[dict[str, Any]]:
    """Compare the features that two datasets share.

    Parameters
    ----------
    one, other
        The datasets.
    label
        Class that is compared; all cells, if empty.

    Returns
    -------
    list of dict
        For each feature in the same unit: ``ks`` (Kolmogorov-Smirnov distance, 0 to 1) with its ``p``, ``wasserstein``
        in the feature's unit and ``wasserstein_sd`` in standard deviations of `other`, medians and numbers of cells.
    """
    rows = []
    for name in one.features:
        if name in other.features and one.units[name] == other.units[name]:
            values = [_values(dataset, name, label) for dataset in (one, other)]
            if min(map(len, values)) >= 2:
                rows.append({"feature": name, "unit": one.units[name], "label": label or None, **_distances(*values)})
    return rows


def _values(dataset: Dataset, name: str, label: str) -> np.ndarray:
    import numpy as np

    values = dataset.table[name].to_numpy(float)
    if label:
        values = values[dataset.table["label"].astype(str).to_numpy() == label]
    return values[np.isfinite(values)]


def _distances(one: np.ndarray, other: np.ndarray) -> dict[str, Any]:
    import numpy as np
    from scipy.stats import ks_2samp, wasserstein_distance

    found: Any = ks_2samp(one, other)
    scale = float(np.std(other))
    moved = float(wasserstein_distance(one, other))
    return {
        "ks": float(found.statistic),
        "p": float(found.pvalue),
        "wasserstein": moved,
        "wasserstein_sd": moved / scale if scale > 0 else None,
        "medians": [float(np.median(one)), float(np.median(other))],
        "cells": [len(one), len(other)],
    }


@dataclass(frozen=True)
class Arguments:
    """Say how far two datasets differ: distances of each feature, and whether their pictures can be told apart."""

    one: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="A.h5")]
    """Dataset (.h5), such as simulated cells."""
    other: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="B.h5")]
    """Dataset (.h5), such as measured ones."""
    out: Path | None = None
    """Figure to draw (.png): nearest neighbours among the pictures, and distributions of the features."""
    label: str = ""
    """Class to compare; by default all cells, and each class that both have."""
    views: Annotated[tuple[str, str] | None, tyro.conf.arg(metavar="VIEW VIEW")] = None
    """A view of A and the one of B it is compared with; by default all that both have."""
    most: int = 2000
    """Pictures taken of each dataset and view, at most."""
    seed: int = 0
    """Draws the pictures, folds and intervals."""
    json: bool = False
    """Print one JSON object on standard output."""
    quiet: bool = False
    """Print errors only."""


def main(argv: list[str]) -> int:
    """Run the command; see `Arguments`."""
    arguments = parse_arguments(Arguments, "bridge.gap", argv)
    if arguments.out is not None:
        check_output(arguments.out, ".png")
    if not 20 <= arguments.most <= 20000:
        raise InputError(f"--most = {arguments.most}: choose 20 to 20000")
    from bridge.stored import open_dataset

    with open_dataset(arguments.one) as one, open_dataset(arguments.other) as other:
        features, views = _features(one, other, arguments.label), _views(one, other, arguments.views)
        if not features and not views:
            raise InputError(
                f"{arguments.one} and {arguments.other} have neither a feature in the same unit nor a view in common; "
                "name two views with --views"
            )
        with progress("pictures", arguments.quiet) as bar:
            pictures, drawn = [], []
            for number, (mine, theirs) in enumerate(views):
                bar.update(number / len(views), mine)
                row, *pair = _compare_pictures(one, other, mine, theirs, arguments)
                pictures.append(row)
                drawn.append((f"{mine}" if mine == theirs else f"{mine} and {theirs}", *pair))
        if arguments.out is not None:
            from bridge.gap_figure import write_figure

            names = (arguments.one.stem, arguments.other.stem)
            write_figure(arguments.out, names, (one, other), features, pictures, drawn, _NEIGHBOURS, arguments.seed)
    _report(features, pictures, arguments)
    return Exit.DONE


def _features(one: Dataset, other: Dataset, label: str) -> list[dict[str, Any]]:
    labels = [set(dataset.table["label"].astype(str)) for dataset in (one, other)]
    if label and not all(label in known for known in labels):
        raise InputError(
            f"--label = {label!r}: both must have it; common are {', '.join(sorted(labels[0] & labels[1]))}"
        )
    common = sorted(labels[0] & labels[1] - {""})
    wanted = [label] if label else ["", *(common if len(labels[0] | labels[1]) > 1 else ())]
    return [row for name in wanted for row in compare_features(one, other, name)]


def _views(one: Dataset, other: Dataset, named: tuple[str, str] | None) -> list[tuple[str, str]]:
    pictured = [list(dataset.views) if dataset.images is not None else [] for dataset in (one, other)]
    if named is None:
        return [(view, view) for view in pictured[0] if view in pictured[1]]
    for view, known in zip(named, pictured, strict=True):
        if view not in known:
            raise InputError(f"--views: no view {view!r}; there is {', '.join(known) or 'none'}")
    return [named]


def _compare_pictures(one: Dataset, other: Dataset, mine: str, theirs: str, arguments: Arguments) -> Any:
    from bridge.gap_pictures import common_field, normalised, separability, take

    field, label, most, seed = common_field(one, other), arguments.label, arguments.most, arguments.seed
    first = take(_of_label(one, label), mine, most, field, seed)
    second = take(_of_label(other, label), theirs, most, field, seed)
    lit = [shown._replace(images=normalised(shown.images)) for shown in (first, second)]
    row: dict[str, Any] = {"views": [mine, theirs], "field": None if field != field else field}
    row["as_they_are"] = separability(first, second, seed)
    row["brightness_and_contrast_removed"] = separability(lit[0], lit[1], seed)
    return row, first, second


def _of_label(dataset: Dataset, label: str) -> Dataset:
    """Return the dataset with only the pictures of one class marked as present."""
    from dataclasses import replace

    if not label or dataset.views_present is None:
        return dataset
    inside = dataset.table["label"].astype(str).to_numpy() == label
    return replace(dataset, views_present=dataset.views_present & inside[:, None])


def _report(features: list[dict[str, Any]], pictures: list[dict[str, Any]], arguments: Arguments) -> None:
    lines = []
    for label in dict.fromkeys(row["label"] for row in features):
        lines.append(f"{'all cells' if label is None else label}: KS distance (0 same, 1 apart), Wasserstein distance")
        for row in (row for row in features if row["label"] == label):
            unit = "" if row["unit"] == "1" else f" {row['unit']}"
            relative = "" if row["wasserstein_sd"] is None else f" = {row['wasserstein_sd']:.2f} standard deviations"
            lines.append(
                f"  {row['feature']:<28} {row['ks']:.3f} (p {row['p']:.2g})  {row['wasserstein']:.3g}{unit}{relative}, "
                f"medians {row['medians'][0]:.3g} and {row['medians'][1]:.3g}"
            )
    for row in pictures:
        for key in ("as_they_are", "brightness_and_contrast_removed"):
            found = row[key]
            what = f"pictures {' and '.join(dict.fromkeys(row['views']))}, {key.replace('_', ' ')}"
            if found["auc"] is None:
                lines.append(f"{what}: too few groups to tell (one group alone in a dataset)")
            else:
                lines.append(
                    f"{what}: AUC {found['auc']:.3f} ({found['low']:.3f} to {found['high']:.3f}); 0.5 = not told apart"
                )
    say("\n".join(lines), arguments.quiet)
    if arguments.out is not None:
        say(str(arguments.out), arguments.quiet)
    if arguments.json:
        files = {"one": str(arguments.one), "other": str(arguments.other)}
        drawn = str(arguments.out) if arguments.out else None
        print_json({**files, "features": features, "pictures": pictures, "figure": drawn})


if __name__ == "__main__":
    run_command(main)
