"""Ten sizes of the small network: ``python -m learn.ablation --dataset cells.h5 --out DIR``."""

from __future__ import annotations

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

    from learn.data import Cells

NETWORKS = {
    "M1": ((16,), 81.97),
    "M2": ((32,), 82.35),
    "M3": ((64,), 82.97),
    "M4": ((16, 16), 84.33),
    "M5": ((32, 32), 86.35),
    "M6": ((64, 64), 86.74),
    "M7": ((32, 16), 88.74),
    "M8": ((64, 32), 89.05),
    "M9": ((32, 64, 32), 88.67),
    "M10": ((16, 32, 16), 87.97),
}
"""Neurons of each hidden layer, and the accuracy in per cent that the paper prints (supplementary note 2, Table 1)."""

CHOSEN = "M7"
"""The paper's choice; the others are compared with it."""


@dataclass(frozen=True)
class Arguments:
    """Cross-validate the ten networks of the paper's ablation study on features alone."""

    out: Path
    """Folder to write: report.json, ablation.png, ablation.csv."""
    dataset: tyro.conf.UseAppendAction[tuple[Path, ...]] = ()
    """Dataset of cells (.h5); repeat it to pool several."""
    features: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME…")] = TrainConfig.model_fields["features"].default
    """Columns of the dataset to classify by."""
    classes: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME…")] = ()
    """Labels to tell apart; empty: every label of the datasets."""
    folds: int = 5
    """Folds of the cross-validation, by cell and group."""
    epochs: int = 300
    """Passes over the training cells, at most (epochs)."""
    seed: int = 0
    """Draws the folds, the initial weights and the order of the cells."""
    json: bool = False
    """Print the report as one JSON object on standard output."""
    quiet: bool = False
    """Print errors only."""


def main(argv: list[str]) -> int:
    """Run the command; see `Arguments`."""
    arguments = parse_arguments(Arguments, "learn.ablation", argv)
    check_folder(arguments.out)
    if arguments.folds < 2:
        raise InputError(f"--folds = {arguments.folds}: at least two, so that every cell is held out once")
    names = ("features", "classes", "folds", "epochs", "seed")
    values = load_config("features_only").model_dump() | {name: getattr(arguments, name) for name in names}
    config = parse_config(values, "command line")
    from learn.data import load_cells

    cells = load_cells(arguments.dataset, config)
    with progress("ablation", arguments.quiet) as bar:
        report = run(cells, config, arguments.out, bar.update)
    return tell(report, describe(report), arguments)


def run(
    cells: Cells, config: TrainConfig, out: Path, show: Callable[[float, str], None] = lambda part, what: None
) -> dict[str, Any]:
    """Train every network on every fold, compare, draw and write; return the report.

    Parameters
    ----------
    cells, config
        What is trained; the configuration's own `hidden` is not used.
    out
        Folder that is not there yet.
    show
        Called with the part done (0 to 1) and what is being done.
    """
    import numpy as np

    from learn.folds import resampled, split_cells
    from learn.runtime import prepare
    from learn.statistics import corrected_t_test

    prepare()
    from learn.train import train_fold
    from learn.trainer import Trainer

    splits = split_cells(cells, config)
    accuracies: dict[str, np.ndarray] = {}
    parameters = {}
    for number, (name, (hidden, _)) in enumerate(NETWORKS.items()):
        trainer, found = Trainer(config.model_copy(update={"hidden": hidden}), len(cells.classes)), []
        for index, fold in enumerate(splits.folds):
            show((number + index / config.folds) / len(NETWORKS), f"{name}, fold {index + 1}")
            trained = train_fold(trainer, cells, fold, index)
            found.append(np.mean(trained.probabilities[fold.test].argmax(axis=1) == cells.labels[fold.test]))
            parameters[name] = trained.parameters
        accuracies[name] = np.array(found)
    fold = splits.folds[0]
    rows = []
    for name, (hidden, printed) in NETWORKS.items():
        differences = accuracies[name] - accuracies[CHOSEN]
        _, p = corrected_t_test(differences, resampled(cells, fold), len(fold.test))
        rows.append(
            {
                "network": name,
                "hidden": list(hidden),
                "parameters": parameters[name],
                "accuracy": float(accuracies[name].mean()),
                "sd": float(accuracies[name].std(ddof=1)),
                "printed": printed / 100,
                "difference": float(differences.mean()),
                "difference_sd": float(differences.std(ddof=1)),
                "p": p,
            }
        )
    report = {
        "classes": list(cells.classes),
        "features": dict(zip(cells.names, cells.units, strict=True)),
        "cells": len(cells),
        "folds": config.folds,
        "seed": config.seed,
        "compared_with": CHOSEN,
        "networks": rows,
        "split": list(splits.notes),
        "notes": list(cells.notes),
    }
    with new_folder(out) as folder:
        _write(folder, accuracies, rows)
        save_report(folder, report)
    return report


def describe(report: Mapping[str, Any]) -> str:
    """Return the report as text for people."""
    lines = [f"accuracy over {report['folds']} folds of {report['cells']} cells, p against {report['compared_with']}:"]
    for row in report["networks"]:
        size = "-".join(map(str, row["hidden"]))
        accuracy = f"{row['accuracy']:.4f} (sd {row['sd']:.4f}), p = {row['p']:.2g}"
        lines.append(f"  {row['network']:4s} {size:9s} {row['parameters']:5d} parameters {accuracy}")
    return "\n".join([*lines, *report["split"], *report["notes"]])


def _write(folder: Path, accuracies: Mapping[str, np.ndarray], rows: list[dict[str, Any]]) -> None:
    from learn.figures import colour, draw_bars, new_figure, save_figure

    figure = new_figure(8.5, 4)
    axes = figure.subplots()
    names = [f"{row['network']}\n{'-'.join(map(str, row['hidden']))}" for row in rows]
    fills = [colour(2) if row["network"] == CHOSEN else colour(0) for row in rows]
    draw_bars(axes, names, list(accuracies.values()), fills)
    axes.plot(range(len(rows)), [row["printed"] for row in rows], "_", color="black", ms=22, mew=1.5, label="paper")
    axes.set_ylim(min(axes.get_ylim()[0], 0.78), None)
    axes.set(xlabel="network and neurons of its hidden layers", ylabel="accuracy on held-out cells")
    axes.set_title("points: folds; bars: mean and standard deviation", fontsize=9)
    axes.legend(frameon=False, loc="upper left")
    save_figure(folder / "ablation.png", figure)
    table = {key: [row[key] for row in rows] for key in rows[0]}
    table["hidden"] = [" ".join(map(str, row["hidden"])) for row in rows]
    folds = zip(*accuracies.values(), strict=True)
    save_table(folder / "ablation.csv", table | {f"fold_{index}": values for index, values in enumerate(folds)})


if __name__ == "__main__":
    run_command(main)
