"""The page of a reproduction: the paper's claims one by one, and what stands behind the verdicts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import mannwhitneyu

from bridge.command import InputError, software
from bridge.records import read_dataset
from bridge.runs import CAME_THROUGH, read_run, shipped_population, shipped_preset
from learn.report_page import Cell, Fact, Figure, Page, Player, Section, Table, Text, cell, made_by
from learn.report_results import figures_of
from learn.report_squeeze import animation, moments, pictures, traces
from learn.reproduction import figures
from learn.reproduction.claims import CONTROL, MEASURED, SIMULATED, shown
from learn.reproduction.datasets import FEATURES
from learn.reproduction.plan import COMMANDS, FACTS, PLAN, ROWS
from learn.reproduction.rows_cells import where
from learn.reproduction.rows_models import SPLITS, scores
from learn.reproduction.scales import CLASSES, DEVELOPMENT, PAIR, TEST
from learn.reproduction.steps import Place

_MARKS = {"holds": "good", "falls short": "bad", "fitted": "fitted", "cannot be compared": ""}
_GROUPS = {
    "Squeezes (Figs. 1 and 9)": ("1c, d", "9a, b, g", "9e, f"),
    "Features (Figs. 2 and S2)": ("2a", "2a–c", "2d", "2e", "S2a", "S2b"),
    "Classifiers of features (Figs. 3 and 4)": ("4c", "3", "4b"),
    "Sizes of the small network (Table S1)": ("S1",),
    "Pictures, and both together (Figs. 5 and 6)": ("5f", "6a", "6a–e"),
    "DI rate, transfer, simulated cells for measured ones (Fig. 8, sections 2.4 and 2.6)": (
        "2.4",
        "Table 1",
        "8a",
        "2.6",
    ),
}
"""Claims by theme: figures of the paper."""
_FILES = {
    "rows.csv": "the table of claims",
    "cells.csv": "every cell: features from its film beside those of its run",
    "population.toml": "the cells as drawn, by class and day",
    "runs/": "run folder of every cell; python -m learn.report makes a page of each, and of all",
    "microscopes/": "the camera of each day",
    "datasets/": "what was trained on",
    "learn/": "every training and comparison; python -m learn.report makes a page of each",
}


def is_reproduction(folder: Path) -> bool:
    """Return whether a folder is that of a reproduction."""
    return (folder / PLAN).is_file()


def reproduction_page(folder: Path) -> Page:
    """Return the page of a reproduction.

    Raises
    ------
    InputError
        If it is not finished.
    """
    if not (folder / ROWS).is_file():
        raise InputError(f"{folder}: the reproduction is not finished; run `python -m learn.reproduce --out` again")
    plan, rows, facts = (json.loads((folder / name).read_text("utf-8")) for name in (PLAN, ROWS, FACTS))
    place = Place(folder)
    controls = [row for row in rows if row["source"] == CONTROL]
    sections = [
        Section("Claims", [*(_claims(title, keys, rows) for title, keys in _GROUPS.items()), _apart(place)]),
        Section("Controls", [*figures.accuracies(place), _controls(controls)]),
        Section("A squeeze", _squeeze(place)),
        Section("Stiffness", figures.stiffness(place)),
        Section("Films and what is measured from them", _films(place, facts)),
        Section("Simulated cells", [_outcomes(facts), _days(plan, facts), *_population(place)]),
        Section("Features", _features(place)),
        Section(
            "Classifiers",
            [_scores(place), *figures_of(place.learned("explain"), without=("history", "violins", "density"))],
        ),
        Section("Transfer and DI rate", [*figures_of(place.learned("transfer")), *figures.rate(place)]),
        Section("Measured cells of the paper", _measured(place)),
        Section("Commands", [_commands(folder)]),
    ]
    return Page(
        "Reproduction",
        "The claims of Multiplex Image Machine Learning from simulated cells",
        _lede(plan, facts),
        _facts(rows),
        [section for section in sections if section.blocks],
        made_by(software(("numpy", "numba", "scipy", "jax", "flax", "scikit-learn")), {"scale": plan["scale"]}),
        [f"python -m learn.reproduce --out DIR --scale {plan['scale']}"],
        {name: what for name, what in _FILES.items() if (folder / name).exists()},
    )


def _lede(plan: Mapping[str, Any], facts: Mapping[str, Any]) -> list[str]:
    cells, solid = (sum(plan[name].values()) for name in ("cells", "solid"))
    lost = sum(facts["lost"].values())
    through = sum(counts.get(name, 0) for counts in facts["outcomes"].values() for name in CAME_THROUGH)
    sentences = [
        f"{cells} cells were simulated in two dimensions (quality {plan['quality']}) and {solid} in three, on "
        f"{plan['days'] + 1} simulated days with other light, camera and flow. The {through} that came through were "
        f"filmed by the microscope model and measured from the films as a recording is; {lost} of them could not be "
        "measured.",
        "Populations come from the literature and from choices of this project that are stated beside each number, "
        "before any training; no parameter was changed after an accuracy was seen. A row whose number a choice aimed "
        "at is marked fitted, never holds.",
    ]
    if plan["scale"] == "smoke":
        sentences.insert(0, "Scale smoke: every step is taken, and no number of simulated cells means anything.")
    if plan["deep_folds"] == 1:
        sentences.append(f"Networks that see pictures were trained on one fold, the small ones on {plan['folds']}.")
    return sentences


def _facts(rows: Sequence[Mapping[str, str]]) -> list[Fact]:
    notes = {
        "holds": "by the rule beside the row",
        "falls short": "with the distance beside the row",
        "cannot be compared": "with the reason beside the row",
        "fitted": "a choice aimed at the number",
    }
    return [Fact(name, str(sum(row["verdict"] == name for row in rows)), note) for name, note in notes.items()]


def _claims(title: str, keys: Sequence[str], rows: Sequence[Mapping[str, str]]) -> Table:
    """Return the claims about some figures, simulated cells beside measured ones."""
    found: dict[tuple[str, str], dict[str, Mapping[str, str]]] = {}
    for row in rows:
        if row["figure"] in keys and row["source"] != CONTROL:
            found.setdefault((row["figure"], row["claim"]), {})[row["source"]] = row
    sources = [name for name in (SIMULATED, MEASURED) if any(name in pair for pair in found.values())]
    columns = ["figure", "claim", "paper"]
    for source in sources:
        columns += [f"{source} cells (95 % interval)", "verdict"]
    lines = []
    for (figure, claim), pair in found.items():
        line = [cell(figure), cell(claim), cell(next(iter(pair.values()))["paper"])]
        for source in sources:
            line += _judged(pair.get(source))
        lines.append(line)
    return Table(f"{title}.", columns, lines)


def _judged(row: Mapping[str, str] | None) -> list[Cell]:
    if row is None:
        return [Cell("", ""), Cell("", "")]
    return [cell(row["ours"]), Cell(row["verdict"], row["verdict"], _MARKS[row["verdict"]], row["why"])]


def _apart(place: Place) -> Table:
    """Return how far the classes lie apart in each feature, which bounds every accuracy from features."""
    cells = pd.read_csv(place.out / "cells.csv")
    tables = {"simulated cells": where(cells, cells["kind"] != "solid")}
    if place.dataset("measured").is_file():
        tables["measured cells"] = read_dataset(place.dataset("measured")).table
    lines = []
    for name in FEATURES:
        line = [cell(name.replace("_", " "))]
        for table in tables.values():
            one, other = (where(table, table["label"] == label)[name].to_numpy(float) for label in PAIR)
            ratio = np.median(other) / np.median(one)
            line += [cell(f"{separation(one, other):.2f}"), cell(f"{ratio:.3g}")]
        lines.append(line)
    columns = ["feature"]
    for name in tables:
        columns += [f"{name}: AUC", "median of wbc over that of hct116"]
    title = (
        "Why accuracies are what they are: how well one feature alone tells hct116 from wbc (area under the ROC curve, "
        "0.5 is chance). Simulated classes differ as stiffness and size do in the population below."
    )
    return Table(title, columns, lines)


def separation(one: np.ndarray, other: np.ndarray) -> float:
    """Return the area under the ROC curve of one number that tells two classes apart, whichever has the larger ones."""
    found: Any = mannwhitneyu(one, other)
    larger = float(found.statistic) / (len(one) * len(other))
    return max(larger, 1 - larger)


def _controls(rows: Sequence[Mapping[str, str]]) -> Table:
    lines = [[cell(row["claim"]), cell(row["ours"])] for row in rows]
    return Table(
        "Controls: what mechanics, pictures and both give where one thing is made equal.", ("what", "here"), lines
    )


def _scores(place: Place) -> Table:
    """Return all scores of the three networks (paper, Fig. 6a to e)."""
    metrics = {"accuracy": "accuracy", "precision": "precision", "recall": "recall", "f1": "F1", "auc": "AUC"}
    rows = []
    for split, how in SPLITS.items():
        for stem in ("nn", "cnn", "miml"):
            found = scores(place, f"{stem}-{split}")
            if found is not None:
                values = [cell(shown(found[metric])) for metric in metrics]
                rows.append([cell(stem.upper()), cell(how), cell(found["cells"]), *values])
    columns = ("network", "test", "cells", *metrics.values())
    return Table("Scores on test cells with 95 % intervals (Fig. 6a–e).", columns, rows)


def _squeeze(place: Place) -> list[Player | Figure]:
    """Show the cell of the preset, as run, as pictured and as traced; and one in three dimensions."""
    blocks: list[Player | Figure] = []
    table = figures.varied(place, "cell.ks")
    usual = table["run"].iloc[len(table) // 2]
    trace = read_run(place.singles / usual)[0]
    blocks += [animation(trace), moments(trace), *pictures(trace), *figures.journeys(place), *traces(trace)[:2]]
    cells = figures.cells_of(place)
    solid = where(cells, (cells["kind"] == "solid") & (cells["label"] == "hct116"))
    if len(solid):
        trace = read_run(place.population / solid["cell_id"].iloc[0])[0]
        blocks += [animation(trace), moments(trace), *pictures(trace)]
    return blocks


def _films(place: Place, facts: Mapping[str, Any]) -> list[Any]:
    rows = [[cell(reason), cell(count)] for reason, count in sorted(facts["lost"].items())] or [[cell("none"), cell(0)]]
    lost = Table("Cells that were lost between film and dataset, and why.", ("reason", "cells"), rows)
    return [figures.samples(place), *figures.errors(place), _errors(place), lost]


def _errors(place: Place) -> Table:
    found = figures.error_rows(place)
    rows = [[cell(name), cell(unit), *(cell(value, digits=3) for value in numbers)] for name, unit, *numbers in found]
    columns = ("feature", "unit", "cells", "mean error", "sd of error", "sd over cells")
    return Table("Features from films less those of the runs: the error of measurement.", columns, rows)


def _outcomes(facts: Mapping[str, Any]) -> Table:
    names = sorted({outcome for counts in facts["outcomes"].values() for outcome in counts})
    rows = [
        [cell(kind), *(cell(counts.get(name, 0)) for name in names)]
        for kind, counts in sorted(facts["outcomes"].items())
    ]
    return Table("How the runs of each class ended.", ("class", *names), rows)


def _days(plan: Mapping[str, Any], facts: Mapping[str, Any]) -> Table:
    rows = []
    for day in (*DEVELOPMENT[: plan["days"]], TEST):
        changed = ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in day.microscope.items())
        rate = facts["frame_rates"][day.name]
        use = "test" if day is TEST else "training and validation"
        rows.append([cell(day.name), cell(use), cell(day.pressure), cell(rate, "Hz", 3), cell(changed)])
    columns = ("day", "use, split by day", "pressure / preset", "camera", "microscope (SI), beside the usual set-up")
    return Table("Simulated days: flow, camera and light.", columns, rows)


def _population(place: Place) -> list[Text]:
    from dataclasses import asdict

    from bridge.looks import OPTICS

    looks = "\n".join(
        f"{name}: {', '.join(f'{key} {value:g}' for key, value in asdict(OPTICS[name]).items())}" for name in CLASSES
    )
    return [
        Text(shipped_population("classes").strip(), "Distributions of the cells, and their sources", folded=True),
        Text(looks, "Optics of each class (SI): hct116_stiffened has those of hct116", folded=True),
        *(Text(shipped_preset(name).strip(), f"Preset {name}: flow, device, cell", folded=True) for name in CLASSES),
        Text(
            (place.out / "population.toml").read_text("utf-8").strip(),
            "The distributions, shared out over days",
            folded=True,
        ),
    ]


def _features(place: Place) -> list[Figure]:
    return [
        figures.diameter(place),
        *figures_of(place.learned("baselines-simulated")),
        *figures_of(place.learned("ablation-simulated")),
    ]


def _measured(place: Place) -> list[Figure]:
    return [
        *figures_of(place.learned("baselines-measured")),
        *figures_of(place.learned("ablation-measured")),
        *figures_of(place.learned("curve")),
    ]


def _commands(folder: Path) -> Text:
    commands = (folder / COMMANDS).read_text(encoding="utf-8").replace(f"{folder}/", "DIR/").strip()
    return Text(commands, "Every command but those of single films", folded=True)
