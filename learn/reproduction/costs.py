"""How long a reproduction takes here: five cells simulated, one filmed and measured before all others."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

import numpy as np

from bridge.command import InputError, write_text
from bridge.runs import CAME_THROUGH, read_sweep
from learn.reproduction.films import Job, Simulated, make
from learn.reproduction.scales import DEVELOPMENT, Scale
from learn.reproduction.steps import Place

SOLID = 40.0
"""A run in three dimensions at the coarsest quality over one in two at `draft`, in time (measured)."""
QUICK = 6.0
"""The same of a run at `quick`."""
USUAL = 3.0
"""s: a run at `draft` on one core of 2.5 GHz that has nothing else to do, behind the times of `trainings`."""


@dataclass(frozen=True)
class Costs:
    """Seconds of one core on this machine, as measured."""

    cell: float
    """A run in two dimensions."""
    film: float
    """A film, and its measurement."""

    def solid(self, scale: Scale) -> float:
        """Return the seconds of a run in three dimensions."""
        return self.cell * (SOLID / QUICK if scale.quality == "quick" else SOLID)

    def simulated(self, scale: Scale) -> float:
        """Return the seconds of all runs."""
        return sum(scale.cells.values()) * self.cell + sum(scale.solid.values()) * self.solid(scale)

    def filmed(self, scale: Scale) -> float:
        """Return the seconds of all films, those of the control included."""
        return (sum(scale.cells.values()) + sum(scale.solid.values()) + scale.cells["wbc"]) * self.film

    def slower(self, quality: str) -> float:
        """Return by how much this machine is slower at present than the one of the trainings' times."""
        return max(1.0, self.cell / (USUAL * (QUICK if quality == "quick" else 1)))


def measure(place: Place, scale: Scale) -> Costs:
    """Return what a single cell took (median), and a film of one with the usual camera; kept once measured."""
    path = place.out / "costs.json"
    if path.is_file():
        return Costs(**json.loads(path.read_text(encoding="utf-8")))
    table, _ = read_sweep(place.singles)
    first = next((row for row in table.to_dict("records") if row["outcome"] in CAME_THROUGH), None)
    if first is None:
        raise InputError(f"{place.singles}: no single cell came through; see its sweep.csv")
    camera, folder = place.out / "microscopes" / "first.toml", place.out / "films-first"
    write_text(camera, f"pixel_size = {scale.pixel_size!r}\n")
    folder.mkdir(exist_ok=True)
    rate = scale.frames / float(first["transition_time"])
    cell = Simulated(place.singles / first["run"], "hct116", DEVELOPMENT[0].name, False, {})
    job = Job(cell, folder, camera, scale.pixel_size, rate, ())
    make(job)  # compiles, or loads what is compiled
    costs = Costs(float(np.median(table["wall_time_s"].to_numpy(float))), make(job))
    write_text(path, json.dumps(asdict(costs)) + "\n")
    return costs
