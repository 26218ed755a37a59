"""The figure of `bridge.gap`: pictures and their nearest neighbours in the other dataset, distances, distributions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure, SubFigure

from bridge.command import replacing
from bridge.gap_pictures import Pictures, neighbours
from bridge.records import Dataset

_COLOURS = ("#0072B2", "#D55E00")  # Okabe and Ito
_FEATURES = 6  # shown, those that differ most


def write_figure(
    path: Path,
    names: tuple[str, str],
    datasets: tuple[Dataset, Dataset],
    features: Sequence[dict[str, Any]],
    compared: Sequence[dict[str, Any]],
    pictures: Sequence[tuple[str, Pictures, Pictures]],
    count: int,
    seed: int,
) -> None:
    """Draw the comparison to a PNG file; the same datasets give the same bytes.

    Parameters
    ----------
    path
        Where to write.
    names
        Of the datasets.
    datasets
        The datasets.
    features, compared
        What `bridge.gap` found of features and pictures.
    pictures
        Name of the view and pictures of both, for each view.
    count
        Neighbours shown.
    seed
        Draws the pictures shown.
    """
    shown = sorted((row for row in features if row["label"] == features[0]["label"]), key=lambda row: -row["ks"])
    shown = shown[:_FEATURES]
    columns = min(3, len(shown))
    rows = -(-len(shown) // columns) if shown else 0
    heights = [2.25] * len(pictures) + [2.0 * rows] * bool(rows)
    figure = Figure(figsize=(9.6, sum(heights) + 0.2), layout="constrained")
    FigureCanvasAgg(figure)
    parts = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    for part, row, (view, one, other) in zip(parts, compared, pictures, strict=False):
        _draw_pictures(part, names, row, view, one, other, count, seed)
    if rows:
        _draw_features(parts[-1], names, datasets, shown, (rows, columns))
    with replacing(path) as part:
        figure.savefig(part, dpi=200, metadata={"Software": None})


def _draw_pictures(
    part: SubFigure,
    names: tuple[str, str],
    row: dict[str, Any],
    view: str,
    one: Pictures,
    other: Pictures,
    count: int,
    seed: int,
) -> None:
    found = neighbours(one, other, count, seed)
    grid = part.add_gridspec(2, count + 1, width_ratios=[1] * count + [2.3])
    sides = ((names[0], one.images[found.asked]), (f"nearest in\n{names[1]}", other.images[found.nearest]))
    low, high = np.percentile(np.concatenate([images for _, images in sides]), [0.5, 99.5])
    for i, (name, images) in enumerate(sides):
        for j, picture in enumerate(images):
            axes = part.add_subplot(grid[i, j])
            axes.imshow(picture, cmap="gray", vmin=low, vmax=high)
            axes.set_xticks([])
            axes.set_yticks([])
            if j == 0:
                axes.set_ylabel(name, fontsize=8)
    axes = part.add_subplot(grid[:, count])
    bins = np.linspace(0, np.nanpercentile(np.r_[found.distance, found.own], 99.5), 25)
    for values, colour, name in ((found.own, "0.45", names[0]), (found.distance, _COLOURS[1], names[1])):
        values = values[np.isfinite(values)]
        if len(values):
            axes.hist(values, bins, color=colour, alpha=0.6, weights=np.full(len(values), 1 / len(values)), label=name)
    axes.set_xlabel(f"from {names[0]} to the nearest", fontsize=8)
    axes.set_ylabel("share", fontsize=8)
    axes.tick_params(labelsize=7)
    axes.legend(title="nearest in", fontsize=7, title_fontsize=7, frameon=False)
    plain, light = (row[key] for key in ("as_they_are", "brightness_and_contrast_removed"))
    if plain["auc"] is None:
        part.suptitle(f"Pictures ({view}): too few groups for an AUC", fontsize=9)
        return
    interval = f"{plain['auc']:.2f} ({plain['low']:.2f} to {plain['high']:.2f})"
    part.suptitle(f"Pictures ({view}): AUC {interval}, without brightness and contrast {light['auc']:.2f}", fontsize=9)


def _draw_features(
    part: SubFigure,
    names: tuple[str, str],
    datasets: tuple[Dataset, Dataset],
    shown: Sequence[dict[str, Any]],
    shape: tuple[int, int],
) -> None:
    grid = part.subplots(*shape, squeeze=False).ravel()
    for axes, row in zip(grid, shown, strict=False):
        for dataset, colour, name in zip(datasets, _COLOURS, names, strict=True):
            values = dataset.table[row["feature"]].to_numpy(float)
            if row["label"] is not None:
                values = values[dataset.table["label"].astype(str).to_numpy() == row["label"]]
            values = np.sort(values[np.isfinite(values)])
            axes.step(
                values, np.arange(1, len(values) + 1) / len(values), color=colour, lw=1.2, where="post", label=name
            )
        unit = "" if row["unit"] == "1" else f" ({row['unit']})"
        axes.set_xlabel(f"{row['feature'].replace('_', ' ')}{unit}", fontsize=8)
        axes.set_title(f"KS {row['ks']:.2f}", fontsize=8)
        axes.tick_params(labelsize=7)
        axes.xaxis.get_offset_text().set_fontsize(7)
        axes.set_ylim(0, 1.02)
    for axes in grid[len(shown) :]:
        axes.set_axis_off()
    for axes in grid[:: shape[1]]:
        axes.set_ylabel("share of cells below", fontsize=8)
    grid[0].legend(fontsize=7, frameon=False)
