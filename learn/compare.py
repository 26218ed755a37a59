"""Finished cross-validations side by side: scores by fold, significance, and the published numbers."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bridge.command import InputError
from learn.baseline_figures import write_comparison
from learn.figures import colour, draw_bars, new_figure, save_figure
from learn.outputs import save_table
from learn.statistics import corrected_t_test
from learn.workdir import PREDICTIONS, Workdir

METRICS = {"accuracy": "accuracy", "precision": "precision", "recall": "recall", "f1": "F1 score", "auc": "AUC"}
"""Names and labels, in the order of the paper's Fig. 6."""

PUBLISHED = (
    ("Ozaki et al. 2019", "phase contrast", "SVM", "accuracy", 0.942),
    ("Piansaddhayanon et al. 2023", "bright field", "CNN", "f1", 0.605),
    ("Islam et al. 2023", "bright field", "MIML", "accuracy", 0.983),
    ("Islam et al. 2023", "bright field", "MIML", "f1", 0.963),
)
"""Study, imaging, model, metric and score as Table 1 of the paper prints them; each is on cells of its own."""


def compare(folders: Sequence[Path]) -> dict[str, Any]:
    """Return the scores of finished cross-validations, and how sure their differences are.

    Parameters
    ----------
    folders
        Folders of `learn.run`, each with its report and predictions.

    Raises
    ------
    InputError
        If one is not finished, or they were not tested on the same cells fold by fold.

    Notes
    -----
    Corrected resampled t-test (`learn.statistics.corrected_t_test`) on the accuracy of each fold.
    """
    reports = [Workdir(folder, 1).report() for folder in folders]
    for folder, report in zip(folders, reports, strict=True):
        if report is None:
            raise InputError(f"{folder}: not finished; run the command again")
    _check_same_folds(folders)
    models = [_facts(folder, report) for folder, report in zip(folders, reports, strict=True) if report]
    fold = models[0]["fold_sizes"]
    tests = []
    for one, other in itertools.combinations(models, 2):
        differences = np.array(one["by_fold"]["accuracy"]) - np.array(other["by_fold"]["accuracy"])
        t, p = corrected_t_test(differences, fold["training"], fold["test"])
        difference = float(differences.mean())
        known = float(t) if np.isfinite(t) else None
        tests.append({"one": one["name"], "other": other["name"], "difference": difference, "t": known, "p": p})
    split = dict.fromkeys(note for report in reports if report for note in (*report["split"], *report["notes"]))
    return {
        "models": models,
        "classes": models[0]["classes"],
        "folds": len(models[0]["by_fold"]["accuracy"]),
        "seed": models[0]["seed"],
        "comparison": tests,
        "table": _table(models),
        "notes": list(split),
    }


def write_figures(folder: Path, report: Mapping[str, Any]) -> None:
    """Draw and write the scores (paper, Fig. 6a to e), the comparison (Fig. 4c) and the table (Table 1)."""
    models, names = report["models"], [model["name"] for model in report["models"]]
    figure = new_figure(max(2.3, 0.75 * len(models) + 1.1) * len(METRICS), 3.8)
    for axes, (metric, label) in zip(figure.subplots(1, len(METRICS)), METRICS.items(), strict=True):
        values = [np.array(model["by_fold"][metric]) for model in models]
        draw_bars(axes, [name.replace("_", "\n") for name in names], values, [colour(k) for k in range(len(models))])
        axes.set_title(label)
    figure.supylabel("held-out cells; points: folds, bars: mean and sd", fontsize=9)
    save_figure(folder / "metrics.png", figure)
    table: dict[str, list[Any]] = {key: [] for key in ("model", "fold", *METRICS)}
    for model in models:
        table["model"] += [model["name"]] * report["folds"]
        table["fold"] += range(report["folds"])
        for metric in METRICS:
            table[metric] += model["by_fold"][metric]
    save_table(folder / "metrics.csv", table)
    save_table(folder / "table.csv", {key: [row[key] for row in report["table"]] for key in report["table"][0]})
    if len(models) > 1:
        accuracies = {model["name"]: np.array(model["by_fold"]["accuracy"]) for model in models}
        write_comparison(folder, accuracies, report["comparison"], names[0])


def _facts(folder: Path, report: Mapping[str, Any]) -> dict[str, Any]:
    first = report["folds"][0]
    return {
        "name": folder.name,
        "model": report["model"],
        "classes": report["classes"],
        "parameters": report["parameters"],
        "seed": report["seed"],
        "held_out": report["held_out"],
        "by_fold": {name: [fold["test"][name]["value"] for fold in report["folds"]] for name in METRICS},
        "fold_sizes": {"training": first["resampled"], "test": first["test"]["cells"]},
    }


def _check_same_folds(folders: Sequence[Path]) -> None:
    """Raise unless each cell was under test in the same fold of every training."""
    found = []
    for folder in folders:
        try:
            table = pd.read_csv(folder / PREDICTIONS, dtype={"cell_id": str}, usecols=["cell_id", "fold"])
        except (OSError, ValueError) as error:
            raise InputError(
                f"{folder / PREDICTIONS}: missing or damaged ({error}); delete it and train again"
            ) from error
        found.append(table.sort_values("cell_id", kind="stable").reset_index(drop=True))
    for folder, table in zip(folders, found, strict=True):
        if not table.equals(found[0]):
            raise InputError(
                f"{folder.name} and {folders[0].name} were not tested on the same cells fold by fold: give all models "
                "the same seed, folds, fractions and classes"
            )


def _table(models: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    keys = ("study", "imaging", "model", "metric", "score", "low", "high")
    rows: list[Any] = [(*published, None, None) for published in PUBLISHED]
    for model in models:
        for metric in ("accuracy", "f1"):
            found = model["held_out"][metric]
            rows.append(
                ("these cells", "as recorded", model["name"], metric, *(found[k] for k in ("value", "low", "high")))
            )
    return [dict(zip(keys, row, strict=True)) for row in rows]
