"""From a trained model to new classes with few cells: ``python -m learn.transfer MODEL --dataset new.h5 --out DIR``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from bridge.command import InputError, parse_arguments, progress, run_command
from learn.config import TrainConfig, parse_config
from learn.outputs import check_folder, new_folder, save_report, save_table, tell

if TYPE_CHECKING:
    import numpy as np

    from learn.data import Cells
    from learn.folds import Fold
    from learn.train import Before
    from learn.trainer import Trainer


WAYS = {
    "transfer": "from the trained model, all layers",
    "scratch": "from random weights",
    "probe": "logistic regression on the trained model's last hidden layer",
}
"""What is compared."""


@dataclass(frozen=True)
class Arguments:
    """Train a model on with few cells of other classes, against training anew and against a linear probe."""

    model: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="MODEL")]
    """Folder in which `python -m learn.run` left model.json."""
    out: Path
    """Folder to write: report.json, transfer.png, transfer.csv."""
    dataset: tyro.conf.UseAppendAction[tuple[Path, ...]] = ()
    """Dataset of the new classes (.h5); repeat it to pool several."""
    classes: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME…")] = ()
    """Labels to tell apart; empty: every label of the datasets."""
    cells: int = 102
    """Cells to train on, among them those that choose the epoch, the part that did so for the model; others test
    (cells)."""
    epochs: int = 30
    """Passes over the training cells (epochs)."""
    seeds: int = 5
    """Draws of cells and weights."""
    seed: int = 0
    """Draws the draws."""
    json: bool = False
    """Print the report as one JSON object on standard output."""
    quiet: bool = False
    """Print errors only."""


def main(argv: list[str]) -> int:
    """Run the command; see `Arguments`."""
    arguments = parse_arguments(Arguments, "learn.transfer", argv)
    check_folder(arguments.out)
    if arguments.seeds < 2:
        raise InputError(f"--seeds = {arguments.seeds}: at least two, better five, for an interval")
    from learn.checkpoint import load_model

    trained, scaler, weights, card = load_model(arguments.model)
    if scaler.knots:
        raise InputError(f"{arguments.model}: its features are aligned between datasets; train it with --align no")
    changes: dict[str, Any] = {
        "classes": arguments.classes,
        "epochs": arguments.epochs,
        "patience": arguments.epochs,
        "seed": arguments.seed,
        "weights": (),
        "schedule": "together",
        "norm": "shared",
        "others": "refuse",
        "folds": 1,
    }
    config = parse_config(trained.model_dump() | changes, "command line")
    from learn.data import check_units, load_cells

    cells = load_cells(arguments.dataset, config)
    check_units(cells, [feature["unit"] for feature in card["features"]], ", ".join(map(str, arguments.dataset)))
    with progress("transfer", arguments.quiet) as bar:
        from learn.train import Before

        before = Before(weights, scaler)
        report = run(cells, config, before, arguments.cells, arguments.seeds, arguments.out, bar.update)
    return tell(report, describe(report), arguments)


def run(
    cells: Cells,
    config: TrainConfig,
    before: Before,
    count: int,
    seeds: int,
    out: Path,
    show: Callable[[float, str], None] = lambda part, what: None,
) -> dict[str, Any]:
    """Train in every way on every draw, compare, draw and write; return the report.

    Parameters
    ----------
    cells, config
        Cells of the new classes, and what is trained.
    before
        The trained model.
    count, seeds
        Cells that train and validate, and how often they are drawn.
    out
        Folder that is not there yet.
    show
        Called with the part done (0 to 1) and what is being done.
    """
    import numpy as np

    from learn.runtime import prepare

    prepare()
    from learn.train import train_fold
    from learn.trainer import Trainer

    trainer = Trainer(config, len(cells.classes))
    right = np.full((len(WAYS), seeds, len(cells)), np.nan)
    for seed in range(seeds):
        show(seed / seeds, f"draw {seed + 1} of {seeds}")
        fold = draw_fold(cells, count, seed, config)
        found = {
            "transfer": train_fold(trainer, cells, fold, seed, before=before).probabilities[fold.test],
            "scratch": train_fold(trainer, cells, fold, seed).probabilities[fold.test],
            "probe": probe(trainer, before, cells, fold),
        }
        for way, name in enumerate(WAYS):
            right[way, seed, fold.test] = found[name].argmax(axis=1) == cells.labels[fold.test]
    accuracies = dict(zip(WAYS, np.nanmean(right, axis=2), strict=True))
    report = {
        "model": config.model,
        "classes": list(cells.classes),
        "cells": {name: int((cells.labels == k).sum()) for k, name in enumerate(cells.classes)},
        "training": len(fold.train),
        "validation": len(fold.validation),
        "test": len(fold.test),
        "largest": float(np.bincount(cells.labels[fold.test]).max() / len(fold.test)),
        "epochs": config.epochs,
        "seeds": seeds,
        "seed": config.seed,
        **_numbers(right, cells.labels, config.seed),
        "notes": list(cells.notes),
    }
    with new_folder(out) as folder:
        _write(folder, accuracies, report)
        save_report(folder, report)
    return report


def draw_fold(cells: Cells, count: int, seed: int, config: TrainConfig) -> Fold:
    """Return `count` cells, of which the part `validation_fraction` validates; all others test.

    Raises
    ------
    DatasetError
        If too few are left to test, or too few of a class to train.
    """
    import numpy as np

    from bridge.records import DatasetError
    from learn.folds import Fold, check_sides, draw

    everything = np.arange(len(cells))
    chosen = draw(cells, everything, count, np.random.default_rng([config.seed, seed]))
    test = np.setdiff1d(everything, chosen)
    # A cell of a group that trains would be recognised.
    test = test[~np.isin(cells.groups[test], cells.groups[chosen])]
    if len(np.unique(cells.labels[test])) < len(cells.classes):
        raise DatasetError(
            f"{len(cells)} cells, of which {count} train, leave {len(test)} of other groups to test, "
            "not of every class; lower --cells or add cells"
        )
    part = max(2 * len(cells.classes), round(config.validation_fraction * count))
    validation = draw(cells, chosen, part, np.random.default_rng([config.seed, seed, 1]))
    fold = Fold(np.setdiff1d(chosen, validation), validation, test)
    check_sides(cells, fold, f"--cells {count} are too few: give more")
    return fold


def probe(trainer: Trainer, before: Before, cells: Cells, fold: Fold) -> np.ndarray:
    """Return the probabilities of the test cells by logistic regression on the trained model's last hidden layer."""
    import jax.numpy as jnp
    import numpy as np
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    assert before.scaler is not None
    state = trainer.start(0, before.weights)
    everything = np.arange(len(cells))
    data = tuple(jnp.asarray(array) for array in before.scaler.apply(cells))
    latent = trainer.predict(state.parameters, state.best_statistics, data, everything, latent=True)
    training = np.concatenate([fold.train, fold.validation])
    fitted = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    return fitted.fit(latent[training], cells.labels[training]).predict_proba(latent[fold.test])


