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

    Run again, it goes on where it was. The classes' parameters come with `sim.sweep` and are looked at by no training.
    """

    out: Path
    """Folder of the reproduction."""
    scale: Literal["smoke", "standard", "full"] = "standard"
    """`smoke`: a few minutes, shows that it runs; `standard`: some hours on 2 cores; `full`: the paper's 2521 cells."""
    real: Path | None = None
    """Table of measured cells, as bridge.ingest reads it, or a dataset (.h5): the same rows from features alone."""
    scheduler: str | None = None
    """A running Dask scheduler for the simulations, tcp://host:port."""
    workers: int | None = None
    """Processes on this machine; by default as many as it has cores."""
    dry_run: bool = False
    """Say how long it will take, and stop."""
    json: bool = False
    """Print one JSON object on standard output."""
    quiet: bool = False
    """Print errors only."""


def main(argv: list[str]) -> int:
    """Run the command; see `Arguments`."""
    arguments = parse_arguments(Arguments, "learn.reproduce", argv)
    settings = _settings(arguments)
    from learn.reproduction.plan import begin, run, seconds_of, write_rows

    begin(settings)
    cells = sum(settings.scale.cells.values())
    hours = seconds_of(settings) / 3600
    about = f"{60 * hours:.0f} minutes" if hours < 2 else f"{hours:.1f} hours"
    say(
        f"{arguments.scale}: {cells} cells in 2-D, {3 * settings.scale.solid} in 3-D; about {about} here",
        arguments.quiet,
    )
    if arguments.dry_run:
        if arguments.json:
            print_json({"out": str(arguments.out), "cells": cells, "hours": hours})
        return Exit.DONE
    started = time.monotonic()
    with progress("reproduce", arguments.quiet) as bar:
        run(settings, bar.update)
        bar.update(0.99, "table")
        rows = write_rows(settings)
    from learn.report import main as report

    report([str(arguments.out), *(["--quiet"] if arguments.quiet else [])])
    counts = count(rows)
    say(", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS), arguments.quiet)
    say(f"done in {time.monotonic() - started:.0f} s: {arguments.out}/report.html", arguments.quiet)
    if arguments.json:
        print_json({"out": str(arguments.out), "verdicts": counts, "rows": rows})
    return Exit.DONE


def _settings(arguments: Arguments) -> Settings:
    from learn.reproduction.cells import Place
    from learn.reproduction.plan import Settings

    if arguments.workers is not None and arguments.workers < 1:
        raise InputError(f"--workers {arguments.workers}: at least one is needed")
    if arguments.real is not None and not arguments.real.exists():
        raise InputError(f"--real = {str(arguments.real)!r}: no such file")
    if arguments.scheduler and not arguments.scheduler.startswith(("tcp://", "tls://")):
        raise InputError(f"--scheduler = {arguments.scheduler!r}: give tcp://host:port")
    workers = arguments.workers or os.cpu_count() or 1
    return Settings(Place(arguments.out), arguments.scale, arguments.real, arguments.scheduler, workers)


def count(rows: Sequence[Mapping[str, str]]) -> dict[str, int]:
    """Return how many rows have which verdict."""
    found = Counter(row["verdict"] for row in rows)
    return {verdict: found[verdict] for verdict in VERDICTS}


if __name__ == "__main__":
    run_command(main)
