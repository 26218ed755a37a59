"""Figures of features by class, whatever classifies them: pairs, densities, violins, size against deformation."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import scipy.stats
from matplotlib.axes import Axes

from learn.data import Cells
from learn.figures import colour, label_of, linear_width, new_figure, save_figure, scale_axes, spaced
from learn.outputs import save_table

POINTS = 200
"""Points of a density curve."""


def write_scatters(folder: Path, cells: Cells, gap: float | None = None) -> None:
    """Draw each pair of features, classes in colour, with the correlation of each (paper, Figs. 2a to c, 8d, S2a).

    Parameters
    ----------
    folder
        Where ``scatter.png`` and ``scatter.csv`` go.
    cells
        Cells with at least two features; values may be missing.
    gap
        Width of the constriction (m), for the limit of geometry beside a deformation index over a diameter.
    """
    pairs = list(itertools.combinations(range(len(cells.names)), 2))
    columns = min(3, len(pairs))
    figure = new_figure(4.2 * columns, 3.9 * math.ceil(len(pairs) / columns))
    panels = figure.subplots(math.ceil(len(pairs) / columns), columns, squeeze=False).ravel()
    for axes in panels[len(pairs) :]:
        axes.set_visible(False)
    for axes, (i, j) in zip(panels, pairs, strict=False):
        # A size belongs below what it makes of the cell.
        i, j = (j, i) if "diameter" in cells.names[j] else (i, j)
        draw_cells(axes, cells, i, j, 5.0)
        axes.set_title(_correlations(cells, i, j), fontsize=7)
        if gap is not None and "diameter" in cells.names[i] and cells.names[j].startswith("deformation_index"):
            _draw_limit(axes, gap)
        axes.legend(markerscale=3, loc="best", fontsize=8)
    save_figure(folder / "scatter.png", figure)
    table = {"cell_id": cells.ids, "label": np.array(cells.classes)[cells.labels]}
    save_table(folder / "scatter.csv", table | dict(zip(cells.names, cells.features.T, strict=True)))


def largest_index(diameter: np.ndarray, gap: float) -> np.ndarray:
    """Return the deformation index of a cell that fills a gap and keeps the area of its outline.

    Parameters
    ----------
    diameter, gap
        Of the cell at rest (N,) and of the constriction, in the same unit.

    Notes
    -----
    A rectangle with half circles at both ends: its length is gap + pi (diameter² - gap²) / (4 gap). A cell no wider
    than the gap stays round. In three dimensions a cell that keeps its volume stays below it, since it widens in depth.
    """
    longer = np.maximum(np.pi * (diameter**2 - gap**2) / (4 * gap), 0.0)
    return longer / (longer + 2 * gap)


def draw_cells(axes: Axes, cells: Cells, i: int, j: int, size: float) -> None:
    """Draw feature `j` over feature `i` of every cell that has both."""
    known = np.isfinite(cells.features[:, [i, j]]).all(axis=1)
    # In a drawn order of the cells, so that the last class does not hide the others.
    order = np.random.default_rng(0).permutation(np.flatnonzero(known))
    for k, name in enumerate(cells.classes):
        axes.scatter([], [], s=size, color=colour(k), label=name)
    fills = np.array([colour(k) for k in range(len(cells.classes))])[cells.labels[order]]
    axes.scatter(cells.features[order, i], cells.features[order, j], s=size, c=list(fills), lw=0, alpha=0.6)
    if known.any():
        scale_axes(axes, cells.features[known, i], cells.features[known, j])
    axes.set_xlabel(label_of(cells.names[i], cells.units[i]))
    axes.set_ylabel(label_of(cells.names[j], cells.units[j]))


def write_densities(folder: Path, cells: Cells) -> None:
    """Draw the density of each feature in each class (paper, Fig. 8e).

    Notes
    -----
    Gaussian kernels of Scott's width (1992), on the axis that the values want; each curve has the area 1 there.
    """
    count = len(cells.names)
    columns = min(3, count)
    figure = new_figure(4.2 * columns, 3.2 * math.ceil(count / columns))
    panels = figure.subplots(math.ceil(count / columns), columns, squeeze=False).ravel()
    table: dict[str, list[Any]] = {key: [] for key in ("feature", "class", "value", "density")}
    for column, axes in enumerate(panels):
        axes.set_visible(column < count)
        if column < count:
            for name, grid, density in _draw_densities(axes, cells, column):
                entries = ([cells.names[column]] * len(grid), [name] * len(grid), grid, density)
                for key, values in zip(table, entries, strict=True):
                    table[key] += list(values)
    save_figure(folder / "density.png", figure)
    save_table(folder / "density.csv", table)


def _draw_densities(axes: Axes, cells: Cells, column: int) -> list[tuple[str, np.ndarray, np.ndarray]]:
    values = cells.features[:, column]
    known = np.isfinite(values)
    curves = []
    if known.any():
        width, grid = linear_width(values[known]), spaced(values[known], POINTS)
        for k, name in enumerate(cells.classes):
            found = values[known & (cells.labels == k)]
            if len(found) < 3 or np.ptp(found) == 0:
                continue
            on_axis, places = (part if width is None else np.arcsinh(part / width) for part in (found, grid))
            density = scipy.stats.gaussian_kde(on_axis)(places)
            axes.fill_between(grid, density, color=colour(k), alpha=0.25, lw=0)
            axes.plot(grid, density, color=colour(k), label=f"{name} ({len(found)})")
            curves.append((name, grid, density))
        scale_axes(axes, values[known], np.array([0.0, 1.0]))
        axes.legend(fontsize=8)
    axes.set(xlabel=label_of(cells.names[column], cells.units[column]), ylabel="density", yticks=[])
    axes.set_ylim(0, None)
    return curves


def write_violins(folder: Path, cells: Cells) -> None:
    """Draw the distribution of each feature in each class (paper, Figs. 8e and S2b)."""
    columns = min(4, len(cells.names))
    figure = new_figure(3.4 * columns, 3.8 * math.ceil(len(cells.names) / columns))
    table: dict[str, list[Any]] = {
        key: [] for key in ("feature", "class", "cells", "mean", "sd", "low", "median", "high")
    }
    panels = figure.subplots(math.ceil(len(cells.names) / columns), columns, squeeze=False).ravel()
    for column, axes in enumerate(panels):
        if column >= len(cells.names):
            axes.set_visible(False)
            continue
        sets = _draw_violins(axes, cells, column)
        for k, found in enumerate(sets):
            if len(found):
                facts = (found.mean(), found.std(), *np.quantile(found, (0.025, 0.5, 0.975)))
                entries = (cells.names[column], cells.classes[k], len(found), *facts)
                for key, value in zip(table, entries, strict=True):
                    table[key].append(value)
    save_figure(folder / "violins.png", figure)
    save_table(folder / "violins.csv", table)


def _draw_violins(axes: Axes, cells: Cells, column: int) -> list[np.ndarray]:
    values = cells.features[:, column]
    known = np.isfinite(values)
    sets = [values[known & (cells.labels == k)] for k in range(len(cells.classes))]
    drawn = [k for k, found in enumerate(sets) if len(found) > 1 and np.ptp(found) > 0]
    width = linear_width(values[known]) if known.any() else None
    shown = [sets[k] if width is None else np.arcsinh(sets[k] / width) for k in drawn]
    if drawn:
        parts: Any = axes.violinplot(shown, positions=drawn, widths=0.8, showmedians=True)
        for body, k in zip(parts["bodies"], drawn, strict=True):
            body.set(facecolor=colour(k), alpha=0.5)
    if width is not None:
        powers = 10.0 ** np.arange(np.ceil(np.log10(width)), np.floor(np.log10(values[known].max())) + 1)
        axes.set_yticks(np.arcsinh(np.append(0, powers) / width), ["0", *(f"{power:g}" for power in powers)])
    axes.set_xticks(range(len(cells.classes)), [name.replace("_", "\n") for name in cells.classes])
    axes.set_ylabel(label_of(cells.names[column], cells.units[column]))
    return sets


def _draw_limit(axes: Axes, gap: float) -> None:
    ends = axes.get_xlim()
    sizes = np.linspace(max(ends[0], gap), max(ends[1], gap), 100)
    axes.plot(sizes, largest_index(sizes, gap), "--", color="0.3", lw=1.2, label=f"fills {1e6 * gap:g} µm, area kept")
    axes.set_xlim(ends)


def _correlations(cells: Cells, i: int, j: int) -> str:
    """Return Pearson's correlation over all cells and within each class as one line."""
    texts = []
    for name, rows in (("all", cells.labels >= 0), *((n, cells.labels == k) for k, n in enumerate(cells.classes))):
        pair = cells.features[rows][:, [i, j]]
        pair = pair[np.isfinite(pair).all(axis=1)]
        if len(pair) > 2 and (np.ptp(pair, axis=0) > 0).all():
            texts.append(f"{name} {np.corrcoef(pair.T)[0, 1]:+.2f}")
    return "r: " + ", ".join(texts) if texts else ""
