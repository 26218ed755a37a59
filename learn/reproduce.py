"""The paper's tables and figures from simulated cells, judged row by row: ``python -m learn.reproduce --out DIR``."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from bridge.command import Exit, InputError, parse_arguments, print_json, progress, run_command, say

if TYPE_CHECKING:
    from learn.reproduction.plan import Settings

VERDICTS = ("holds", "falls short", "cannot be compared", "fitted")


@dataclass(frozen=True)
class Arguments:
    """Simulate the paper's cells, film them, measure them from the films, train, and say row by row what holds.

    Run again, it goes on where it was. The classes' parameters ship with `sim.sweep`; no training has a say in them.
    """

    out: Path
    """Folder of the reproduction."""
    scale: Literal["smoke", "standard", "full"] = "standard"
    """`smoke`: minutes, takes every step and shows nothing; `standard`: hours on 2 cores; `full`: the paper's sizes."""
    real: Path | None = None
    """The paper's measured cells, a table as bridge.ingest reads it or a dataset (.h5): the same rows from features
    alone. By default data/miml_cells in the folder that MIMLAB_SHARED names, if there is one."""
    scheduler: str | None = None
    """A running Dask scheduler for the simulations, tcp://host:port."""
    workers: int | None = None
    """Processes on this machine; by default as many as it has cores."""
    dry_run: bool = False
    """Simulate and time five cells, say how long all will take, and stop."""
    json: bool = False
    """Print one JSON object on standard output."""
    quiet: bool = False
    """Print errors only."""


def main(argv: list[str]) -> int:
    """Run the command; see `Arguments`."""
    arguments = parse_arguments(Arguments, "learn.reproduce", argv)
    settings = _settings(arguments)
    from learn.reproduction import plan, steps

    started = time.monotonic()
    plan.begin(settings)
    with steps.alone(arguments.out / plan.PLAN):
        say(_size(settings), arguments.quiet)
        costs = plan.measure(settings)
        ahead = plan.foresee(settings, costs)
        stages = {"simulations": ahead.simulations, "films": ahead.films, "trainings": ahead.trainings}
        listed = ", ".join(f"{name} {_time(seconds)}" for name, seconds in stages.items())
        measured = f"{costs.cell:.1f} s for a cell in 2-D, {costs.film:.1f} s for a film and its measurement"
        say(f"measured here: {measured}; foreseen: {listed}, together {_time(ahead.seconds)}", arguments.quiet)
        if arguments.dry_run:
            if arguments.json:
                print_json({"out": str(arguments.out), "cells": settings.scale.cells, "seconds": ahead.seconds})
            return Exit.DONE
        with progress("reproduce", arguments.quiet) as bar:
            plan.run(settings, costs, bar.update)
        from learn.reproduction.table import write_rows

        rows = write_rows(settings)
        from learn.report import main as report

        report([str(arguments.out), "--quiet"])
    counts = count(rows)
    say(", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS), arguments.quiet)
    say(f"done in {_time(time.monotonic() - started)}: {arguments.out / 'report.html'}", arguments.quiet)
    if arguments.json:
        print_json({"out": str(arguments.out), "verdicts": counts, "rows": rows})
    return Exit.DONE


def _settings(arguments: Arguments) -> Settings:
    from learn.reproduction.plan import Settings, measured_cells
    from learn.reproduction.steps import Place

    if arguments.workers is not None and arguments.workers < 1:
        raise InputError(f"--workers {arguments.workers}: at least one is needed")
    if arguments.real is not None and not arguments.real.exists():
        raise InputError(f"--real = {str(arguments.real)!r}: no such file")
    if arguments.scheduler and not arguments.scheduler.startswith(("tcp://", "tls://")):
        raise InputError(f"--scheduler = {arguments.scheduler!r}: give tcp://host:port")
    workers = arguments.workers or os.cpu_count() or 1
    real = measured_cells(arguments.real)
    return Settings(Place(arguments.out), arguments.scale, real, arguments.scheduler, workers)


def _size(settings: Settings) -> str:
    cells, solid = (sum(some.values()) for some in (settings.scale.cells, settings.scale.solid))
    real = f"measured cells: {settings.real}" if settings.real else "no measured cells (--real)"
    return f"{settings.name}: {cells} cells in 2-D, {solid} in 3-D; {real}"


def _time(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def count(rows: Sequence[Mapping[str, str]]) -> dict[str, int]:
    """Return how many rows have which verdict."""
    found = Counter(row["verdict"] for row in rows)
    return {verdict: found[verdict] for verdict in VERDICTS}


if __name__ == "__main__":
    run_command(main)
