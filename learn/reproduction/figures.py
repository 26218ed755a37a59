"""Figures of a reproduction's page, drawn from what its stages left."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bridge.records import read_dataset
from bridge.runs import read_run
from learn.report_page import Figure
from learn.report_squeeze import png_uri
from learn.report_svg import PALETTE, drawing, series, thinned
from learn.reproduction.claims import fused_accuracy
from learn.reproduction.datasets import FEATURES, RATE
from learn.reproduction.rows_cells import where
from learn.reproduction.rows_models import scores
from learn.reproduction.rows_squeeze import FIELDS, varied
from learn.reproduction.scales import CLASSES
from learn.reproduction.steps import Place
from learn.reproduction.trainings import control, smaller

UNITS = {
    "deformation_index": ("1", 1.0),
    "max_velocity": ("mm/s", 1e3),
    "transition_time": ("ms", 1e3),
    RATE: ("1/s", 1.0),
}
"""Unit shown of a feature, and the factor to it."""
_SHOWN = 6
"""Sample pictures of a class and view."""
_GAP = 5.2
"""Width of the constriction (µm)."""
_TESTS = {
    "same optics": "same-optics",
    "sizes matched": "matched",
    "matched,\nsame optics": "matched-same-optics",
}
"""The controls, and the dataset of each."""


def cells_of(place: Place) -> pd.DataFrame:
    """Return every cell: features from its film beside those of its run."""
    return pd.read_csv(place.out / "cells.csv")


def flat_cells(place: Place) -> pd.DataFrame:
    """Return the cells in two dimensions."""
    table = cells_of(place)
    return where(table, table["kind"] == "flat")


def stiffness(place: Place) -> list[Figure]:
    """Draw DI(x) and v(x) for the values of Ks and of Kb (paper, Fig. 9e and f)."""
    figures = []
    for field, (symbol, unit, factor) in FIELDS.items():
        rows = varied(place, field).to_dict("records")
        found = [(factor * float(row[field]), read_run(place.singles / row["run"])[0]) for row in rows]
        for column, scale, label in (("di", 1.0, "deformation index (1)"), ("vx", 1e3, "velocity (mm/s)")):
            with drawing() as made:
                axes = made.axes()
                for index, (value, trace) in enumerate(found):
                    x, y = thinned(1e6 * trace["x"], scale * trace[column])
                    axes.plot(x, y, color=series(index), label=f"{symbol} = {value:.3g} {unit}")
                axes.axvspan(0, 1e6 * found[0][1].config.channel.constriction_length, color=PALETTE["band"], lw=0)
                axes.set(xlabel="centroid x (µm)", ylabel=label)
                axes.legend()
            what = "Deformation index" if column == "di" else "Velocity"
            text = (
                f"{what} against place for other {symbol}, else as hct116; the band is the constriction (Fig. 9e, f)."
            )
            figures.append(Figure(text, made.svg))
    return figures


def journeys(place: Place) -> list[Figure]:
    """Draw velocity and centroid of a cell of each class over time, normalised as in the paper's Fig. 1c and d."""
    table = flat_cells(place)
    found = []
    for label in CLASSES:
        own = where(table, table["label"] == label).sort_values(by="true_transition_time")
        if len(own):
            found.append((label, read_run(place.population / own["cell_id"].iloc[len(own) // 2])[0]))
    figures = []
    for which in ("velocity", "centroid"):
        with drawing() as made:
            axes = made.axes()
            for index, (label, trace) in enumerate(found):
                time, x, speed = thinned(1e3 * trace["time"], trace["x"], trace["vx"])
                y = speed / speed.max() if which == "velocity" else x / trace.config.cell.diameter
                axes.plot(time, y, color=series(index), label=label)
            name = "velocity / largest velocity (1)" if which == "velocity" else "centroid x / diameter (1)"
            axes.set(xlabel="time (ms)", ylabel=name)
            axes.legend()
        text = {"velocity": "Velocity over time (Fig. 1c)", "centroid": "Place of the centroid over time (Fig. 1d)"}[
            which
        ]
        figures.append(Figure(f"{text} of the cell of median transition time of each class.", made.svg))
    return figures


def samples(place: Place) -> Figure:
    """Show pictures of each class before and at the end of the squeeze, as cut out of the films."""
    data = read_dataset(place.dataset("own"))
    flat = data.table["kind"] != "solid"
    strips = []
    for label in CLASSES:
        rows = np.flatnonzero((data.table["label"] == label) & flat)[:_SHOWN]
        images = np.asarray(data.images)[rows]
        blank = np.full((_SHOWN - len(rows), *images.shape[1:]), 255, np.uint8)
        tiles = np.pad(np.concatenate([images, blank]), ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=255)
        strips.append(np.vstack([np.hstack(list(tiles[:, view])) for view in range(tiles.shape[1])]))
    caption = (
        f"Pictures as cut out of the films, from the top: {', '.join(CLASSES)}, each before the squeeze and, below, "
        "at its end; each 48 µm wide."
    )
    return Figure(caption, image=png_uri(np.vstack(strips)), wide=True, width=840)


def errors(place: Place) -> list[Figure]:
    """Draw the features from films against those of the runs."""
    table = cells_of(place)
    figures = []
    for name in (*FEATURES, RATE):
        unit, factor = UNITS[name]
        with drawing() as made:
            axes = made.axes()
            for index, (label, solid) in enumerate(
                [(label, False) for label in CLASSES] + [("three dimensions", True)]
            ):
                own = where(table, (table["kind"] == "solid") == solid)
                own = own if solid else where(own, own["label"] == label)
                if own.empty:
                    continue
                x, y = factor * own[f"true_{name}"], factor * own[name]
                axes.plot(x, y, "D" if solid else "o", ms=3, alpha=0.7, color=series(index), label=label)
            ends = factor * table[[name, f"true_{name}"]].to_numpy()
            line = [np.nanmin(ends), np.nanmax(ends)]
            axes.plot(line, line, color=PALETTE["soft"], lw=1, ls="--")
            title = name.replace("_", " ")
            axes.set(xlabel=f"{title} of the run ({unit})", ylabel=f"{title} from the film ({unit})")
            axes.legend()
        figures.append(Figure(f"{title.capitalize()}: what the film says against what is true.", made.svg))
    return figures


def error_rows(place: Place) -> list[tuple[str, str, int, float, float, float]]:
    """Return for each feature its unit, the number of cells, mean and sd of the error, and the sd over cells."""
    table = cells_of(place)
    rows = []
    for name, (unit, factor) in UNITS.items():
        seen, true = (factor * table[column].to_numpy(float) for column in (name, f"true_{name}"))
        apart = (seen - true)[np.isfinite(seen - true)]
        rows.append((name.replace("_", " "), unit, len(apart), apart.mean(), apart.std(), float(np.nanstd(true))))
    return rows


def diameter(place: Place) -> Figure:
    """Draw the deformation index over the diameter, both measured from films (paper, Fig. S2a)."""
    table = flat_cells(place)
    with drawing() as made:
        axes = made.axes()
        for index, label in enumerate(CLASSES):
            own = where(table, table["label"] == label)
            x, y = 1e6 * own["diameter"], own["deformation_index"]
            axes.plot(x, y, "o", ms=3, alpha=0.7, color=series(index), label=label)
        size = np.linspace(1e6 * table["diameter"].min(), 1e6 * table["diameter"].max(), 100)
        axes.plot(size, _stadium(size), color=PALETTE["soft"], lw=1, ls="--", label="stadium of equal area in the gap")
        axes.set(xlabel="diameter (µm)", ylabel="deformation index (1)")
        axes.legend()
    return Figure("Deformation index over diameter, both from films (Fig. S2a); the line is geometry alone.", made.svg)


def _stadium(diameter: np.ndarray) -> np.ndarray:
    length = _GAP + np.pi * (diameter**2 - _GAP**2) / (4 * _GAP)
    return (length - _GAP) / (length + _GAP)


def rate(place: Place) -> list[Figure]:
    """Draw how DI rate is distributed in each class, and against transition time (paper, Fig. 8d and e)."""
    table = flat_cells(place)
    edges = np.linspace(table[RATE].min(), table[RATE].max(), max(6, min(30, len(table) // 8))).tolist()
    figures = []
    for text, draws in (("DI rate of each class (Fig. 8e).", True), ("DI rate over transition time (Fig. 8d).", False)):
        with drawing() as made:
            axes = made.axes()
            for index, label in enumerate(CLASSES):
                own = where(table, table["label"] == label)
                if draws:
                    axes.hist(own[RATE], edges, density=True, histtype="step", lw=1.6, color=series(index), label=label)
                else:
                    x = 1e3 * own["transition_time"]
                    axes.plot(x, own[RATE], "o", ms=3, alpha=0.7, color=series(index), label=label)
            names = ("DI rate (1/s)", "density (s)") if draws else ("transition time (ms)", "DI rate (1/s)")
            axes.set(xlabel=names[0], ylabel=names[1])
            axes.legend()
        figures.append(Figure(text, made.svg))
    return figures


def accuracies(place: Place) -> list[Figure]:
    """Draw the accuracy of mechanics, pictures and both in every test, with what independent evidence would give."""
    stems = ("nn", "cnn", "miml")
    tests = {
        name: [f"{stem}-{split}" for stem in stems] for name, split in (("another day", "day"), ("other cells", "cell"))
    }
    if smaller(place):
        tests["small networks,\nother cells"] = [control(place, stem, "cell") for stem in stems]
    tests |= {name: [control(place, stem, data) for stem in stems] for name, data in _TESTS.items()}
    every = {test: [scores(place, name) for name in names] for test, names in tests.items()}
    found = {test: [one for one in three if one] for test, three in every.items() if all(three)}
    if not found:
        return []
    with drawing(9.0, 3.6) as made:
        axes = made.axes()
        for index, name in enumerate(("mechanics (NN)", "pictures (CNN)", "both (MIML)")):
            own = [three[index]["accuracy"] for three in found.values()]
            value, low, high = (np.array([one[key] for one in own]) for key in ("value", "low", "high"))
            at = np.arange(len(own)) + 0.16 * (index - 1)
            axes.errorbar(
                at, value, [value - low, high - value], fmt="o", ms=5, capsize=3, color=series(index), label=name
            )
        predicted = [fused_accuracy(*(one["accuracy"]["value"] for one in three[:2])) for three in found.values()]
        at = np.arange(len(predicted)) + 0.16
        label = "NN and CNN, were they independent (d′²)"
        axes.plot(at, predicted, "_", ms=16, mew=2, color=PALETTE["ink"], label=label)
        axes.set_xticks(range(len(found)), list(found))
        axes.set(ylabel="accuracy on test cells (1)")
        made.figure.legend(ncols=4, loc="outside upper center")
    caption = (
        "Accuracy on hct116 against wbc with 95 % intervals: test on another simulated day, and on other cells as in "
        "the paper; then the controls. Dashes: what independent evidence of both would give."
    )
    return [Figure(caption, made.svg, wide=True)]
