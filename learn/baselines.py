"""Classical classifiers of the features: ``python -m learn.baselines --dataset cells.h5 --out DIR``."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from bridge.command import InputError, parse_arguments, progress, run_command
from learn.config import TrainConfig, load_config, parse_config
from learn.outputs import check_folder, new_folder, save_report, save_table, tell

if TYPE_CHECKING:
    import numpy as np

    from learn.classifiers import Score
    from learn.data import Cells
    from learn.folds import Fold, Splits

NETWORK = "NN"
"""The small network of `learn.run features_only`, compared with the classifiers (paper, Fig. 4c)."""


@dataclass(frozen=True)
class Arguments:
    """Classify cells by their features with the paper's five classical methods and the small network."""

    out: Path
    """Folder to write: report.json, and each figure as PNG and CSV."""
    dataset: tyro.conf.UseAppendAction[tuple[Path, ...]] = ()
    """Dataset of cells (.h5); repeat it to pool several."""
    features: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME…")] = TrainConfig.model_fields["features"].default
    """Columns of the dataset to classify by: each alone, each pair, and all."""
    classes: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME…")] = ()
    """Labels to tell apart; empty: every label of the datasets."""
    shown: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME…")] = ()
    """Further columns to draw and to correlate, such as sim_diameter, but not to classify by."""
    gap: float | None = None
    """Width of the constriction, to draw how far a cell of a diameter can deform (m)."""
    folds: int = 5
    """Folds of the cross-validation, by cell and group."""
    repeats: int = 3
    """Cross-validations, each with other folds, behind the comparison; the first gives all other numbers."""
    seed: int = 0
    """Draws folds, forests and the network's start."""
    json: bool = False
    """Print the report as one JSON object on standard output."""
    quiet: bool = False
    """Print errors only."""


@dataclass(frozen=True)
class Shown:
    """What the figures of features show.

    Attributes
    ----------
    cells
        The cells with every column to draw and to correlate; values may be missing.
    gap
        Width of the constriction (m), or None.
    """

    cells: Cells
    gap: float | None


def main(argv: list[str]) -> int:
    """Run the command; see `Arguments`."""
    arguments = parse_arguments(Arguments, "learn.baselines", argv)
    check_folder(arguments.out)
    if arguments.repeats < 1 or arguments.folds < 2:
        raise InputError(
            f"--repeats = {arguments.repeats}, --folds = {arguments.folds}: at least one cross-validation of two folds"
        )
    twice = set(arguments.shown) & set(arguments.features)
    if twice or len(set(arguments.shown)) < len(arguments.shown):
        raise InputError(f"--shown {' '.join(arguments.shown)}: a name stands twice, here or in --features")
    if arguments.gap is not None and not 1e-7 <= arguments.gap <= 1e-2:
        raise InputError(f"--gap = {arguments.gap:g} m: choose 1e-7 to 1e-2 m, such as 5.2e-6")
    if len(arguments.features) < 2:
        raise InputError(f"--features {' '.join(arguments.features)}: at least two are needed to look at pairs")
    values = load_config("features_only").model_dump() | {
        "features": arguments.features,
        "classes": arguments.classes,
        "folds": arguments.folds,
        "seed": arguments.seed,
    }
    config = parse_config(values, "command line")
    from learn.data import load_cells, with_columns

    cells = load_cells(arguments.dataset, config)
    shown = Shown(with_columns(cells, arguments.dataset, arguments.shown), arguments.gap)
    with progress("baselines", arguments.quiet) as bar:
        report = run(cells, config, arguments.repeats, shown, arguments.out, bar.update)
    return tell(report, describe(report), arguments)


def run(
    cells: Cells,
    config: TrainConfig,
    repeats: int,
    shown: Shown,
    out: Path,
    show: Callable[[float, str], None] = lambda part, what: None,
) -> dict[str, Any]:
    """Score, compare, draw and write; return the report.

    Parameters
    ----------
    cells, config
        Cells with at least two features, and folds, seed and network.
    repeats
        Cross-validations of the comparison; one only where the dataset has folds of its own.
    shown
        What is drawn and correlated.
    out
        Folder that is not there yet.
    show
        Called with the part done (0 to 1) and what is being done.
    """
    from learn.baseline_figures import (
        write_comparison,
        write_correlation,
        write_regions,
        write_regression,
    )
    from learn.classifiers import score_all
    from learn.feature_figures import write_densities, write_scatters, write_violins
    from learn.folds import split_cells
    from learn.metrics import feature_auc
    from learn.statistics import correlate

    own_folds = bool((cells.fold >= 0).any()) and config.split == "dataset"
    seeds = [config.seed + turn for turn in range(1 if own_folds else repeats)]
    splits = [split_cells(cells, config.model_copy(update={"seed": seed})) for seed in seeds]
    scores = score_all(cells, splits[0].folds, config.seed, lambda part, what: show(0.2 * part, what))
    accuracies = _compare(cells, config, splits, scores, lambda part, what: show(0.2 + 0.8 * part, what))
    comparisons = _tests(accuracies, cells, splits[0].folds[0])
    columns = correlate(shown.cells)
    report = {
        "classes": list(cells.classes),
        "cells": {name: int((cells.labels == k).sum()) for k, name in enumerate(cells.classes)},
        "features": dict(zip(cells.names, cells.units, strict=True)),
        "seed": config.seed,
        "folds": config.folds,
        "repeats": len(seeds),
        "split": list(dict.fromkeys(note for one in splits for note in one.notes)),
        "scores": [_facts(score) for score in scores],
        "network": _facts_of_network(accuracies[NETWORK][: config.folds]),
        "comparison": comparisons,
        "correlation": [{key: _number(columns[key][row]) for key in columns} for row in range(len(columns["x"]))],
        "feature_auc": {
            name: feature_auc(cells.labels, cells.features[:, column], len(cells.classes))
            for column, name in enumerate(cells.names)
        },
        "notes": [*cells.notes, *(["the dataset has folds of its own: one cross-validation"] if own_folds else [])],
    }
    with new_folder(out) as folder:
        write_scatters(folder, shown.cells, shown.gap)
        write_densities(folder, shown.cells)
        write_violins(folder, shown.cells)
        write_correlation(folder, shown.cells, columns)
        write_regression(folder, shown.cells, columns)
        write_regions(folder, cells, config.seed)
        write_comparison(folder, accuracies, comparisons, NETWORK)
        save_table(folder / "scores.csv", _table(scores))
        save_report(folder, report)
    return report


