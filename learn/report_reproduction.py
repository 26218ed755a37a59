"""The page of a reproduction: the paper's claims one by one, and what stands behind the verdicts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bridge.command import InputError, software
from bridge.runs import is_run, read_run
from learn.report_page import Cell, Fact, Figure, Page, Player, Section, Table, Text, cell, made_by
from learn.report_results import figures_of
from learn.report_squeeze import animation, moments, traces
from learn.reproduction import figures
from learn.reproduction.plan import COMMANDS, PLAN, ROWS
from learn.reproduction.scales import DEVELOPMENT, TEST

_MARKS = {"holds": "good", "falls short": "bad", "fitted": "fitted", "cannot be compared": ""}
_FILES = {
    "rows.csv": "the table of claims",
    "cells.csv": "every cell: features from its film beside those of its run",
    "population.toml": "the cells as drawn, by class and day",
    "microscopes/": "the camera of each day",
    "datasets/": "what was trained on",
    "learn/": "every training and comparison; python -m learn.report makes a page of each",
    "logs/": "what every command said",
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
    plan, rows, facts = (json.loads((folder / name).read_text("utf-8")) for name in (PLAN, ROWS, "datasets.json"))
    learn = folder / "learn"
    sections = [
        Section("Claims", [_claims(rows)]),
        Section("A squeeze", _squeeze(folder)),
        Section("Stiffness", figures.stiffness(folder)),
        Section("Simulated cells", [_outcomes(facts), *_population(folder), _days(plan, facts)]),
        Section(
            "Measured from films", [figures.samples(folder), *figures.errors(folder), _errors(folder), _lost(facts)]
        ),
        Section(
            "Features",
            [
                figures.diameter(folder),
                *figures_of(learn / "baselines-simulated"),
                *figures_of(learn / "ablation-simulated"),
            ],
        ),
        Section("Classifiers", [*figures.accuracies(folder), *figures_of(learn / "explain", without=("history",))]),
        Section("Transfer", figures_of(learn / "transfer")),
        Section(
            "Measured cells of the paper",
            [*figures_of(learn / "baselines-measured"), *figures_of(learn / "ablation-measured")],
        ),
        Section("Simulated cells beside measured ones", figures_of(learn / "curve")),
    ]
    commands = (folder / COMMANDS).read_text(encoding="utf-8").strip()
    sections.append(Section("Commands", [Text(commands, "Every command but those of single films", folded=True)]))
    return Page(
        "Reproduction",
        "The claims of Multiplex Image Machine Learning from simulated cells",
        _lede(plan, rows, facts),
        _facts(rows),
        [section for section in sections if section.blocks],
        made_by(software(("numpy", "numba", "scipy", "jax", "flax", "scikit-learn")), {"scale": plan["scale"]}),
        [f"python -m learn.reproduce --out DIR --scale {plan['scale']}"],
        {name: what for name, what in _FILES.items() if (folder / name).exists()},
    )


def _lede(plan: dict[str, Any], rows: list[dict[str, str]], facts: dict[str, Any]) -> list[str]:
    cells = sum(plan["cells"].values())
    used = facts["cells"]["cell"]
    sentences = [
        f"{cells} cells were simulated (two dimensions, quality {plan['quality']}), filmed by the microscope model on "
        f"{plan['days'] + 1} simulated days and measured from the films, {sum(used.values())} of hct116 and wbc with "
        "success.",
        "Populations were drawn before any training; no parameter was changed after an accuracy was seen. Rows whose "
        "number was a target of a choice are marked fitted, never holds.",
    ]
    if plan["scale"] == "smoke":
        sentences.append("At this scale every stage runs and no number means anything.")
    if plan["deep_folds"] == 1:
        sentences.append("Networks that see pictures were trained on one fold, the small ones on all.")
    return sentences


def _facts(rows: list[dict[str, str]]) -> list[Fact]:
    notes = {
        "holds": "within the rule beside the row",
        "falls short": "with the distance beside the row",
        "cannot be compared": "with the reason beside the row",
        "fitted": "the number was a target",
    }
    return [Fact(name, str(sum(row["verdict"] == name for row in rows)), note) for name, note in notes.items()]


def _claims(rows: list[dict[str, str]]) -> Table:
    shown = [
        [
            *(cell(row[name]) for name in ("figure", "quantity", "source", "paper", "ours")),
            Cell(row["verdict"], row["verdict"], _MARKS[row["verdict"]]),
            cell(row["why"]),
        ]
        for row in rows
    ]
    columns = ("figure", "claim", "cells", "paper", "here (95 % interval)", "verdict", "rule or reason")
    return Table("The paper’s claims beside what came out here.", columns, shown)


def _squeeze(folder: Path) -> list[Player | Figure]:
    run = next((path for path in sorted((folder / "runs").glob("hct116-*")) if is_run(path)), None)
    if run is None:
        return []
    trace = read_run(run)[0]
    return [animation(trace), moments(trace), *traces(trace)]


def _population(folder: Path) -> list[Text]:
    from bridge.runs import shipped_population

    about = "Distributions and their sources, before the cells were shared out over the days"
    return [Text(shipped_population("classes").strip(), about, folded=True)]


def _outcomes(facts: dict[str, Any]) -> Table:
    rows = [[cell(name), cell(count)] for name, count in sorted(facts["outcomes"].items())]
    return Table("How the runs ended.", ("outcome", "cells"), rows)


def _days(plan: dict[str, Any], facts: dict[str, Any]) -> Table:
    rows = []
    for day in (*DEVELOPMENT[: plan["days"]], TEST):
        changed = ", ".join(f"{name} {value:g}" for name, value in day.microscope.items())
        rate = facts["frame_rates"][day.name] / 1e3
        use = "test" if day is TEST else "training and validation"
        rows.append([cell(day.name), cell(use), cell(day.pressure), cell(rate, "kHz", 3), cell(changed)])
    columns = ("day", "use", "pressure / preset", "camera", "microscope (SI), beside the usual set-up")
    return Table("Simulated days: flow, camera and light.", columns, rows)


def _errors(folder: Path) -> Table:
    found = figures.error_table(folder)
    rows = [[*map(cell, words), *(cell(value, digits=3) for value in numbers)] for *words, numbers in found]
    columns = ("feature", "unit", "cells", "mean error", "sd of error", "sd over cells")
    return Table("Features from films less those of the runs.", columns, rows)


def _lost(facts: dict[str, Any]) -> Table:
    rows = [[cell(reason), cell(count)] for reason, count in sorted(facts["lost"].items())] or [[cell("none"), cell(0)]]
    return Table("Cells that were lost between film and dataset, and why.", ("reason", "cells"), rows)
