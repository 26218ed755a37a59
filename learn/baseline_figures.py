"""The figures of `learn.baselines`: correlations, decision regions, comparison of models."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.colors import ListedColormap

from learn.classifiers import NAMES, regions
from learn.data import Cells
from learn.feature_figures import draw_cells
from learn.figures import colour, draw_bars, new_figure, save_figure
from learn.outputs import save_table

MESH = 60
"""Points along each axis of a decision region."""


def write_correlation(folder: Path, cells: Cells, columns: Mapping[str, list[Any]]) -> None:
    """Draw correlations below and p-values above the diagonal, over all cells and by class (paper, Fig. 2d)."""
    names, sets = list(cells.names), ["all", *cells.classes]
    figure = new_figure(3.9 * len(sets) + 1.2, 4.2)
    panels = np.atleast_1d(figure.subplots(1, len(sets)))
    for axes, chosen in zip(panels, sets, strict=True):
        r, p = np.eye(len(names)), np.full((len(names),) * 2, np.nan)
        for x, y, cell, pearson, chance in _rows(columns, "x", "y", "cells", "pearson", "pearson_p"):
            if cell == chosen:
                r[names.index(y), names.index(x)], p[names.index(x), names.index(y)] = pearson, chance
        shown = np.where(np.tri(len(names), dtype=bool), r, np.nan)
        axes.imshow(shown, cmap="PuOr_r", vmin=-1, vmax=1)
        for i, j in itertools.product(range(len(names)), repeat=2):
            text = f"{r[i, j]:.2f}" if i >= j else f"p = {p[i, j]:.1g}" if p[i, j] > 1e-99 else "p < 1e-99"
            axes.text(j, i, text, ha="center", va="center", color="white" if i >= j and abs(r[i, j]) > 0.6 else "black")
        ticks = [name.replace("_", "\n") for name in names]
        axes.set_xticks(range(len(names)), ticks)
        axes.set_yticks(range(len(names)), ticks if axes is panels[0] else [])
        axes.set_title("all cells" if chosen == "all" else chosen)
    figure.colorbar(panels[0].images[0], ax=panels, label="Pearson correlation", shrink=0.8)
    save_figure(folder / "correlation.png", figure)
    save_table(folder / "correlation.csv", columns)


def write_regression(folder: Path, cells: Cells, columns: Mapping[str, list[Any]]) -> None:
    """Draw the slope of one feature over another with its standard error (paper, Fig. 2e)."""
    sets = ["all", *cells.classes]
    pairs = list(dict.fromkeys(zip(columns["x"], columns["y"], strict=True)))
    figure = new_figure(2.4 * len(pairs) + 1.5, 3.6)
    axes = figure.subplots()
    for x, y, cell, slope, error in _rows(columns, "x", "y", "cells", "slope", "slope_se"):
        place = pairs.index((x, y)) + 0.8 * (sets.index(cell) - (len(sets) - 1) / 2) / len(sets)
        fill = "0.5" if cell == "all" else colour(cells.classes.index(cell))
        label = ("all cells" if cell == "all" else cell) if (x, y) == pairs[0] else None
        axes.bar(place, slope, yerr=error, width=0.8 / len(sets), color=fill, capsize=3, label=label)
    axes.axhline(0, color="black", lw=0.8)
    axes.set_xticks(range(len(pairs)), [f"{y} over\n{x}".replace("_", " ") for x, y in pairs])
    axes.set_ylabel("slope, features scaled to 0–1")
    axes.legend(frameon=False)
    save_figure(folder / "regression.png", figure)
    keys = ("x", "y", "cells", "slope", "slope_se")
    save_table(folder / "regression.csv", {key: columns[key] for key in keys})


def write_regions(folder: Path, cells: Cells, seed: int) -> None:
    """Draw where each classifier, trained on every cell, sees which class (paper, Fig. 3)."""
    pairs = list(itertools.combinations(cells.names, 2))
    figure = new_figure(3.1 * len(NAMES), 2.7 * len(pairs))
    panels = figure.subplots(len(pairs), len(NAMES), squeeze=False)
    fills = ListedColormap([colour(k) for k in range(len(cells.classes))])
    table: dict[str, list[Any]] = {key: [] for key in ("model", "x_feature", "y_feature", "x", "y", "predicted")}
    for (row, pair), (column, name) in itertools.product(enumerate(pairs), enumerate(NAMES)):
        found, axes = regions(name, cells, pair, seed, MESH), panels[row, column]
        limits = {"vmin": -0.5, "vmax": len(cells.classes) - 0.5}
        axes.pcolormesh(found["x"], found["y"], found["predicted"], cmap=fills, alpha=0.3, rasterized=True, **limits)
        draw_cells(axes, cells, cells.names.index(pair[0]), cells.names.index(pair[1]), 2.0)
        axes.set(xlim=found["x"][[0, -1]], ylim=found["y"][[0, -1]])
        axes.set_title(NAMES[name] if row == 0 else "")
        axes.set_ylabel(axes.get_ylabel() if column == 0 else "")
        x, y = np.meshgrid(found["x"], found["y"])
        texts = {"model": name, "x_feature": pair[0], "y_feature": pair[1]}
        for key, value in texts.items():
            table[key] += [value] * x.size
        table["x"] += x.ravel().tolist()
        table["y"] += y.ravel().tolist()
        table["predicted"] += [cells.classes[k] for k in found["predicted"].ravel()]
    panels[0, 0].legend(markerscale=4, loc="best", fontsize="small")
    save_figure(folder / "regions.png", figure)
    save_table(folder / "regions.csv", table)


def write_comparison(
    folder: Path, accuracies: Mapping[str, np.ndarray], comparisons: Sequence[Mapping[str, Any]], against: str
) -> None:
    """Draw the accuracy of every model on all features and how sure its distance from `against` is (paper, Fig. 4c)."""
    names = list(accuracies)
    figure = new_figure(1.1 * len(names) + 1.5, 4)
    axes = figure.subplots()
    draw_bars(axes, names, [accuracies[name] for name in names], [colour(k) for k in range(len(names))])
    top = max(float(values.max()) for values in accuracies.values())
    step = 0.06 * (top - axes.get_ylim()[0])
    tests = [test for test in comparisons if against in (test["one"], test["other"])]
    for level, test in enumerate(tests, 1):
        ends, height = sorted((names.index(test["one"]), names.index(test["other"]))), top + level * 1.3 * step
        axes.plot(ends, [height] * 2, color="black", lw=0.8)
        axes.text(
            sum(ends) / 2, height, f"p = {test['p']:.2g} {stars(test['p'])}", ha="center", va="bottom", fontsize=8
        )
    axes.set_ylim(axes.get_ylim()[0], top + (len(tests) + 1.5) * 1.3 * step)
    axes.set_ylabel("accuracy on held-out cells")
    axes.set_title("points: folds; bars: mean and standard deviation;\np: corrected resampled t-test", fontsize=9)
    save_figure(folder / "comparison.png", figure)
    columns = {"model": np.repeat(names, [len(accuracies[name]) for name in names])}
    columns["fold"] = np.concatenate([np.arange(len(accuracies[name])) for name in names])
    columns["accuracy"] = np.concatenate([accuracies[name] for name in names])
    save_table(folder / "comparison.csv", columns)
    save_table(folder / "significance.csv", {key: [test[key] for test in comparisons] for key in comparisons[0]})


def stars(p: float) -> str:
    """Return the paper's marks: ** below 0.01, *** below 0.001 (Fig. 4); * below 0.05, ns otherwise."""
    return next((mark for limit, mark in ((0.001, "***"), (0.01, "**"), (0.05, "*")) if p < limit), "ns")


def _rows(columns: Mapping[str, list[Any]], *keys: str) -> Any:
    return zip(*(columns[key] for key in keys), strict=True)
