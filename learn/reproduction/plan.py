"""All stages of a reproduction in their order; what is done already is not done again."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bridge.command import InputError, write_text
from bridge.pool import run_all
from learn.reproduction import costs, datasets, films, trainings
from learn.reproduction.costs import Costs
from learn.reproduction.population import write_population, write_singles
from learn.reproduction.scales import SCALES, Scale, days_of
from learn.reproduction.steps import Place, Step

PLAN, ROWS, COMMANDS, FACTS = "plan.json", "rows.json", "commands.txt", "facts.json"
"""What makes a folder that of a reproduction; the table; its commands; what became of the cells."""

TOGETHER = 2
"""Trainings at a time: one hardly uses more than a core, and each takes a gigabyte or two."""

Tell = Callable[[float, str], None]


@dataclass(frozen=True)
class Settings:
    """What is reproduced, where, and by what."""

    place: Place
    name: str
    """Of the scale."""
    real: Path | None
    """Table or dataset of the paper's measured cells, or None."""
    scheduler: str | None
    workers: int
    """Processes on this machine."""

    @property
    def scale(self) -> Scale:
        """The scale."""
        return SCALES[self.name]

    @property
    def runs(self) -> int:
        """Cells of the populations."""
        return sum(self.scale.cells.values()) + sum(self.scale.solid.values())


def measured_cells(given: Path | None) -> Path | None:
    """Return the table of the paper's measured cells: the one given, or that of the folder MIMLAB_SHARED names."""
    if given is not None:
        return given
    table = Path(os.environ.get("MIMLAB_SHARED", "")) / "data" / "miml_cells" / "miml_cells.csv"
    return table if "MIMLAB_SHARED" in os.environ and table.is_file() else None


def begin(settings: Settings) -> None:
    """Make the folder, or find it to be that of the same reproduction.

    Raises
    ------
    InputError
        If it holds another one, or something else.
    """
    out, path = settings.place.out, settings.place.out / PLAN
    measured = _digest(settings.real) if settings.real else None
    days = [asdict(day) for day in days_of(settings.scale)]
    facts = {"scale": settings.name, "measured": measured, **asdict(settings.scale), "filmed": days}
    stated = json.loads(json.dumps(facts))
    if path.is_file():
        if json.loads(path.read_text(encoding="utf-8")) != stated:
            raise InputError(
                f"--out = {str(out)!r}: holds a reproduction of another scale, or with other measured cells; choose "
                "another folder"
            )
        return
    if out.is_dir() and any(out.iterdir()):
        raise InputError(f"--out = {str(out)!r}: the folder is not empty and holds no reproduction; choose another one")
    out.mkdir(parents=True, exist_ok=True)
    write_population(out / "population.toml", settings.scale)
    write_singles(out / "singles.csv")
    write_text(path, json.dumps(stated, indent=1) + "\n")


def _digest(source: Path) -> str:
    """Return 64 hex digits of a file, or of all files of a folder."""
    digest = hashlib.sha256()
    for path in [source] if source.is_file() else sorted(one for one in source.rglob("*") if one.is_file()):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def measure(settings: Settings) -> Costs:
    """Return what one cell takes here, from the single cells of Fig. 9, which are simulated first if they were not."""
    place = settings.place
    step = trainings.singles(place, settings.scale, settings.scheduler, settings.workers)
    if not step.done(place):
        step.take(place)
    return costs.measure(place, settings.scale)


@dataclass(frozen=True)
class Ahead:
    """Seconds that the stages take, on this machine."""

    simulations: float
    films: float
    trainings: float

    @property
    def seconds(self) -> float:
        """All of them."""
        return self.simulations + self.films + self.trainings


def foresee(settings: Settings, found: Costs) -> Ahead:
    """Return about how long the stages take; runs on a cluster are not counted."""
    _, last = steps_of(settings, found)
    simulated = 0.0 if settings.scheduler else found.simulated(settings.scale) / settings.workers
    learned = sum(step.seconds for step in last) * found.slower(settings.scale.quality)
    learned /= min(TOGETHER, settings.workers)
    return Ahead(simulated, found.filmed(settings.scale) / settings.workers, learned)


def steps_of(settings: Settings, found: Costs) -> tuple[Step, list[Step]]:
    """Return the simulation of the populations, and the trainings."""
    place, scale = settings.place, settings.scale
    seconds = found.simulated(scale) / settings.workers
    first = trainings.population(place, scale, settings.scheduler, settings.workers, seconds)
    return first, trainings.trainings(place, scale, settings.real is not None)


class Clock:
    """Progress in seconds of work, of what was left at the start.

    Parameters
    ----------
    total
        Seconds that are left.
    tell
        Told the fraction that is done, and what is being done.
    """

    def __init__(self, total: float, tell: Tell) -> None:
        self._total, self._tell, self._done = max(total, 1.0), tell, 0.0

    def show(self, what: str, within: float = 0.0) -> None:
        """Say what is being done, `within` seconds of work after what is done."""
        self._tell(min(0.99, (self._done + within) / self._total), what)

    def add(self, seconds: float) -> None:
        """Count work as done."""
        self._done += seconds


