"""The picture of a training: loss by epoch, confusion matrix, ROC curve."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from learn.data import Cells
from learn.figures import OKABE_ITO, colour, new_figure, save_figure
from learn.folds import Splits
from learn.metrics import roc
from learn.summary import Result, pooled


def write_summary(path: Path, report: dict[str, Any], cells: Cells, splits: Splits, results: Sequence[Result]) -> None:
    """Draw a training's summary to a PNG file."""
    rows, probabilities = pooled(splits, results)
    figure = new_figure(13, 4.3)
    loss, matrix, curve = figure.subplots(1, 3)
    _draw_loss(loss, results)
    draw_confusion(matrix, np.array(report["held_out"]["confusion"]), cells.classes)
    _draw_roc(curve, cells.labels[rows], probabilities, cells.classes, report["held_out"]["auc"])
    held, accuracy = report["held_out"]["cells"], report["held_out"]["accuracy"]
    figure.suptitle(
        f"{report['model']}: accuracy {report['mean_accuracy']:.3f} "
        f"(95 % interval {accuracy['low']:.3f} to {accuracy['high']:.3f}) on {held} held-out cells"
    )
    save_figure(path, figure)


def _draw_loss(axes: Axes, results: Sequence[Result]) -> None:
    for index, result in enumerate(results):
        epochs = [record["epoch"] for record in result["history"]]
        for key, shade, label in (
            ("train_loss", OKABE_ITO[0], "training"),
            ("validation_loss", OKABE_ITO[1], "validation"),
        ):
            values = [record[key] for record in result["history"]]
            axes.plot(epochs, values, color=shade, lw=1, alpha=0.7, label=label if index == 0 else None)
        best = result["history"][result["best_epoch"] - 1]
        axes.plot(
            best["epoch"], best["validation_loss"], "o", color="black", ms=4, label="model kept" if index == 0 else None
        )
    axes.set(title="Loss", xlabel="epoch", ylabel="cross-entropy (nats)")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False)


def draw_confusion(axes: Axes, confusion: np.ndarray, classes: Sequence[str]) -> None:
    """Draw how many cells of each class are taken for which, shares of the class in colour."""
    share = confusion / confusion.sum(axis=1, keepdims=True)
    axes.imshow(share, cmap="cividis", vmin=0, vmax=1)
    for row in range(len(classes)):
        for column in range(len(classes)):
            colour = "black" if share[row, column] > 0.5 else "white"
            text = f"{confusion[row, column]}\n{100 * share[row, column]:.1f} %"
            axes.text(column, row, text, ha="center", va="center", color=colour)
    axes.set_xticks(range(len(classes)), classes)
    axes.set_yticks(range(len(classes)), classes, rotation=90, va="center")
    axes.set(title="Confusion matrix", xlabel="predicted", ylabel="true")


def _draw_roc(
    axes: Axes, labels: np.ndarray, scores: np.ndarray, classes: Sequence[str], auc: dict[str, float]
) -> None:
    # Of two classes the second's curve is the first's turned round; one is enough.
    for k in range(1 if len(classes) == 2 else len(classes)):
        alarms, hits = roc(labels == k, scores[:, k])
        axes.plot(
            alarms,
            hits,
            color=colour(k),
            label=f"{classes[k]} against {'the rest' if len(classes) > 2 else classes[1]}",
        )
    axes.plot([0, 1], [0, 1], color="0.6", lw=1, ls="--", label="chance")
    title = f"ROC curve, AUC {auc['value']:.3f} ({auc['low']:.3f} to {auc['high']:.3f})"
    axes.set(title=title, xlabel="false positive rate", ylabel="true positive rate", aspect="equal")
    axes.legend(frameon=False, loc="lower right")
