"""Each simulated cell filmed by the camera of its day and measured from the film, like a recording."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bridge.command import InputError, write_text
from bridge.runs import CAME_THROUGH, read_sweep
from learn.reproduction.population import day_of
from learn.reproduction.scales import Scale, days_of
from learn.reproduction.steps import Place


@dataclass(frozen=True)
class Simulated:
    """One run in which the cell came through."""

    folder: Path
    label: str
    day: str
    solid: bool
    """Whether it is in three dimensions."""
    row: Mapping[str, Any]
    """Its row of the sweep's table."""

    @property
    def name(self) -> str:
        """Name of the run."""
        return self.folder.name


def read_population(place: Place, scale: Scale) -> tuple[list[Simulated], dict[str, dict[str, int]]]:
    """Return the runs in which the cell came through, by name, and how many of each class ended in which way."""
    table, _ = read_sweep(place.population)
    outcomes: dict[str, dict[str, int]] = {}
    cells = []
    for row in table.to_dict("records"):
        solid = int(row.get("numerics.dimension", 2)) == 3
        kind = outcomes.setdefault(f"{row['class']}, {'3-D' if solid else '2-D'}", {})
        kind[row["outcome"]] = kind.get(row["outcome"], 0) + 1
        if row["outcome"] in CAME_THROUGH:
            day = day_of(float(row["fluid.pressure_drop"]), row["class"], scale)
            cells.append(Simulated(place.population / row["run"], row["class"], day, solid, row))
    return sorted(cells, key=lambda cell: cell.name), outcomes


def write_cameras(place: Place, scale: Scale, cells: Sequence[Simulated]) -> dict[str, float]:
    """Write the microscope of each day, and return the frame rates (Hz) of the days.

    The frame rate shows the median hct116 cell in the constriction for `scale.frames` frames: the setting of somebody
    who wants to see the usual cell pass. A day on which none came through takes that of all days.
    """
    times = {day.name: [] for day in days_of(scale)}
    for one in cells:
        if one.label == "hct116" and not one.solid:
            times[one.day].append(float(one.row["transition_time"]))
    every = [time for day in times.values() for time in day]
    if not every:
        raise InputError(f"{place.population}: no hct116 cell came through; see its sweep.csv")
    rates = {}
    for day in days_of(scale):
        rates[day.name] = float(f"{scale.frames / float(np.median(times[day.name] or every)):.3g}")
        values = {**day.microscope, "pixel_size": scale.pixel_size}
        text = "".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items())
        write_text(camera_of(place, day.name), text)
    return rates


def camera_of(place: Place, day: str) -> Path:
    """Return the file with the microscope of a day."""
    return place.out / "microscopes" / f"{day}.toml"


@dataclass(frozen=True)
class Job:
    """One film to be made and measured; what comes of it is <name>.h5 and <name>.json in `folder`."""

    cell: Simulated
    folder: Path
    camera: Path
    pixel_size: float
    frame_rate: float
    look: tuple[tuple[str, float], ...]
    """Optics that take the place of the class's; empty for its own."""

    def film(self) -> list[str]:
        """Return the arguments of `bridge.render`."""
        words = [str(self.cell.folder), "--video", f"{self.folder / self.cell.name}.mp4", "--quiet"]
        words += ["--microscope", str(self.camera), "--frame-rate", f"{self.frame_rate:g}", "--seed", "0"]
        for name, value in self.look:
            words += [f"--cell.{name.replace('_', '-')}", f"{value:g}"]
        return words

    def measurement(self) -> list[str]:
        """Return the arguments of `bridge.ingest`."""
        words = [f"{self.folder / self.cell.name}.mp4", "--out", f"{self.folder / self.cell.name}.h5", "--quiet"]
        words += ["--pixel-size", f"{self.pixel_size:.6g}", "--frame-rate", f"{self.frame_rate:g}"]
        return [*words, "--label", self.cell.label, "--group", self.cell.day]


def make(job: Job) -> float:
    """Film a cell and measure it from the film, as the two commands would; return the seconds it took."""
    from bridge.ingest import main as ingest
    from bridge.render import main as render

    started, reason = time.monotonic(), ""
    try:
        render(job.film())
        ingest(job.measurement())
    except InputError as error:
        reason = str(error)
    for left in job.folder.glob(f"{job.cell.name}.*"):
        if left.suffix != ".h5" or reason:
            left.unlink()
    seconds = time.monotonic() - started
    write_text(job.folder / f"{job.cell.name}.json", json.dumps({"lost": reason, "seconds": round(seconds, 2)}) + "\n")
    return seconds


def jobs_of(
    place: Place, scale: Scale, cells: Sequence[Simulated], rates: Mapping[str, float], look: Mapping[str, float] | None
) -> list[Job]:
    """Return the films that are not there yet, with the look of each cell's class or one for all."""
    folder = place.films("same" if look else "own")
    folder.mkdir(parents=True, exist_ok=True)
    todo = [one for one in cells if not (folder / f"{one.name}.json").is_file()]
    return [
        Job(one, folder, camera_of(place, one.day), scale.pixel_size, rates[one.day], tuple((look or {}).items()))
        for one in todo
    ]
