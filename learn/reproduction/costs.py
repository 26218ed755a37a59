"""How long a reproduction takes here: one cell simulated, filmed and measured before the others, and what follows."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from bridge.command import write_text
from bridge.runs import read_run
from learn.reproduction.films import Job, Simulated, make
from learn.reproduction.scales import DEVELOPMENT, Scale
from learn.reproduction.steps import Place, Step

SOLID = 30.0
"""A run in three dimensions at the coarsest quality over one in two at `draft`, in time (measured)."""
QUICK = 6.0
"""The same of a run at `quick`."""
USUAL = 3.0
"""s: a run at `draft` on one core of 2.5 GHz that has nothing else to do, behind the times of `trainings`."""


@dataclass(frozen=True)
class Costs:
    """Seconds of one core on this machine, measured on one cell."""

    cell: float
    """A run in two dimensions."""
    film: float
    """A film, and its measurement."""

    def simulated(self, scale: Scale) -> float:
        """Return the seconds of all runs."""
        solid = self.cell * (SOLID / QUICK if scale.quality == "quick" else SOLID)
        return sum(scale.cells.values()) * self.cell + sum(scale.solid.values()) * solid

    def filmed(self, scale: Scale) -> float:
        """Return the seconds of all films, those of the control included."""
        return (sum(scale.cells.values()) + sum(scale.solid.values()) + scale.cells["wbc"]) * self.film

    def slower(self, quality: str) -> float:
        """Return by how much this machine is slower at present than the one of the trainings' times."""
        return max(1.0, self.cell / (USUAL * (QUICK if quality == "quick" else 1)))


def first_cell(place: Place, scale: Scale) -> Step:
    """Return the step that simulates hct116 as the preset has it: among the single cells, which need it anyway."""
    words = ("sim.run", "hct116", "--quality", scale.quality, "--out", str(place.singles), "--quiet")
    return Step("first-cell", words, 20)


def measure(place: Place, scale: Scale) -> Costs:
    """Return what the first cell took, and a film of it with the usual camera; kept once measured."""
    path = place.out / "costs.json"
    if path.is_file():
        return Costs(**json.loads(path.read_text(encoding="utf-8")))
    run = next(folder for folder in sorted(place.singles.glob("hct116-*")) if folder.is_dir())
    _, features, provenance, _ = read_run(run)
    rate = scale.frames / features["features"]["transition_time"]["value"]
    camera = place.out / "microscopes" / "first.toml"
    write_text(camera, f"pixel_size = {scale.pixel_size!r}\n")
    folder = place.out / "films-first"
    folder.mkdir(exist_ok=True)
    job = Job(Simulated(run, "hct116", DEVELOPMENT[0].name, False, {}), folder, camera, scale.pixel_size, rate, ())
    make(job)  # compiles, or loads what is compiled
    costs = Costs(float(provenance["wall_time_s"]), make(job))
    write_text(path, json.dumps(asdict(costs)) + "\n")
    return costs