def describe(report: Mapping[str, Any]) -> str:
    """Return the report as text for people."""
    names = list(report["features"])
    lines = [f"accuracy over {report['folds']} folds (AUC of all held-out cells):"]
    for score in report["scores"]:
        if len(score["features"]) in (1, len(names)):
            which = "all features" if len(score["features"]) == len(names) else score["features"][0]
            lines.append(f"  {score['model']:4s} {which:24s} {score['accuracy']:.4f} ({score['auc']:.4f})")
    lines.append(f"  {NETWORK:4s} {'all features':24s} {report['network']['accuracy']:.4f}")
    for test in report["comparison"]:
        if NETWORK in (test["one"], test["other"]):
            lines.append(
                f"  {test['one']} - {test['other']}: {100 * test['difference']:+.2f} points, p = {test['p']:.2g}"
            )
    lines += [
        f"  {row['x']} and {row['y']}, {row['cells']}: correlation {row['pearson']:+.3f}, p = {row['pearson_p']:.2g}"
        for row in report["correlation"]
        if row["pearson"] is not None
    ]
    return "\n".join([*lines, *report["split"], *report["notes"]])


def _compare(
    cells: Cells,
    config: TrainConfig,
    splits: list[Splits],
    scores: list[Score],
    show: Callable[[float, str], None],
) -> dict[str, np.ndarray]:
    """Return the accuracy of every model on all features in each fold of each cross-validation (folds x repeats,)."""
    import numpy as np

    from learn.classifiers import NAMES, cross_validate
    from learn.runtime import prepare

    prepare()
    from learn.train import train_fold
    from learn.trainer import Trainer

    found = {score.model: [score.accuracies] for score in scores if score.features == cells.names}
    for turn, split in enumerate(splits[1:], 1):
        for name in NAMES:
            found[name].append(cross_validate(name, cells, cells.names, split.folds, config.seed + turn).accuracies)
    trainer, network = Trainer(config, len(cells.classes)), []
    todo = [(turn, index) for turn in range(len(splits)) for index in range(config.folds)]
    for done, (turn, index) in enumerate(todo):
        show(done / len(todo), f"network, cross-validation {turn + 1}, fold {index + 1}")
        fold = splits[turn].folds[index]
        chances = train_fold(trainer, cells, fold, turn * config.folds + index).probabilities[fold.test]
        network.append(np.mean(chances.argmax(axis=1) == cells.labels[fold.test]))
    return {**{name: np.concatenate(parts) for name, parts in found.items()}, NETWORK: np.array(network)}


def _tests(accuracies: Mapping[str, np.ndarray], cells: Cells, fold: Fold) -> list[dict[str, Any]]:
    from learn.folds import resampled
    from learn.statistics import corrected_t_test

    tests = []
    for one, other in itertools.combinations(reversed(list(accuracies)), 2):
        differences = accuracies[one] - accuracies[other]
        t, p = corrected_t_test(differences, resampled(cells, fold), len(fold.test))
        tests.append({"one": one, "other": other, "difference": float(differences.mean()), "t": _number(t), "p": p})
    return tests


def _facts(score: Score) -> dict[str, Any]:
    return {
        "model": score.model,
        "features": list(score.features),
        "accuracy": float(score.accuracies.mean()),
        "sd": float(score.accuracies.std(ddof=1)),
        "auc": score.auc,
    }


def _facts_of_network(accuracies: np.ndarray) -> dict[str, float]:
    return {"accuracy": float(accuracies.mean()), "sd": float(accuracies.std(ddof=1))}


def _table(scores: list[Score]) -> dict[str, list[Any]]:
    facts = [_facts(score) for score in scores]
    columns = {key: [one[key] for one in facts] for key in facts[0]}
    return columns | {"features": [" ".join(one["features"]) for one in facts]}


def _number(value: Any) -> Any:
    """Return None in the place of NaN and infinity, which JSON does not know."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


if __name__ == "__main__":
    run_command(main)