def run(settings: Settings, found: Costs, tell: Tell) -> None:
    """Take every step that is not done yet.

    Raises
    ------
    StepFailed
        If a command fails.
    """
    place = settings.place
    first, last = steps_of(settings, found)
    before = trainings.singles(place, settings.scale, settings.scheduler, settings.workers)
    write_text(place.out / COMMANDS, "".join(f"{step.command()}\n" for step in [before, first, *last]))
    clock = Clock(left(settings, found), tell)
    if not first.done(place):
        _simulate(settings, first, found, clock)
    _film(settings, found, clock)
    _learn(settings, [step for step in last if not step.done(place)], found, clock)


def left(settings: Settings, found: Costs) -> float:
    """Return about how many seconds the steps that are not done take."""
    place, ahead = settings.place, foresee(settings, found)
    first, last = steps_of(settings, found)
    share = found.slower(settings.scale.quality) / min(TOGETHER, settings.workers)
    seconds = sum(step.seconds * share for step in last if not step.done(place))
    if not first.done(place):
        seconds += max(0.0, first.seconds - _spent(settings, found, _finished(place)))
    if not (place.out / FACTS).is_file():
        there = sum(1 for look in ("own", "same") for _ in place.films(look).glob("*.json"))
        seconds += max(0.0, ahead.films - there * found.film / settings.workers)
    return seconds


def _finished(place: Place) -> tuple[int, int]:
    """Return how many runs are finished, in two dimensions and in three."""
    solid = [_is_solid(result.parent) for result in place.population.glob("*/result.h5")]
    return len(solid) - sum(solid), sum(solid)


@functools.cache
def _is_solid(run: Path) -> bool:
    settings = tomllib.loads((run / "config.toml").read_text(encoding="utf-8"))
    return settings["numerics"]["dimension"] == 3


def _spent(settings: Settings, found: Costs, finished: tuple[int, int]) -> float:
    """Return the seconds that so many runs have taken, or would have taken here."""
    flat, solid = finished
    return (flat * found.cell + solid * found.solid(settings.scale)) / settings.workers


def _simulate(settings: Settings, step: Step, found: Costs, clock: Clock) -> None:
    """Simulate the populations, and show how many runs are finished."""
    before = _spent(settings, found, _finished(settings.place))

    def watch() -> None:
        finished = _finished(settings.place)
        within = _spent(settings, found, finished) - before
        clock.show(f"{sum(finished)} of {settings.runs} cells simulated", within)

    watch()
    step.take(settings.place, watch)
    clock.add(max(0.0, step.seconds - before))


def _film(settings: Settings, found: Costs, clock: Clock) -> None:
    """Film and measure every cell, with the optics of its class and, for the control, with those of hct116."""
    place, scale = settings.place, settings.scale
    if (place.out / FACTS).is_file():
        return
    cells, outcomes = films.read_population(place, scale)
    rates = films.write_cameras(place, scale, cells)
    control = [one for one in cells if one.label == "wbc" and not one.solid]
    jobs = films.jobs_of(place, scale, cells, rates, None)
    jobs += films.jobs_of(place, scale, control, rates, _look_of_hct116())
    each = found.film / settings.workers
    clock.show(f"films: {len(jobs)} to make")
    show = functools.partial(_show_films, clock, len(jobs), each)
    run_all(films.make, jobs, settings.workers, show)
    clock.add(len(jobs) * each)
    clock.show("datasets")
    lost = datasets.gather(place, cells, "own")
    datasets.gather(place, [one for one in cells if one.label in ("hct116", "wbc") and not one.solid], "same")
    made = datasets.write_all(place, scale, cells)
    if settings.real is not None:
        made["measured"] = datasets.write_measured(place, settings.real)
    facts: dict[str, Any] = {"outcomes": outcomes, "frame_rates": rates, "lost": lost, "cells": made}
    write_text(place.out / FACTS, json.dumps(facts, indent=1, ensure_ascii=False) + "\n")


def _show_films(clock: Clock, count: int, each: float, job: films.Job, done: int) -> None:
    clock.show(f"films: {done} of {count}", done * each)


def _learn(settings: Settings, steps: Sequence[Step], found: Costs, clock: Clock) -> None:
    """Train, two at a time where there are cores; what needs a trained model comes last."""
    each, workers = found.slower(settings.scale.quality), min(TOGETHER, settings.workers)

    def tell(step: Step, done: int) -> None:
        clock.add(step.seconds * each / workers)
        clock.show(f"{step.name} done")

    later = [step for step in steps if step.needs]
    for some in ([step for step in steps if step not in later], later):
        clock.show(f"trainings: {', '.join(step.name for step in some[:workers])}, …")
        ordered = sorted(some, key=lambda step: -step.seconds)
        run_all(functools.partial(Step.take, place=settings.place), ordered, workers, tell)


def _look_of_hct116() -> dict[str, float]:
    """Return the optics of hct116, by field, to be given to every class."""
    from bridge.looks import OPTICS

    return asdict(OPTICS["hct116"])
