"""Figures of pictures: samples, maps of the first layer, and where the evidence lies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from learn.attribution import first_maps, grad_cam
from learn.evidence import Evidence
from learn.figures import new_figure, save_figure
from learn.outputs import save_table

SAMPLES = 6
"""Sample pictures of each class and view."""

LOOKED_AT = 3
"""Cells of each class whose evidence is drawn."""

STAGES = (2, 3)
"""Stages of the encoder whose evidence is drawn, from 0: the last has the coarsest maps."""


def write_samples(folder: Path, evidence: Evidence, seed: int, **_: Any) -> dict[str, Any]:
    """Draw sample pictures of each class in each view (paper, Fig. 5a)."""
    cells, views = evidence.cells, evidence.config.views
    figure = new_figure(1.25 * SAMPLES + 0.6, 1.35 * len(views) * len(cells.classes))
    panels = figure.subplots(len(cells.classes) * len(views), SAMPLES, squeeze=False)
    table: dict[str, list[Any]] = {"row": [], "column": [], "cell_id": [], "label": [], "view": []}
    for k, name in enumerate(cells.classes):
        rows = _some(evidence, k, SAMPLES, seed, np.arange(len(cells)))
        for view, what in enumerate(views):
            place = k * len(views) + view
            for column in range(SAMPLES):
                axes = panels[place, column]
                axes.set(xticks=[], yticks=[])
                if column >= len(rows):
                    axes.set_visible(False)
                    continue
                axes.imshow(cells.images[rows[column], view], cmap="gray", vmin=0, vmax=1)
                for key, value in zip(table, (place, column, cells.ids[rows[column]], name, what), strict=True):
                    table[key].append(value)
            panels[place, 0].set_ylabel(f"{name}\n{what}".replace("_", " "), fontsize=8)
    save_figure(folder / "samples.png", figure)
    save_table(folder / "samples.csv", table)
    return {"cells": len(set(table["cell_id"]))}


def write_first_layer(folder: Path, evidence: Evidence, seed: int, **_: Any) -> dict[str, Any]:
    """Draw what each filter of the first layer makes of one test cell (paper, Fig. 5c)."""
    row = _some(evidence, len(evidence.cells.classes) - 1, 1, seed, evidence.folds[0].test)[0]
    maps = first_maps(evidence.network, evidence.inputs()[1][row, 0])
    columns = int(np.ceil(np.sqrt(len(maps))))
    lines = int(np.ceil(len(maps) / columns))
    height, width = maps.shape[1:]
    canvas = np.full((lines * (height + 2), columns * (width + 2)), np.nan)
    for number, found in enumerate(maps):
        top, left = number // columns * (height + 2), number % columns * (width + 2)
        canvas[top : top + height, left : left + width] = found / max(float(found.max()), 1e-9)
    canvas = canvas[:-2, :-2]
    figure = new_figure(10.2, 5.2)
    left, right = figure.subplots(1, 2)
    left.imshow(evidence.cells.images[row, 0], cmap="gray", vmin=0, vmax=1)
    left.set(
        xticks=[], yticks=[], title=f"{evidence.cells.classes[evidence.cells.labels[row]]} {evidence.cells.ids[row]}"
    )
    left.title.set_fontsize(8)
    right.imshow(canvas, cmap="viridis")
    right.set(xticks=[], yticks=[], title=f"the {len(maps)} maps of the first layer, each to its maximum")
    right.title.set_fontsize(9)
    save_figure(folder / "first_layer.png", figure)
    place = np.indices(maps.shape).reshape(3, -1)
    table = dict(zip(("filter", "row", "column"), place, strict=True))
    save_table(folder / "first_layer.csv", {**table, "value": maps.ravel()})
    return {"cell": str(evidence.cells.ids[row]), "filters": len(maps)}


def write_grad_cam(folder: Path, evidence: Evidence, seed: int, **_: Any) -> dict[str, Any]:
    """Draw where the evidence for the predicted class lies in test cells, for the last two stages (paper, Fig. 5d)."""
    cells, views = evidence.cells, evidence.config.views
    rows = np.concatenate(
        [_some(evidence, k, LOOKED_AT, seed, evidence.folds[0].test) for k in range(len(cells.classes))]
    )
    features, images = (array[rows] for array in evidence.inputs())
    predicted = evidence.probabilities[0][rows].argmax(axis=1)
    maps = {stage: grad_cam(evidence.network, features, images, predicted, stage) for stage in STAGES}
    figure = new_figure(1.5 * len(rows) + 0.7, 1.65 * 3 * len(views))
    panels = figure.subplots(3 * len(views), len(rows), squeeze=False)
    table: dict[str, list[Any]] = {key: [] for key in ("cell_id", "view", "stage", "row", "column", "evidence")}
    for column, row in enumerate(rows):
        for view, what in enumerate(views):
            picture = cells.images[row, view]
            for line, stage in enumerate((None, *STAGES)):
                axes = panels[3 * view + line, column]
                axes.imshow(picture, cmap="gray", vmin=0, vmax=1)
                axes.set(xticks=[], yticks=[])
                if stage is not None:
                    found = maps[stage][column, view]
                    _overlay(axes, found, picture.shape[0])
                    for (y, x), value in np.ndenumerate(found):
                        for key, entry in zip(table, (cells.ids[row], what, stage + 1, y, x, value), strict=True):
                            table[key].append(entry)
                if column == 0:
                    text = what if stage is None else f"stage {stage + 1}, {'x'.join(map(str, maps[stage].shape[2:]))}"
                    axes.set_ylabel(text, fontsize=8)
        true, called = cells.classes[cells.labels[row]], cells.classes[predicted[column]]
        title = true if true == called else f"{true},\ntaken for {called}"
        panels[0, column].set_title(title.replace("_", " "), fontsize=8)
    save_figure(folder / "grad_cam.png", figure)
    save_table(folder / "grad_cam.csv", table)
    return {"cells": [str(name) for name in cells.ids[rows]], "stages": [stage + 1 for stage in STAGES]}


def _overlay(axes: Any, found: np.ndarray, size: int) -> None:
    edges = (-0.5, size - 0.5, size - 0.5, -0.5)
    shown = found / max(float(found.max()), 1e-9)
    axes.imshow(shown, cmap="inferno", alpha=0.5, vmin=0, vmax=1, extent=edges, interpolation="bilinear")


def _some(evidence: Evidence, k: int, count: int, seed: int, among: np.ndarray) -> np.ndarray:
    """Return up to `count` cells of class `k` with pictures, drawn from the rows `among`."""
    seen = np.isfinite(evidence.cells.images[among, 0, 0, 0])
    rows = among[(evidence.cells.labels[among] == k) & seen]
    return np.random.default_rng([seed, k]).permutation(rows)[:count]
