"""All folds of a training in its folder: train what is not finished, then report on cells that were held out."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from bridge.command import InputError, progress, say, write_text
from learn.calibration import Calibration
from learn.checkpoint import load_tree, save_model
from learn.config import How, TrainConfig
from learn.data import Cells
from learn.folds import Fold, Splits
from learn.summary import Result, make_report, predictions_table
from learn.workdir import CHECKPOINT, PREDICTIONS, REPORT, SUMMARY, Workdir, write_json

if TYPE_CHECKING:
    from learn.board import Board
    from learn.trainer import Trainer


def train_all(
    config: TrainConfig, cells: Cells, splits: Splits, workdir: Workdir, how: How | None = None
) -> dict[str, Any]:
    """Train what is not finished yet, then write predictions, summary and, last, the report.

    Parameters
    ----------
    config, cells, splits
        What is trained, on what, and which cells are held out.
    workdir
        Folder that holds this training or nothing but its configuration.
    how
        With what means, and what is said meanwhile.

    Returns
    -------
    dict
        The report, as in ``report.json``.
    """
    found = [workdir.result(index) for index in range(len(splits.folds))]
    results = _train_missing(config, cells, splits, workdir, found, how or How())
    report = make_report(config, cells, splits, results)
    write_text(workdir.path / PREDICTIONS, predictions_table(cells, splits, results))
    from learn.plots import write_summary

    write_summary(workdir.path / SUMMARY, report, cells, splits, results)
    write_json(workdir.path / REPORT, report)
    return report


def _train_missing(
    config: TrainConfig, cells: Cells, splits: Splits, workdir: Workdir, found: Sequence[Result | None], how: How
) -> list[Result]:
    results: list[Result] = []
    trainer = None
    records = _rewrite_log(workdir, found)
    with progress(config.name, how.quiet) as bar, _board(workdir, records, how) as board:

        def log(record: dict[str, float]) -> None:
            workdir.log(record)
            if board is not None:
                board.log(record)

        for index, (fold, result) in enumerate(zip(splits.folds, found, strict=True)):
            if result is None:
                trainer = trainer or _trainer(config, len(cells.classes), how.devices)
                result = _train_one(trainer, cells, fold, index, splits, workdir, log, bar.update)
            results.append(result)
            which = f"fold {index + 1}/{len(splits.folds)}: " if len(splits.folds) > 1 else ""
            kept = f"epoch {result['best_epoch']} of {len(result['history'])} kept"
            say(f"  {which}accuracy {result['accuracy']:.4f} on {len(fold.test)} cells, {kept}", how.quiet)
    return results


@contextlib.contextmanager
def _board(workdir: Workdir, records: Sequence[dict[str, float]], how: How) -> Iterator[Board | None]:
    if not how.tensorboard:
        yield None
        return
    from learn.board import Board

    board = Board(workdir.path, records)
    try:
        yield board
    finally:
        board.close()


def _trainer(config: TrainConfig, classes: int, devices: int) -> Trainer:
    part = config.batch if config.norm == "shared" else config.batch // 2
    if part % devices:
        raise InputError(f"--devices {devices} cannot share {part} cells of a step equally: choose another --batch")
    # JAX takes seconds to start, and a run of which every fold is finished needs none.
    from learn.runtime import prepare

    prepare()
    from learn.trainer import Trainer

    return Trainer(config, classes, devices)


def _train_one(
    trainer: Trainer,
    cells: Cells,
    fold: Fold,
    index: int,
    splits: Splits,
    workdir: Workdir,
    log: Callable[[dict[str, float]], None],
    show: Callable[[float, str], None],
) -> Result:
    from learn.train import train_fold

    folder, epochs = workdir.fold(index), trainer.config.epochs
    folder.mkdir(exist_ok=True)

    def on_step(done: float) -> None:
        show((index + done / epochs) / len(splits.folds), f"epoch {min(int(done) + 1, epochs)} of at most {epochs}")

    def on_epoch(record: dict[str, float]) -> None:
        log({"fold": index, **record})

    trained = train_fold(trainer, cells, fold, index, folder / CHECKPOINT, on_epoch, on_step)
    held = trained.probabilities[fold.test]
    accuracy = float((held.argmax(axis=1) == cells.labels[fold.test]).mean())
    calibration = Calibration.fit(cells.labels[fold.validation], trained.probabilities[fold.validation])
    facts = {
        "calibration": asdict(calibration),
        "parameters": trained.parameters,
        "training_cells": len(fold.train),
        "best_epoch": trained.best_epoch,
        "test_accuracy": accuracy,
    }
    save_model(folder, trainer.config, cells, trained.scaler, trained.weights, facts)
    result = Result(
        accuracy=accuracy,
        best_epoch=trained.best_epoch,
        parameters=trained.parameters,
        test=held.tolist(),
        aside=trained.probabilities[splits.aside].tolist(),
        alone={which: chances[fold.test].tolist() for which, chances in trained.alone.items()},
        history=trained.history,
    )
    workdir.write_result(index, result)
    return result


def _rewrite_log(workdir: Workdir, found: Sequence[Result | None]) -> list[dict[str, float]]:
    # An interrupted training has logged epochs after its last checkpoint; it will log them again.
    records = []
    for index, result in enumerate(found):
        checkpoint = workdir.fold(index) / CHECKPOINT
        if result is not None:
            history = result["history"]
        else:
            history = load_tree(checkpoint, {})[1] if checkpoint.is_file() else []
        records += [{"fold": index, **record} for record in history]
    workdir.rewrite_metrics(records)
    return records
