"""Do simulated cells help? ``python -m learn.curve PRESET --dataset real.h5 --synthetic sim.h5 --out DIR``."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from bridge.command import InputError, progress, run_command
from learn.config import TrainConfig
from learn.outputs import check_folder, new_folder, save_report, save_table, tell
from learn.settings import parse_settings

if TYPE_CHECKING:
    import numpy as np

    from learn.data import Cells
    from learn.folds import Fold
    from learn.train import Before


@dataclass(frozen=True)
class Options:
    """What to compare, and where to write."""

    out: Path
    """Folder to write: report.json, curve.png, curve.csv."""
    dataset: tyro.conf.UseAppendAction[tuple[Path, ...]] = ()
    """Dataset of the cells to be classified, experimental ones as a rule (.h5); repeat it to pool several."""
    synthetic: tyro.conf.UseAppendAction[tuple[Path, ...]] = ()
    """Dataset of cells that train in addition (.h5); repeat it to pool several."""
    sizes: Annotated[tuple[int, ...], tyro.conf.arg(metavar="INT…")] = (10, 20, 50, 100, 200)
    """How many cells of --dataset train (cells)."""
    pretrain: bool = False
    """Simulated cells train first, once and alone; experimental ones train on from there. By default they train
    together, or as --schedule has it."""
    resamples: int = 10
    """Draws of training and test cells, each with and without --synthetic."""
    json: bool = False
    """Print the report as one JSON object on standard output."""
    quiet: bool = False
    """Print errors only."""


def main(argv: list[str]) -> int:
    """Run the command; see `Options`."""
    what = "Learning curve over few cells, with and without simulated ones."
    options, config = parse_settings(Options, "learn.curve", argv, "features_only", what)
    check_folder(options.out)
    if not options.synthetic:
        raise InputError("no --synthetic dataset given: name the one whose use is in question")
    if not options.sizes or min(options.sizes) < 4 or len(set(options.sizes)) < len(options.sizes):
        raise InputError(f"--sizes {' '.join(map(str, options.sizes))}: different numbers from 4 cells upwards")
    if options.resamples < 2:
        raise InputError(f"--resamples = {options.resamples}: at least two, better ten, for an interval")
    from learn.data import load_cells

    cells = load_cells([*options.dataset, *options.synthetic], config)
    # What counts as simulated here is what --synthetic names, whatever the datasets say.
    cells = replace(cells, simulated=cells.source >= len(options.dataset))
    with progress("curve", options.quiet) as bar:
        plan = Plan(tuple(sorted(options.sizes)), options.resamples, options.pretrain)
        report = run(cells, config, plan, options.out, bar.update)
    return tell(report, describe(report), options)


@dataclass(frozen=True)
class Plan:
    """What is compared.

    Attributes
    ----------
    sizes
        Numbers of experimental cells to train on, rising; a fifth of them (`validation_fraction`) validates.
    resamples
        Draws; in each the sizes are nested and the test cells the same.
    pretrain
        Whether simulated cells train once and alone, before the experimental ones.
    """

    sizes: tuple[int, ...]
    resamples: int
    pretrain: bool = False


def run(
    cells: Cells,
    config: TrainConfig,
    plan: Plan,
    out: Path,
    show: Callable[[float, str], None] = lambda part, what: None,
) -> dict[str, Any]:
    """Train at every size with and without the simulated cells, compare, draw and write; return the report.

    Parameters
    ----------
    cells, config
        Cells of both kinds, and what is trained.
    plan
        Sizes and draws.
    out
        Folder that is not there yet.
    show
        Called with the part done (0 to 1) and what is being done.
    """
    accuracies, tests, notes = train_all(cells, config, plan, show)
    overlap = tests / (len(_own(cells, config)) - tests)
    rows = [_row(size, accuracies[place], overlap) for place, size in enumerate(plan.sizes)]
    report = {
        "model": config.model,
        "classes": list(cells.classes),
        "features": dict(zip(cells.names, cells.units, strict=True)),
        "datasets": list(cells.datasets),
        "experimental": int((~cells.simulated).sum()),
        "synthetic": int(cells.simulated.sum()),
        "test": tests,
        "resamples": plan.resamples,
        "align": config.align,
        "schedule": "pretrain" if plan.pretrain else config.schedule,
        "seed": config.seed,
        "sizes": rows,
        "notes": [*cells.notes, *notes],
    }
    with new_folder(out) as folder:
        _write(folder, plan.sizes, accuracies, rows)
        save_report(folder, report)
    return report


def train_all(
    cells: Cells, config: TrainConfig, plan: Plan, show: Callable[[float, str], None]
) -> tuple[np.ndarray, int, list[str]]:
    """Return accuracies (sizes, resamples, 2), without and with simulated cells, how many cells test, and notes."""
    import numpy as np

    from learn.data import subset
    from learn.folds import broken
    from learn.runtime import prepare

    prepare()
    from learn.train import train_fold
    from learn.trainer import Trainer

    both = Trainer(config, len(cells.classes))
    alone = Trainer(config.model_copy(update={"schedule": "together", "norm": "shared"}), len(cells.classes))
    before = pretrained(cells, config) if plan.pretrain else None
    # Without the simulated cells there is one dataset to align, and its knots are those of its own cells.
    rows = np.flatnonzero(~cells.simulated)
    experimental, tests, divided = subset(cells, rows), 0, 0
    accuracies = np.empty((len(plan.sizes), plan.resamples, 2))
    todo = list(itertools.product(range(plan.resamples), enumerate(plan.sizes)))
    for done, (turn, (place, size)) in enumerate(todo):
        show(done / len(todo), f"resample {turn + 1} of {plan.resamples}, {size} cells")
        own, fold = draw_fold(cells, size, turn, config)
        divided += broken(cells, [fold])
        few = replace(fold, train=own).moved(rows)
        found = [train_fold(alone, experimental, few, turn).probabilities[few.test]]
        if before is None:
            found.append(train_fold(both, cells, fold, turn).probabilities[fold.test])
        else:
            found.append(train_fold(alone, experimental, few, turn, before=before).probabilities[few.test])
        labels, tests = cells.labels[fold.test], len(fold.test)
        accuracies[place, turn] = [np.mean(chances.argmax(axis=1) == labels) for chances in found]
    return accuracies, tests, _notes(cells, config, divided, len(todo))


def _notes(cells: Cells, config: TrainConfig, divided: int, draws: int) -> list[str]:
    notes = []
    if divided:
        notes.append(
            f"groups could NOT be kept whole in {divided} of {draws} draws (too few in some class): "
            "cells of one run or donor stand on two sides, the accuracy may be too high"
        )
    aside = int((~cells.simulated).sum()) - len(_own(cells, config))
    if aside:
        notes.append(f"{aside} cells that the dataset keeps as its test were left out (--split new draws from all)")
    return notes


def _own(cells: Cells, config: TrainConfig) -> np.ndarray:
    """Return the experimental cells that may be drawn: not those that the dataset keeps as its test."""
    import numpy as np

    kept = (cells.split != "test") | (config.split == "new")
    return np.flatnonzero(~cells.simulated & kept)


def draw_fold(cells: Cells, size: int, turn: int, config: TrainConfig) -> tuple[np.ndarray, Fold]:
    """Return `size` experimental cells to train on less those that validate, and the fold with the simulated ones."""
    import numpy as np

    from learn.folds import Fold, check_sides, cut, draw

    rest, test = cut(cells, _own(cells, config), config.test_fraction, config.seed + turn)
    chosen = draw(cells, rest, size, np.random.default_rng([config.seed, turn]))
    validation = draw(
        cells,
        chosen,
        max(2 * len(cells.classes), round(config.validation_fraction * size)),
        np.random.default_rng([config.seed, turn, size]),
    )
    own = np.setdiff1d(chosen, validation)
    check_sides(cells, Fold(own, validation, test), f"--sizes {size} is too few: give more")
    held = cells.groups[np.concatenate([validation, test])]
    extra = np.flatnonzero(cells.simulated & ~np.isin(cells.groups, held))
    return own, Fold(np.concatenate([extra, own]), validation, test)


def pretrained(cells: Cells, config: TrainConfig) -> Before:
    """Return a model trained on the simulated cells alone, a fifth of which (`validation_fraction`) validates.

    Raises
    ------
    DatasetError
        If a simulated cell and an experimental one share a group.
    """
    import numpy as np

    from bridge.records import DatasetError
    from learn.data import subset
    from learn.folds import Fold, cut
    from learn.train import Before, train_fold
    from learn.trainer import Trainer

    shared = set(cells.groups[cells.simulated]) & set(cells.groups[~cells.simulated])
    if shared:
        raise DatasetError(
            f"group {str(min(shared))!r} stands in both kinds of datasets: cells that pretrain would be met in the test"
        )
    part = subset(cells, np.flatnonzero(cells.simulated))
    weights = tuple(config.weights[k] for k in np.unique(cells.source[cells.simulated])) if config.weights else ()
    trainer = Trainer(
        config.model_copy(update={"schedule": "together", "norm": "shared", "weights": weights}), len(cells.classes)
    )
    train, validation = cut(part, np.arange(len(part)), config.validation_fraction, config.seed)
    trained = train_fold(trainer, part, Fold(train, validation, validation), 0)
    # Datasets that are aligned have scales of their own; others keep that of the cells seen first.
    return Before(trained.weights, trained.scaler if config.align == "no" else None, last=True)


def describe(report: Mapping[str, Any]) -> str:
    """Return the report as text for people."""
    held = f"{report['test']} experimental cells held out, {report['resamples']} resamples"
    lines = [f"accuracy with and without {report['synthetic']} simulated cells ({held}; 95 % intervals):"]
    for row in report["sizes"]:
        plain, mixed, change = (row[name] for name in ("without", "with", "difference"))
        lines.append(
            f"  {row['cells']:5d} cells: {plain['value']:.3f} without, {mixed['value']:.3f} with, difference "
            f"{100 * change['value']:+.1f} points ({100 * change['low']:+.1f} to {100 * change['high']:+.1f})"
        )
    return "\n".join([*lines, *report["notes"]])


def _row(size: int, accuracies: np.ndarray, overlap: float) -> dict[str, Any]:
    from learn.statistics import mean_interval

    def interval(values: np.ndarray) -> dict[str, float]:
        return dict(zip(("value", "low", "high"), mean_interval(values, overlap), strict=True))

    plain, mixed = accuracies.T
    return {
        "cells": size,
        "without": interval(plain),
        "with": interval(mixed),
        "difference": interval(mixed - plain),
    }


def _write(folder: Path, sizes: Sequence[int], accuracies: np.ndarray, rows: list[dict[str, Any]]) -> None:
    import numpy as np

    from learn.figures import colour, new_figure, save_figure

    figure = new_figure(9.5, 4)
    left, right = figure.subplots(1, 2)
    for arm, (key, label) in enumerate((("without", "experimental cells alone"), ("with", "and simulated cells"))):
        values, low, high = (np.array([row[key][name] for row in rows]) for name in ("value", "low", "high"))
        left.fill_between(sizes, low, high, color=colour(arm), alpha=0.2, lw=0)
        left.plot(sizes, values, "o-", color=colour(arm), label=label)
    left.set(xlabel="experimental cells to train on", ylabel="accuracy on held-out experimental cells", xscale="log")
    left.legend(frameon=False, loc="lower right")
    values, low, high = (np.array([row["difference"][name] for row in rows]) for name in ("value", "low", "high"))
    right.axhline(0, color="0.6", lw=1)
    for turn in range(accuracies.shape[1]):
        right.plot(sizes, 100 * (accuracies[:, turn, 1] - accuracies[:, turn, 0]), ".", color="0.7", ms=4, zorder=1)
    spread = 100 * np.stack([values - low, high - values])
    right.errorbar(sizes, 100 * values, spread, fmt="o", color=colour(2), capsize=4)
    right.set(xlabel="experimental cells to train on", ylabel="gain by simulated cells (points)", xscale="log")
    right.set_title("points: resamples; bars: mean and paired 95 % interval", fontsize=9)
    for axes in (left, right):
        axes.set_xticks(sizes, [str(size) for size in sizes])
        axes.minorticks_off()
    save_figure(folder / "curve.png", figure)
    count = accuracies.shape[1]
    table = {"cells": np.repeat(sizes, count), "resample": np.tile(np.arange(count), len(sizes))}
    table |= {"without": accuracies[:, :, 0].ravel(), "with": accuracies[:, :, 1].ravel()}
    save_table(folder / "curve.csv", table)


if __name__ == "__main__":
    run_command(main)
