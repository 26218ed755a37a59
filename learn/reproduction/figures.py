"""Figures of a reproduction's page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from bridge.records import read_dataset
from bridge.runs import read_run
from learn.report_page import Figure
from learn.report_squeeze import png_uri
from learn.report_svg import PALETTE, drawing, series, thinned
from learn.reproduction.claims import fused_accuracy
from learn.reproduction.datasets import FEATURES, RATE
from learn.reproduction.rows_models import scores
from learn.reproduction.rows_squeeze import FIELDS, read_table
from learn.reproduction.scales import CLASSES, PAIR

_UNITS = {
    "deformation_index": ("1", 1.0),
    "max_velocity": ("mm/s", 1e3),
    "transition_time": ("ms", 1e3),
    RATE: ("1/s", 1.0),
}
_SHOWN = 6
"""Sample pictures of a class and view."""
_MODELS = {
    "another day tests": ("nn-day", "cnn-day", "miml-day"),
    "other cells test": ("nn-cell", "cnn-cell", "miml-cell"),
    "same optics": ("nn-cell", "cnn-same-optics", "miml-same-optics"),
    "sizes matched": ("nn-matched", "cnn-matched", "miml-matched"),
    "matched, same optics": ("nn-matched", "cnn-matched-same-optics", "miml-matched-same-optics"),
}


def stiffness(folder: Path) -> list[Figure]:
    """Draw DI(x) and v(x) for the values of Ks and of Kb (paper, Fig. 9e and f)."""
    figures = []
    for name, (field, symbol, unit, factor) in FIELDS.items():
        rows = sorted(read_table(folder / f"runs-{name}" / "sweep.csv"), key=lambda row: float(row[field]))
        found = [(float(row[field]), read_run(folder / f"runs-{name}" / row["run"])[0]) for row in rows]
        for column, scale, label in (("di", 1.0, "deformation index (1)"), ("vx", 1e3, "velocity (mm/s)")):
            with drawing() as made:
                axes = made.axes()
                for index, (value, trace) in enumerate(found):
                    x, y = thinned(1e6 * trace["x"], scale * trace[column])
                    axes.plot(x, y, color=series(index), label=f"{symbol} = {factor * value:.3g} {unit}")
                axes.axvspan(0, 1e6 * found[0][1].config.channel.constriction_length, color=PALETTE["band"], lw=0)
                axes.set(xlabel="centroid x (µm)", ylabel=label)
                axes.legend()
            what = "Deformation index" if column == "di" else "Velocity"
            figures.append(
                Figure(f"{what} against place for other {symbol}, all else as hct116 (Fig. 9e, f).", made.svg)
            )
    return figures


def samples(folder: Path) -> Figure:
    """Show pictures of each class before and at the end of the squeeze, as cut out of the films."""
    table = [read_dataset(folder / "datasets" / f"{name}.h5") for name in ("cell", "stiffened")]
    strips = []
    for label in CLASSES:
        data = table[0] if label in PAIR else table[1]
        rows = np.flatnonzero(data.table["label"] == label)[:_SHOWN]
        images = np.asarray(data.images)[rows]
        blank = np.full((_SHOWN - len(rows), *images.shape[1:]), 255, np.uint8)
        tiles = np.pad(np.concatenate([images, blank]), ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=255)
        strips.append(np.vstack([np.hstack(list(tiles[:, view])) for view in range(tiles.shape[1])]))
    caption = (
        f"Pictures as measured from the films, from the top: {', '.join(CLASSES)}, each before the squeeze and, below, "
        "at its end; 48 µm wide."
    )
    return Figure(caption, image=png_uri(np.vstack(strips)), wide=True, width=840)


def errors(folder: Path) -> list[Figure]:
    """Draw the features from films against those of the runs."""
    table = pd.read_csv(folder / "cells.csv")
    figures = []
    for name in FEATURES:
        unit, factor = _UNITS[name]
        with drawing() as made:
            axes = made.axes()
            for index, label in enumerate(CLASSES):
                own = table[table["label"] == label]
                axes.plot(
                    factor * own[f"true_{name}"],
                    factor * own[name],
                    "o",
                    ms=3,
                    alpha=0.7,
                    color=series(index),
                    label=label,
                )
            ends = factor * table[[name, f"true_{name}"]].to_numpy()
            line = [np.nanmin(ends), np.nanmax(ends)]
            axes.plot(line, line, color=PALETTE["soft"], lw=1, ls="--")
            title = name.replace("_", " ")
            axes.set(xlabel=f"{title} of the run ({unit})", ylabel=f"{title} from the film ({unit})")
            axes.legend()
        figures.append(Figure(f"{title.capitalize()}: what the film says against what is true.", made.svg))
    return figures


def error_table(folder: Path) -> list[tuple[str, str, float, float, float, float]]:
    """Return for each feature its unit, the number of cells, mean and sd of the error, and the sd over cells."""
    table = pd.read_csv(folder / "cells.csv")
    rows = []
    for name, (unit, factor) in _UNITS.items():
        seen, true = (factor * table[column].to_numpy(float) for column in (name, f"true_{name}"))
        apart = (seen - true)[np.isfinite(seen - true)]
        spread = float(np.nanstd(true))
        rows.append((name.replace("_", " "), unit, float(len(apart)), float(apart.mean()), float(apart.std()), spread))
    return rows


def diameter(folder: Path) -> Figure:
    """Draw the deformation index over the diameter, both measured from films (paper, Fig. S2a)."""
    table = pd.read_csv(folder / "cells.csv")
    with drawing() as made:
        axes = made.axes()
        for index, label in enumerate(CLASSES):
            own = table[table["label"] == label]
            axes.plot(
                1e6 * own["diameter"], own["deformation_index"], "o", ms=3, alpha=0.7, color=series(index), label=label
            )
        size = np.linspace(1e6 * table["diameter"].min(), 1e6 * table["diameter"].max(), 100)
        axes.plot(size, _stadium(size, 5.2), color=PALETTE["soft"], lw=1, ls="--", label="stadium filling the gap")
        axes.set(xlabel="diameter (µm)", ylabel="deformation index (1)")
        axes.legend()
    return Figure("Deformation index over diameter, both from films (Fig. S2a); the line is geometry alone.", made.svg)


def _stadium(diameter: np.ndarray, gap: float) -> np.ndarray:
    length = gap + np.pi * (diameter**2 - gap**2) / (4 * gap)
    return (length - gap) / (length + gap)


def accuracies(folder: Path) -> list[Figure]:
    """Draw the accuracy of mechanics, pictures and both in every test, with what independent evidence would give."""
    with drawing(9.0, 3.6) as made:
        axes = made.axes()
        for index, name in enumerate(("mechanics (NN)", "pictures (CNN)", "both (MIML)")):
            found = [scores(folder / "learn", models[index])["accuracy"] for models in _MODELS.values()]
            place = np.arange(len(found)) + 0.16 * (index - 1)
            value = np.array([one["value"] for one in found])
            bars = np.array([[one["value"] - one["low"], one["high"] - one["value"]] for one in found]).T
            axes.errorbar(place, value, bars, fmt="o", ms=5, capsize=3, color=series(index), label=name)
        predicted = [
            fused_accuracy(*(scores(folder / "learn", model)["accuracy"]["value"] for model in models[:2]))
            for models in _MODELS.values()
        ]
        axes.plot(
            np.arange(len(predicted)) + 0.16,
            predicted,
            "_",
            ms=16,
            mew=2,
            color=PALETTE["ink"],
            label="independent evidence (d′²)",
        )
        axes.set_xticks(range(len(_MODELS)), list(_MODELS))
        axes.set(ylabel="accuracy on test cells (1)")
        axes.legend(ncols=2, loc="lower left")
    caption = (
        "Accuracy on hct116 against wbc with 95 % intervals: as in the paper, on another simulated day, and in the "
        "controls; dashes are what independent evidence of both kinds would give."
    )
    return [Figure(caption, made.svg, wide=True)]