def describe(report: Mapping[str, Any]) -> str:
    """Return the report as text for people."""
    held = f"{report['training']} cells train, {report['validation']} choose the epoch, {report['test']} test"
    held += f", {100 * report['largest']:.0f} % of them of one class; {report['seeds']} draws"
    lines = [f"accuracy on {' against '.join(report['classes'])} ({held}; 95 % intervals over cells and draws):"]
    for way, what in WAYS.items():
        found = report["accuracy"][way]
        lines.append(f"  {way:9s} {found['value']:.3f} ({found['low']:.3f} to {found['high']:.3f})  {what}")
    for way, found in report["transfer_minus"].items():
        change = f"{100 * found['value']:+.1f} points ({100 * found['low']:+.1f} to {100 * found['high']:+.1f})"
        lines.append(f"  transfer - {way}: {change}")
    return "\n".join([*lines, *report["notes"]])


def _numbers(right: np.ndarray, labels: np.ndarray, seed: int) -> dict[str, Any]:
    import numpy as np

    from learn.metrics import RESAMPLES
    from learn.statistics import over_cells_and_draws

    values = np.nanmean(right, axis=2).mean(axis=1)
    samples = over_cells_and_draws(right, labels, RESAMPLES, np.random.default_rng(seed))

    def interval(value: float, drawn: np.ndarray) -> dict[str, float]:
        low, high = np.quantile(drawn, (0.025, 0.975))
        return {"value": float(value), "low": float(low), "high": float(high)}

    found = {way: interval(values[k], samples[:, k]) for k, way in enumerate(WAYS)}
    others = [(k, way) for k, way in enumerate(WAYS) if way != "transfer"]
    minus = {way: interval(values[0] - values[k], samples[:, 0] - samples[:, k]) for k, way in others}
    return {"accuracy": found, "transfer_minus": minus}


def _write(folder: Path, accuracies: Mapping[str, np.ndarray], report: Mapping[str, Any]) -> None:
    from learn.figures import colour, draw_bars, new_figure, save_figure

    figure = new_figure(5.5, 4)
    axes = figure.subplots()
    names = ["transfer", "from scratch", "linear probe"]
    draw_bars(axes, names, list(accuracies.values()), [colour(k) for k in range(3)])
    axes.set_ylabel("accuracy on held-out cells")
    title = f"{' against '.join(report['classes'])}, {report['training']} cells\npoints: draws; bars: mean and sd"
    axes.set_title(title.replace("_", " "), fontsize=9)
    save_figure(folder / "transfer.png", figure)
    save_table(folder / "transfer.csv", {"draw": range(report["seeds"]), **accuracies})


if __name__ == "__main__":
    run_command(main)
