"""Each simulated cell filmed by the camera of its day and measured from the film, like a recording."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bridge.command import write_text
from learn.reproduction.population import day_of, days_of
from learn.reproduction.scales import Scale
from learn.reproduction.steps import Pool, Step, start

RENDER_SECONDS, INGEST_SECONDS = 4.0, 6.0
"""About how long film and measurement of a cell take on one core, at 20 frames in the constriction."""


@dataclass(frozen=True)
class Place:
    """Names in the folder of a reproduction.

    Attributes
    ----------
    out
        The folder.
    """

    out: Path

    @property
    def runs(self) -> Path:
        """Run folders and table of the sweep in two dimensions."""
        return self.out / "runs"

    @property
    def logs(self) -> Path:
        """What every command said."""
        return self.out / "logs"

    def measured(self, look: str) -> Path:
        """Return the folder of the cells measured from films under a look: ``own`` optics, or the ``same`` for all."""
        return self.out / f"measured-{look}"


@dataclass(frozen=True)
class Simulated:
    """One run of the sweep that came through."""

    run: str
    label: str
    day: str
    row: Mapping[str, str]
    """Its row of the table, as text."""


def read_sweep(place: Place, scale: Scale) -> tuple[list[Simulated], dict[str, int]]:
    """Return the runs in which the cell came through, by name, and how many runs ended in which way."""
    with (place.runs / "sweep.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    outcomes: dict[str, int] = {}
    cells = []
    for row in rows:
        outcomes[row["outcome"]] = outcomes.get(row["outcome"], 0) + 1
        if row["outcome"] in ("EXITED", "OUTLET"):
            day = day_of(float(row["fluid.pressure_drop"]), row["class"], scale)
            cells.append(Simulated(row["run"], row["class"], day, row))
    return sorted(cells, key=lambda cell: cell.run), outcomes


def write_cameras(place: Place, scale: Scale, cells: list[Simulated]) -> dict[str, float]:
    """Write the microscope of each day, and return the frame rates (Hz) of the days.

    The frame rate shows the median cell of the first class in the constriction for `scale.frames` frames: the setting
    of somebody who wants to see the usual cell pass.
    """
    rates = {}
    for day in days_of(scale):
        times = [float(one.row["transition_time"]) for one in cells if one.day == day.name and one.label == "hct116"]
        rates[day.name] = float(f"{scale.frames / float(np.median(times)):.3g}")
        values = {**day.microscope, "pixel_size": scale.pixel_size}
        text = "".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items())
        write_text(place.out / "microscopes" / f"{day.name}.toml", text)
    return rates


def film_and_measure(
    place: Place,
    cells: list[Simulated],
    rates: Mapping[str, float],
    look: Mapping[str, Any] | None,
    workers: int,
    tell: Callable[[float, str], None],
) -> None:
    """Film every cell that has no measurement yet and measure it, `workers` at a time.

    Parameters
    ----------
    place
        Folder of the reproduction.
    cells
        Runs of the sweep.
    rates
        Frame rate of each day (Hz).
    look
        Optics that take the place of the class's, by field; None for the class's own.
    workers
        Cells at a time.
    tell
        Called with the part done and what is being done.
    """
    folder = place.measured("own" if look is None else "same")
    folder.mkdir(parents=True, exist_ok=True)
    todo = [one for one in cells if not (folder / f"{one.run}.json").exists()]
    jobs = [lambda one=one: _one(place, one, rates[one.day], look, folder) for one in todo]
    ready = len(cells) - len(todo)
    Pool(workers).run(jobs, lambda done: tell((ready + done) / max(1, len(cells)), f"{ready + done} of {len(cells)}"))


def _one(place: Place, cell: Simulated, rate: float, look: Mapping[str, Any] | None, folder: Path) -> None:
    """Film and measure one cell; what came of it is in <run>.json, the measurement in <run>.h5."""
    film, dataset = folder / f"{cell.run}-film.mp4", folder / f"{cell.run}.h5"
    microscope = str(place.out / "microscopes" / f"{cell.day}.toml")
    words = ["bridge.render", str(place.runs / cell.run), "--video", str(film), "--microscope", microscope]
    words += ["--frame-rate", f"{rate:g}", "--seed", "0", "--quiet"]
    for name, value in (look or {}).items():
        words += [f"--cell.{name.replace('_', '-')}", f"{value:g}"]
    logs = place.logs / folder.name
    code, log = start(Step(f"{cell.run}-film", tuple(words), film, RENDER_SECONDS), logs, 1)
    if code == 0:
        scale = ("--pixel-size", f"{_pixel_size(place, cell.day):.6g}", "--frame-rate", f"{rate:g}")
        words = ["bridge.ingest", str(film), *scale, "--label", cell.label, "--group", cell.day]
        words += ["--out", str(dataset), "--quiet"]
        code, log = start(Step(f"{cell.run}-measure", tuple(words), dataset, INGEST_SECONDS), logs, 1)
    if code in (130, -2):
        raise KeyboardInterrupt
    reason = "" if code == 0 else log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1][:300]
    for film_or_truth in folder.glob(f"{cell.run}-film.*"):
        film_or_truth.unlink()
    write_text(folder / f"{cell.run}.json", json.dumps({"code": code, "reason": reason}) + "\n")


def _pixel_size(place: Place, day: str) -> float:
    import tomllib

    return tomllib.loads((place.out / "microscopes" / f"{day}.toml").read_text(encoding="utf-8"))["pixel_size"]
