"""All stages of a reproduction in their order, and how long they will take."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bridge.command import InputError, write_text
from learn.outputs import save_table
from learn.reproduction import cells as cells_module
from learn.reproduction import datasets as datasets_module
from learn.reproduction.cells import INGEST_SECONDS, RENDER_SECONDS, Place, film_and_measure, read_sweep, write_cameras
from learn.reproduction.claims import ACCURACY, MEASURED, at_least
from learn.reproduction.population import write_population
from learn.reproduction.scales import SCALES, Scale
from learn.reproduction.steps import Step, run_step
from learn.reproduction.trainings import sides, sweep, trainings

PLAN, ROWS, COMMANDS = "plan.json", "rows.json", "commands.txt"
"""What makes a folder that of a reproduction; the table; every command of it."""

Tell = Callable[[float, str], None]


@dataclass(frozen=True)
class Settings:
    """What is reproduced, where, and by what.

    Attributes
    ----------
    place
        The folder.
    name
        Of the scale.
    real
        Dataset of measured cells, or a table of them; None without.
    scheduler, workers
        Dask scheduler for the simulations, or None; processes on this machine.
    """

    place: Place
    name: str
    real: Path | None
    scheduler: str | None
    workers: int

    @property
    def measured(self) -> Path | None:
        """The dataset of measured cells."""
        if self.real is None or self.real.suffix == ".h5":
            return self.real
        return self.place.out / "datasets" / "measured.h5"

    @property
    def scale(self) -> Scale:
        """The scale."""
        return SCALES[self.name]


def begin(settings: Settings) -> None:
    """Make the folder, or find it to be that of the same reproduction.

    Raises
    ------
    InputError
        If it holds another one, or something else.
    """
    out, path = settings.place.out, settings.place.out / PLAN
    stated = json.loads(json.dumps({"scale": settings.name, **asdict(settings.scale)}))
    if path.is_file():
        if json.loads(path.read_text(encoding="utf-8")) != stated:
            raise InputError(f"--out = {str(out)!r}: holds a reproduction of another scale; choose another folder")
        return
    if out.is_dir() and any(out.iterdir()):
        raise InputError(f"--out = {str(out)!r}: the folder is not empty and holds no reproduction; choose another one")
    out.mkdir(parents=True, exist_ok=True)
    write_population(out / "population.toml", settings.scale)
    if settings.scale.solid:
        from dataclasses import replace

        solid = replace(settings.scale, cells=dict.fromkeys(settings.scale.cells, settings.scale.solid))
        write_population(out / "population-3d.toml", solid)
    write_text(path, json.dumps(stated, indent=1) + "\n")


def steps_of(settings: Settings) -> tuple[list[Step], list[Step]]:
    """Return the steps before and after the films."""
    first = [sweep(settings.place, settings.scale, settings.scheduler, settings.workers)]
    first += sides(settings.place, settings.scale, settings.scheduler, settings.workers)
    last = trainings(settings.place, settings.scale, settings.measured)
    if settings.measured is not None and settings.measured != settings.real:
        words = ("bridge.ingest", str(settings.real), "--out", str(settings.measured), "--quiet")
        last.insert(0, Step("ingest-measured", words, settings.measured, 5))
    return first, last


def seconds_of(settings: Settings) -> float:
    """Return about how long all of it takes on this machine, from the costs of each stage on one core."""
    first, last = steps_of(settings)
    films = (
        sum(settings.scale.cells.values()) * (4 / 3) * (RENDER_SECONDS + INGEST_SECONDS) * settings.scale.frames / 20
    )
    simulated = 0.0 if settings.scheduler else sum(step.seconds for step in first) / settings.workers
    return simulated + films / settings.workers + sum(step.seconds for step in last) / min(2, settings.workers)


def run(settings: Settings, tell: Tell) -> None:
    """Take every step that is not done yet, and write what the table needs.

    Raises
    ------
    StepFailed
        If a command fails.
    """
    place, scale = settings.place, settings.scale
    first, last = steps_of(settings)
    write_text(place.out / COMMANDS, "".join(f"{step.command()}\n" for step in [*first, *last]))
    for number, step in enumerate(first):
        _take(step, settings, lambda text, number=number: tell(0.3 * number / len(first), text))
    cells, outcomes = read_sweep(place, scale)
    rates = write_cameras(place, scale, cells)
    film_and_measure(
        place, cells, rates, None, settings.workers, lambda part, text: tell(0.3 + 0.25 * part, f"films, {text}")
    )
    other = [one for one in cells if one.label == "wbc"]
    look = _look_of_first(place)
    film_and_measure(
        place,
        other,
        rates,
        look,
        settings.workers,
        lambda part, text: tell(0.55 + 0.1 * part, f"control films, {text}"),
    )
    if not (place.out / "datasets.json").exists():
        tell(0.65, "datasets")
        _write_datasets(place, cells, outcomes, rates)
    for number, step in enumerate(last):
        _take(step, settings, lambda text, number=number: tell(0.66 + 0.33 * number / len(last), text))


def _take(step: Step, settings: Settings, tell: Callable[[str], None]) -> None:
    tell(step.name)
    if not step.finished:
        run_step(step, settings.place.logs)


def _look_of_first(place: Place) -> dict[str, Any]:
    """Return the optics of hct116, by field, to be given to every class."""
    from bridge.looks import OPTICS

    return asdict(OPTICS["hct116"])


def _write_datasets(
    place: Place, cells: list[cells_module.Simulated], outcomes: Mapping[str, int], rates: Mapping[str, float]
) -> None:
    own, lost = datasets_module.gather(place, cells, "own")
    changed, lost_control = datasets_module.gather(place, [one for one in cells if one.label == "wbc"], "same")
    unchanged = datasets_module.chosen(own, (own.table["label"] != "wbc").to_numpy().nonzero()[0])
    same = datasets_module.merge([unchanged, changed])
    made = datasets_module.write_all(place, own, same, cells)
    facts = {"outcomes": dict(outcomes), "frame_rates": dict(rates), "lost": lost, "lost_control": lost_control}
    write_text(place.out / "datasets.json", json.dumps(facts | {"cells": made}, indent=1) + "\n")


def write_rows(settings: Settings) -> list[dict[str, str]]:
    """Judge every claim and write the table; return its rows."""
    from learn.reproduction import rows_cells, rows_models, rows_squeeze
    from learn.reproduction.rows_models import report_of

    learn, out = settings.place.out / "learn", settings.place.out
    rows = rows_cells.rows_of_simulated(out / "cells.csv", report_of(learn, "baselines-simulated")["correlation"])
    rows += rows_models.rows_of_classical(learn, "simulated")
    rows += rows_models.rows_of_networks(learn)
    rows += rows_models.rows_of_controls(learn)
    rows += rows_models.rows_of_transfer(learn)
    rows += rows_squeeze.rows_of_squeeze(out)
    if settings.measured is not None:
        rows += rows_cells.rows_of_measured(settings.measured, report_of(learn, "baselines-measured")["correlation"])
        rows += rows_models.rows_of_classical(learn, "measured")
        found = rows_models.scores(learn, "nn-measured")["accuracy"]
        rows.append(at_least("4b", "accuracy of NN, five folds", MEASURED, ACCURACY["NN"], found))
    rows += rows_models.rows_of_synthetic(learn, settings.real is not None)
    facts = [row.facts() for row in rows]
    save_table(out / "rows.csv", {key: [row[key] for row in facts] for key in facts[0]})
    write_text(out / ROWS, json.dumps(facts, indent=1, ensure_ascii=False) + "\n")
    return facts
