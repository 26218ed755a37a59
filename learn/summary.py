"""What is told of a training: numbers on held-out cells, predictions cell by cell, and text for people."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any, TypedDict

import numpy as np

from learn.config import TrainConfig
from learn.data import Cells
from learn.folds import Fold, Splits, resampled
from learn.metrics import evaluate, feature_auc
from learn.shift import describe_shift, score_shift


class Result(TypedDict):
    """A finished fold: accuracy on its test cells, the epoch kept, probabilities of test cells and those set aside.

    `alone` holds those of the test cells from ``picture`` or ``features`` alone, of a model of both with masks.
    """

    accuracy: float
    best_epoch: int
    parameters: int
    test: list[list[float]]
    aside: list[list[float]]
    alone: dict[str, list[list[float]]]
    history: list[dict[str, float]]


def pooled(splits: Splits, results: Sequence[Result]) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows that were held out, fold after fold, and their probabilities (rows, classes)."""
    rows = np.concatenate([fold.test for fold in splits.folds])
    return rows, np.concatenate([result["test"] for result in results])


def make_report(config: TrainConfig, cells: Cells, splits: Splits, results: Sequence[Result]) -> dict[str, Any]:
    """Return what a training came to, JSON-like; `describe` says it in words.

    Notes
    -----
    Cells that the dataset sets aside as its test are predicted by the mean of the folds' probabilities.
    """
    rng = np.random.default_rng(config.seed)
    rows, probabilities = pooled(splits, results)
    accuracies = [result["accuracy"] for result in results]
    report = {
        "model": config.model,
        "name": config.name,
        "classes": list(cells.classes),
        "cells": {name: int((cells.labels == k).sum()) for k, name in enumerate(cells.classes)},
        "features": dict(zip(cells.names, cells.units, strict=True)),
        "parameters": results[0]["parameters"],
        "seed": config.seed,
        "split": list(splits.notes),
        "groups_whole": splits.groups_whole,
        "notes": list(cells.notes),
        "folds": [_fold_report(cells, fold, result, rng) for fold, result in zip(splits.folds, results, strict=True)],
        "mean_accuracy": float(np.mean(accuracies)),
        "sd_accuracy": float(np.std(accuracies, ddof=1)) if len(accuracies) > 1 else None,
        "held_out": evaluate(cells.labels[rows], probabilities, rng),
        "feature_auc": {name: _feature_auc(cells, rows, column) for column, name in enumerate(cells.names)},
        "alone": _alone_reports(cells, rows, results, rng),
    }
    if len(splits.aside):
        aside = cells.labels[splits.aside], _mean_aside(results)
        if len(np.unique(aside[0])) == len(cells.classes):
            report["test"] = evaluate(*aside, rng)
        single = aside[0], _single_aside(results)
        report["shift"] = score_shift(cells.classes, (cells.labels[rows], probabilities), single)
    return report


def predictions_table(cells: Cells, splits: Splits, results: Sequence[Result]) -> str:
    """Return held-out predictions as CSV; fold -1 marks cells that the dataset sets aside."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["cell_id", "group", "fold", "label", "predicted", *(f"p_{name}" for name in cells.classes)])
    sides = [(index, fold.test, np.array(results[index]["test"])) for index, fold in enumerate(splits.folds)]
    if len(splits.aside):
        sides.append((-1, splits.aside, _mean_aside(results)))
    for index, rows, probabilities in sides:
        for row, chances in zip(rows, probabilities, strict=True):
            label, predicted = cells.classes[cells.labels[row]], cells.classes[int(np.argmax(chances))]
            shown = (f"{chance:.6f}" for chance in chances)
            writer.writerow([cells.ids[row], cells.groups[row], index, label, predicted, *shown])
    return stream.getvalue()


def describe(report: dict[str, Any]) -> str:
    """Return a report as text for people."""
    held, folds = report["held_out"], len(report["folds"])
    low, high = held["accuracy"]["low"], held["accuracy"]["high"]
    spread = f" (mean of {folds} folds, sd {report['sd_accuracy']:.4f})" if folds > 1 else ""
    interval = f"95 % interval {low:.4f} to {high:.4f} on {held['cells']} held-out cells"
    lines = [f"accuracy {report['mean_accuracy']:.4f}{spread}, {interval}"]
    lines += [_line(name, held[name]) for name in ("precision", "recall", "f1", "auc")]
    if report["feature_auc"]:
        known = {name: value for name, value in report["feature_auc"].items() if value is not None}
        lines.append("AUC alone: " + ", ".join(f"{name} {value:.3f}" for name, value in known.items()))
    for which, metrics in report["alone"].items():
        lines.append(f"from {which} alone:")
        lines += [_line(name, metrics[name]) for name in ("accuracy", "auc")]
    if "test" in report:
        lines.append(f"test cells set aside ({report['test']['cells']}), mean of the folds' models:")
        lines += [_line(name, report["test"][name]) for name in ("accuracy", "auc")]
    if report.get("shift"):
        lines += ["by class, against the test cells set aside:", *describe_shift(report["shift"])]
    return "\n".join(lines + report["split"] + report["notes"])


def _mean_aside(results: Sequence[Result]) -> np.ndarray:
    return np.mean([result["aside"] for result in results], axis=0)


def _single_aside(results: Sequence[Result]) -> np.ndarray:
    """Return what one fold's model says of each cell set aside, in turn; a mean of models has another spread."""
    found = np.array([result["aside"] for result in results])
    cells = np.arange(found.shape[1])
    return found[cells % len(found), cells]


def _alone_reports(
    cells: Cells, rows: np.ndarray, results: Sequence[Result], rng: np.random.Generator
) -> dict[str, dict[str, Any]]:
    """Return what the picture or the features alone are good for, on held-out cells that have both."""
    if not results[0]["alone"]:
        return {}
    both = np.isfinite(cells.features[rows]).any(axis=1) & np.isfinite(cells.images[rows, 0, 0, 0])
    labels = cells.labels[rows][both]
    if len(np.unique(labels)) < len(cells.classes):
        return {}
    chances = {which: np.concatenate([result["alone"][which] for result in results]) for which in results[0]["alone"]}
    return {which: evaluate(labels, found[both], rng) for which, found in chances.items()}


def _feature_auc(cells: Cells, rows: np.ndarray, column: int) -> float | None:
    """Return the AUC of a feature over the cells that have it, None where those are not of every class."""
    known = rows[np.isfinite(cells.features[rows, column])]
    if len(np.unique(cells.labels[known])) < len(cells.classes):
        return None
    return feature_auc(cells.labels[known], cells.features[known, column], len(cells.classes))


def _fold_report(cells: Cells, fold: Fold, result: Result, rng: np.random.Generator) -> dict[str, Any]:
    kept = result["history"][result["best_epoch"] - 1]
    return {
        "train": len(fold.train),
        "validation": len(fold.validation),
        "resampled": resampled(cells, fold),
        "epochs": len(result["history"]),
        "best_epoch": result["best_epoch"],
        "validation_loss": kept["validation_loss"],
        "validation_accuracy": kept["validation_accuracy"],
        "test": evaluate(cells.labels[fold.test], np.array(result["test"]), rng),
    }


def _line(name: str, metric: dict[str, float]) -> str:
    return f"  {name:9s} {metric['value']:.4f} ({metric['low']:.4f} to {metric['high']:.4f})"
