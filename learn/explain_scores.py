"""Figures of how right and how sure a model is: confusion, ROC, folds, history, calibration, abstention."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from learn.calibration import calibration_error, reliability
from learn.evidence import Evidence
from learn.figures import colour, draw_bars, new_figure, save_figure
from learn.metrics import RESAMPLES, resample, roc
from learn.outputs import save_table
from learn.plots import draw_confusion

SIDES = {"train": "training", "validation": "validation", "test": "test"}
"""Parts of a fold and how they are called."""

RISKS = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3)
"""Rates at which the true class may be missing, for the curve of abstention."""


def write_confusion(folder: Path, evidence: Evidence, **_: Any) -> dict[str, Any]:
    """Draw the confusion matrices of training and test cells over all folds (paper, Figs. 5f and 6g)."""
    classes = evidence.cells.classes
    figure = new_figure(8.4, 4.3)
    table: dict[str, list[Any]] = {"cells": [], "true": [], "predicted": [], "count": []}
    found = {}
    for axes, side in zip(figure.subplots(1, 2), ("train", "test"), strict=True):
        labels, chances = evidence.side(side)
        confusion = np.zeros((len(classes),) * 2, int)
        np.add.at(confusion, (labels, chances.argmax(axis=1)), 1)
        draw_confusion(axes, confusion, classes)
        axes.set_title(f"{SIDES[side]} cells" + (", all folds" if len(evidence.folds) > 1 else ""))
        found[side] = confusion.tolist()
        for (row, column), count in np.ndenumerate(confusion):
            for key, value in zip(table, (SIDES[side], classes[row], classes[column], count), strict=True):
                table[key].append(value)
    save_figure(folder / "confusion.png", figure)
    save_table(folder / "confusion.csv", table)
    return found


def write_roc(folder: Path, evidence: Evidence, seed: int, **_: Any) -> dict[str, Any]:
    """Draw the ROC curves of training and test cells, the latter with a 95 % bootstrap band (paper, Fig. 5e)."""
    classes, grid = evidence.cells.classes, np.linspace(0, 1, 201)
    shown = range(1 if len(classes) == 2 else len(classes))
    figure = new_figure(4.6 * len(shown), 4.3)
    table: dict[str, list[Any]] = {key: [] for key in ("class", "alarms", "train", "test", "low", "high")}
    areas = {}
    for axes, k in zip(np.atleast_1d(figure.subplots(1, len(shown))), shown, strict=True):
        curves = {side: _curve(*evidence.side(side), k, grid) for side in ("train", "test")}
        low, high = _band(*evidence.side("test"), k, grid, seed)
        areas[classes[k]] = {side: _area(*evidence.side(side), k) for side in curves}
        axes.fill_between(grid, low, high, color=colour(1), alpha=0.25, lw=0, label="test, 95 % band")
        for number, (side, hits) in enumerate(curves.items()):
            label = f"{SIDES[side]}, AUC {areas[classes[k]][side]:.3f}"
            axes.plot(grid, hits, color=colour(number), label=label)
        axes.plot([0, 1], [0, 1], color="0.6", lw=1, ls="--", label="chance")
        other = classes[1] if len(classes) == 2 else "the rest"
        axes.set(xlabel="false positive rate", ylabel="true positive rate", title=f"{classes[k]} against {other}")
        axes.set_aspect("equal")
        axes.legend(frameon=False, loc="lower right", fontsize=9)
        for key, values in (("class", [classes[k]] * len(grid)), ("alarms", grid), ("low", low), ("high", high)):
            table[key] += list(values)
        for side, hits in curves.items():
            table[side] += list(hits)
    save_figure(folder / "roc.png", figure)
    save_table(folder / "roc.csv", table)
    return areas


def write_folds(folder: Path, evidence: Evidence, **_: Any) -> dict[str, Any]:
    """Draw the accuracy of each fold on training, validation and test cells (paper, Fig. 6f)."""
    accuracies = {
        side: np.array(
            [
                np.mean(chances[rows].argmax(axis=1) == evidence.cells.labels[rows])
                for chances, rows in zip(
                    evidence.probabilities, [getattr(fold, side) for fold in evidence.folds], strict=True
                )
            ]
        )
        for side in SIDES
    }
    figure = new_figure(4.2, 4)
    axes = figure.subplots()
    draw_bars(axes, list(SIDES.values()), list(accuracies.values()), [colour(k) for k in range(3)])
    axes.set_ylabel("accuracy")
    axes.set_title("points: folds; bars: mean and sd", fontsize=9)
    save_figure(folder / "folds.png", figure)
    save_table(folder / "folds.csv", {"fold": range(len(evidence.folds)), **accuracies})
    return {side: float(values.mean()) for side, values in accuracies.items()}


def write_history(folder: Path, evidence: Evidence, **_: Any) -> dict[str, Any]:
    """Draw losses and validation accuracy by epoch (paper, Fig. 5b)."""
    figure = new_figure(8.4, 3.6)
    left, right = figure.subplots(1, 2)
    columns: dict[str, list[Any]] = {"fold": []}
    for index, result in enumerate(evidence.results):
        history = {key: [record[key] for record in result["history"]] for key in result["history"][0]}
        columns["fold"] += [index] * len(history["epoch"])
        for key, values in history.items():
            columns.setdefault(key, []).extend(values)
        first = index == 0
        for number, key in enumerate(("train_loss", "validation_loss")):
            label = key.replace("_loss", "").replace("train", "training") if first else None
            left.plot(history["epoch"], history[key], color=colour(number), lw=1, alpha=0.7, label=label)
        right.plot(history["epoch"], history["validation_accuracy"], color=colour(1), lw=1, alpha=0.7)
        best = result["best_epoch"] - 1
        right.plot(best + 1, history["validation_accuracy"][best], "ko", ms=4, label="model kept" if first else None)
    left.set(xlabel="epoch", ylabel="cross-entropy (nats)")
    right.set(xlabel="epoch", ylabel="accuracy on validation cells")
    for axes in (left, right):
        axes.legend(frameon=False)
    save_figure(folder / "history.png", figure)
    save_table(folder / "history.csv", columns)
    return {"epochs": [len(result["history"]) for result in evidence.results]}


def write_calibration(folder: Path, evidence: Evidence, **_: Any) -> dict[str, Any]:
    """Draw how often the model is right by how sure it is, before and after temperature scaling, on test cells."""
    labels, raw = evidence.side("test")
    chances = {"before": raw, "after": evidence.calibrated()[1]}
    temperatures = [calibration.temperature for calibration in evidence.calibrations]
    figure = new_figure(8.4, 4.2)
    table: dict[str, list[Any]] = {}
    errors = {}
    for number, (axes, (which, found)) in enumerate(zip(figure.subplots(1, 2), chances.items(), strict=True)):
        bins, errors[which] = reliability(labels, found), calibration_error(labels, found)
        middle, width = (bins["low"] + bins["high"]) / 2, bins["high"] - bins["low"]
        axes.bar(middle, bins["accuracy"], width, color=colour(number), alpha=0.5, ec="white", label="accuracy")
        axes.plot(bins["confidence"], bins["accuracy"], "o", color=colour(number), mec="black", label="bins")
        for x, count in zip(middle, bins["cells"], strict=True):
            axes.text(x, 0.02, str(count), ha="center", fontsize=7)
        axes.plot([0, 1], [0, 1], color="0.4", lw=1, ls="--", label="as sure as right")
        axes.set(xlim=(1 / len(evidence.cells.classes) - 0.05, 1.01), ylim=(0, 1.02))
        axes.set(xlabel="probability of the predicted class", ylabel="share that is right")
        mean = f"temperature {np.mean(temperatures):.2f}" if which == "after" else "as trained"
        axes.set_title(f"{mean}: expected calibration error {errors[which]:.3f}", fontsize=10)
        axes.legend(frameon=False, loc="upper left", fontsize=9)
        for key, values in bins.items():
            table.setdefault(key, []).extend(values.tolist())
        table.setdefault("probabilities", []).extend([which] * len(middle))
    save_figure(folder / "calibration.png", figure)
    save_table(folder / "calibration.csv", table)
    return {**errors, "temperatures": temperatures}


def write_abstention(folder: Path, evidence: Evidence, risk: float, **_: Any) -> dict[str, Any]:
    """Draw how many cells stay unanswered, and how right the answers are, by the risk that is allowed."""
    rows = [_abstention(evidence, level) for level in sorted({*RISKS, risk})]
    columns = {key: [row[key] for row in rows] for key in rows[0]}
    figure = new_figure(5.2, 4)
    axes = figure.subplots()
    for number, (key, label) in enumerate(
        (("covered", "true class among those left open"), ("accuracy", "answers right"), ("abstained", "no answer"))
    ):
        axes.plot(columns["risk"], columns[key], "o-", color=colour(number), label=label)
    axes.plot(columns["risk"], 1 - np.array(columns["risk"]), color="0.5", ls="--", lw=1, label="promised")
    axes.set(xlabel="risk allowed", ylabel="share of the test cells", ylim=(-0.02, 1.02))
    axes.legend(frameon=False, fontsize=9, loc="center right")
    save_figure(folder / "abstention.png", figure)
    save_table(folder / "abstention.csv", columns)
    return rows[columns["risk"].index(risk)]


def _abstention(evidence: Evidence, risk: float) -> dict[str, Any]:
    covered, answered, right = [], [], []
    for index, (fold, calibration) in enumerate(zip(evidence.folds, evidence.calibrations, strict=True)):
        chances, labels = calibration.apply(evidence.probabilities[index][fold.test]), evidence.cells.labels[fold.test]
        sets = calibration.sets(chances, risk)
        covered.append(sets[np.arange(len(labels)), labels])
        answered.append(sets.sum(axis=1) == 1)
        right.append(chances.argmax(axis=1) == labels)
    clear = np.concatenate(answered)
    accuracy = float(np.concatenate(right)[clear].mean()) if clear.any() else None
    return {
        "risk": risk,
        "covered": float(np.concatenate(covered).mean()),
        "abstained": float(1 - clear.mean()),
        "accuracy": accuracy,
    }


def _curve(labels: np.ndarray, chances: np.ndarray, k: int, grid: np.ndarray) -> np.ndarray:
    alarms, hits = roc(labels == k, chances[:, k])
    # On a vertical step the upper end counts.
    return np.append(np.interp(grid[:-1], alarms[_last(alarms)], hits[_last(alarms)]), 1.0)


def _last(values: np.ndarray) -> np.ndarray:
    return np.append(np.diff(values) > 0, True)


def _area(labels: np.ndarray, chances: np.ndarray, k: int) -> float:
    alarms, hits = roc(labels == k, chances[:, k])
    return float(np.trapezoid(hits, alarms))


def _band(
    labels: np.ndarray, chances: np.ndarray, k: int, grid: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    curves = []
    for counts in resample(labels, RESAMPLES, np.random.default_rng(seed)):
        rows = np.repeat(np.arange(len(labels)), counts.astype(int))
        curves.append(_curve(labels[rows], chances[rows], k, grid))
    low, high = np.quantile(curves, (0.025, 0.975), axis=0)
    return low, high
