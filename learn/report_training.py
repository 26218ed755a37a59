"""The page of a training: how right it is on cells it has not seen, and how it came about."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bridge.command import InputError
from learn.metrics import roc
from learn.report_page import Cell, Fact, Figure, Page, Section, Table, Text, cell, interval, made_by, same_again
from learn.report_results import figures_of
from learn.report_svg import PALETTE, drawing, series
from learn.workdir import CONFIG, METRICS, PREDICTIONS, PROVENANCE, Workdir

_METRICS = {
    "accuracy": "share of the held-out cells that are right; Wilson’s interval",
    "precision": "mean over the classes; bootstrap interval",
    "recall": "mean over the classes; bootstrap interval",
    "f1": "mean over the classes; bootstrap interval",
    "auc": "area under the ROC curve, mean over the classes; bootstrap interval",
}
_WRONG = 200
_FILES = {
    CONFIG: "the configuration; python -m learn.run config.toml --dataset … trains the same",
    PREDICTIONS: "held-out cells with their probabilities",
    METRICS: "the record of each epoch",
    "model.safetensors": "the weights; python -m learn.apply uses them",
}


def training_page(folder: Path) -> Page:
    """Return the page of a training's folder.

    Raises
    ------
    InputError
        If the training is not finished, or a file is missing or damaged.
    """
    report = Workdir(folder, 1).report()
    if report is None:
        raise InputError(f"{folder}: the training is not finished; run `python -m learn.run` again to finish it")
    try:
        predictions = pd.read_csv(folder / PREDICTIONS, dtype={"cell_id": str, "group": str, "label": str})
        epochs = [json.loads(line) for line in (folder / METRICS).read_text(encoding="utf-8").splitlines()]
        provenance = json.loads((folder / PROVENANCE).read_text(encoding="utf-8"))
        config = (folder / CONFIG).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise InputError(f"{folder}: a file is missing or damaged ({error}); train again in another folder") from error
    held = predictions.query("fold >= 0")
    sections = [
        Section("Held-out cells", [_scores(report), _confusion(report), _roc(report, held), *_wrong(held, report)]),
        Section("Training", [*_curves(epochs), *_folds(report)]),
        Section("Explanation", figures_of(folder / "explain", without=("confusion", "history"))),
        Section("Configuration", [Text(config.strip(), "Settings of the training", folded=True)]),
    ]
    datasets = [f"{name} (digest {digest})" for name, digest in provenance.get("datasets", {}).items()]
    about = {"datasets": "; ".join(datasets), "digest": provenance.get("digest"), "seed": report["seed"]}
    return Page(
        "Training",
        f"{report['name']}: {' against '.join(report['classes'])}",
        [_lede(report), *_sentences(report["split"]), *_sentences(report["notes"])],
        _facts(report),
        [section for section in sections if section.blocks],
        made_by(provenance, about),
        same_again(provenance),
        {name: what for name, what in _FILES.items() if (folder / name).is_file()},
    )


def _sentences(notes: list[str]) -> list[str]:
    return [f"{note[0].upper()}{note[1:]}." for note in notes]


def _lede(report: dict[str, Any]) -> str:
    counts = " and ".join(f"{count} {name}" for name, count in report["cells"].items())
    sees = {"miml": "picture and features", "features_only": "features alone", "image_only": "pictures alone"}
    folds = len(report["folds"])
    how = f"{folds}-fold cross-validation" if folds > 1 else "one split into training, validation and test"
    return f"A network of {report['parameters']:,} parameters classifies {counts} by {sees[report['model']]}; {how}."


def _facts(report: dict[str, Any]) -> list[Fact]:
    held = report["held_out"]
    facts = [Fact("accuracy", f"{report['mean_accuracy']:.3f}", _between(held["accuracy"]))]
    facts += [Fact(name.upper(), f"{held[name]['value']:.3f}", _between(held[name])) for name in ("auc", "f1")]
    return [*facts, Fact("held-out cells", str(held["cells"]), f"in {len(report['folds'])} fold(s)")]


def _between(found: dict[str, float]) -> str:
    return f"95 %: {found['low']:.3f} to {found['high']:.3f}"


def _scores(report: dict[str, Any]) -> Table:
    parts = {"held-out cells": report["held_out"]} | {f"{which} alone": r for which, r in report["alone"].items()}
    if "test" in report:
        parts["test cells set aside, mean of the folds"] = report["test"]
    rows = []
    for where, scores in parts.items():
        for name, what in _METRICS.items():
            rows.append([cell(where), cell(name), Cell(interval(scores[name]), scores[name]["value"]), cell(what)])
    for name, area in report["feature_auc"].items():
        which = f"auc of {name.replace('_', ' ')} alone"
        rows.append([cell("held-out cells"), cell(which), cell(area, digits=3), cell("of the feature, untrained")])
    columns = ("cells", "score", "value (95 % interval)", "definition")
    return Table("Scores on cells that were not trained on.", columns, rows)


def _confusion(report: dict[str, Any]) -> Figure:
    counts, classes = np.array(report["held_out"]["confusion"]), report["classes"]
    share = counts / counts.sum(axis=1, keepdims=True)
    with drawing(4.4, 3.6) as made:
        axes = made.axes()
        axes.grid(visible=False)
        for (row, column), part in np.ndenumerate(share):
            place = (column - 0.5, row - 0.5)
            axes.add_patch(_square(place, part))
            text = f"{counts[row, column]}\n{100 * part:.1f} %"
            axes.text(column, row, text, ha="center", va="center")
        ticks = range(len(classes))
        axes.set_xticks(ticks, classes)
        axes.set_yticks(ticks, classes, rotation=90, va="center")
        limits = (-0.5, len(classes) - 0.5)
        axes.set(xlim=limits, ylim=limits[::-1], aspect="equal", xlabel="predicted class", ylabel="true class")
    return Figure("Held-out cells of each class taken for which: counts and shares of the true class.", made.svg)


def _square(place: tuple[float, float], part: float) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle(place, 1, 1, fc=PALETTE["c1"], alpha=0.05 + 0.5 * float(part), lw=0)


def _roc(report: dict[str, Any], held: pd.DataFrame) -> Figure:
    classes = report["classes"]
    with drawing(4.4, 3.6) as made:
        axes = made.axes()
        for k in range(1 if len(classes) == 2 else len(classes)):
            other = classes[1] if len(classes) == 2 else "the rest"
            alarms, hits = roc((held["label"] == classes[k]).to_numpy(), held[f"p_{classes[k]}"].to_numpy())
            axes.plot(alarms, hits, color=series(k), label=f"{classes[k]} against {other}")
        axes.plot([0, 1], [0, 1], color=PALETTE["soft"], lw=1, ls="--", label="chance")
        axes.set(xlabel="false positive rate (1)", ylabel="true positive rate (1)", aspect="equal")
        axes.legend(loc="lower right")
    area = interval(report["held_out"]["auc"])
    return Figure(f"ROC curve of the held-out cells; AUC {area}.", made.svg)


def _wrong(held: pd.DataFrame, report: dict[str, Any]) -> list[Table]:
    """Return the held-out cells that are taken for another class, the surest first."""
    chances = held[[f"p_{name}" for name in report["classes"]]].to_numpy(float).max(axis=1)
    order = np.argsort(-chances, kind="stable")
    order = order[(held["label"] != held["predicted"]).to_numpy()[order]]
    if not order.size:
        return []
    words = held[["cell_id", "group", "label", "predicted"]].astype(str).to_numpy()
    rows = [[*map(cell, words[row]), cell(float(chances[row]), digits=3)] for row in order[:_WRONG]]
    more = f", the first {_WRONG} of {len(order)}" if len(order) > _WRONG else ""
    caption = f"Held-out cells that are taken for another class{more}, the surest first; all are in {PREDICTIONS}."
    return [Table(caption, ("cell", "group", "true class", "predicted", "probability"), rows, folded=len(order) > 10)]


def _curves(epochs: list[dict[str, float]]) -> list[Figure]:
    table = pd.DataFrame(epochs)
    names = {"train_loss": "training", "validation_loss": "validation"}
    with drawing() as made:
        axes = made.axes()
        for number, (_, part) in enumerate(table.groupby("fold")):
            for index, (column, label) in enumerate(names.items()):
                axes.plot(part["epoch"], part[column], color=series(index), lw=1.2, label=None if number else label)
        axes.set(xlabel="epoch", ylabel="cross-entropy (nats)")
        axes.legend()
    loss = Figure("Loss by epoch, one pair of curves for each fold.", made.svg)
    with drawing() as made:
        axes = made.axes()
        for _, part in table.groupby("fold"):
            axes.plot(part["epoch"], part["validation_accuracy"], color=series(1), lw=1.2)
        axes.set(xlabel="epoch", ylabel="accuracy on validation cells (1)")
    return [loss, Figure("Share of the validation cells that are right, by epoch and fold.", made.svg)]


def _folds(report: dict[str, Any]) -> list[Table]:
    rows = [
        [
            cell(index),
            *(cell(fold[key]) for key in ("train", "validation")),
            cell(fold["test"]["cells"]),
            *(cell(fold[key]) for key in ("epochs", "best_epoch")),
            Cell(interval(fold["test"]["accuracy"]), fold["test"]["accuracy"]["value"]),
            Cell(interval(fold["test"]["auc"]), fold["test"]["auc"]["value"]),
        ]
        for index, fold in enumerate(report["folds"])
    ]
    columns = ("fold", "training cells", "validation", "test", "epochs", "kept", "accuracy (95 %)", "AUC (95 %)")
    return [Table("Folds: cells, epochs, the epoch kept, and scores on the test cells.", columns, rows)]
