"""``python -m bridge.build RUNS… --out cells.h5``: run folders to a Dataset of pictures and features."""

from __future__ import annotations

import hashlib
import json as json_
import platform
from collections import Counter
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import tyro

from bridge.command import Exit, InputError, check_output, parse_arguments, print_json, progress, run_command, say

if TYPE_CHECKING:
    import numpy as np

    from bridge.optics import Microscope
    from bridge.records import Dataset
    from bridge.views import View
    from bridge.writer import Writer
    from sim.config import SimulationConfig
    from sim.trace import Trace

_NO_RUNS = "learn-"
"""How the folders of trainings begin, which may lie beside run folders."""

_AT_ONCE = 64  # cells kept in memory

PARAMETERS = {
    "sim_ks": ("N/m", "stretching constant Ks"),
    "sim_kb": ("J", "bending constant Kb"),
    "sim_diameter": ("m", "diameter at rest"),
    "sim_pressure_drop": ("Pa", "pressure drop over the channel; missing where another drive was used"),
}
"""Parameters of a run that a dataset keeps: unit and meaning."""

TEXT = {
    "cell_id": "run's name and digest",
    "source": "simulated",
    "label": "class: the name of the configuration",
    "group": "same cell and same flow: runs that differ in seed or resolution alone are near copies, and stay together",
    "split": "train, test or empty",
    "fold": "-1: none",
    "sim_digest": "digest of the configuration",
    "run": "name of the run folder",
    "outcome": "how the run ended",
}
"""Meaning of the other columns."""


class _Built(NamedTuple):
    """One run as a cell."""

    row: dict[str, Any]
    views: list[View | None]
    track: Mapping[str, np.ndarray]


def find_runs(paths: Sequence[Path]) -> list[Path]:
    """Return the run folders among `paths`, in order; a folder of run folders stands for all it holds.

    Raises
    ------
    InputError
        If there is no path, or one is no folder.
    """
    if not paths:
        raise InputError("no run given; name run folders, or a folder that holds them")
    found = []
    for path in paths:
        if not path.is_dir():
            raise InputError(f"{path}: no such folder; give run folders, or a folder that holds them")
        if path.name.startswith(_NO_RUNS) and not (path / "result.h5").exists():
            continue
        inner = [] if (path / "config.toml").exists() else sorted(p for p in path.iterdir() if p.is_dir())
        found += [p for p in inner if not p.name.startswith((".", _NO_RUNS))] or [path]
    if not found:
        raise InputError(f"{paths[0]}: trainings only, no run; name run folders, or a folder that holds them")
    return found


def group_of(config: SimulationConfig) -> str:
    """Return the group of a run: a digest of cell, flow and channel, without seed and numerics."""
    content = config.model_dump(include={"name", "cell", "fluid", "channel"})
    text = json_.dumps(content, sort_keys=True, separators=(",", ":"))
    return f"{config.name}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def build(
    runs: Sequence[Path],
    size: int,
    seed: int,
    skipped: Callable[[str], None],
    on_progress: Callable[[float, str], None],
    known: Container[str] = (),
) -> Iterator[Dataset]:
    """Yield the Dataset of some runs, a few dozen cells at a time.

    Parameters
    ----------
    runs
        Run folders.
    size
        Edge of the pictures (px).
    seed
        Draws what the pictures show beyond the outline; same seed, same bytes.
    skipped
        Is told of each run that cannot be used, and why.
    on_progress
        Is told the fraction done and the run at hand.
    known
        Cells that are there already; they are passed over.

    Raises
    ------
    OSError
        If the only run cannot be read.
    """
    from bridge.optics import Microscope
    from bridge.records import TRACK, VIEWS
    from bridge.scene import draw_scene
    from bridge.views import crop
    from sim.trace import read_trace

    microscope = Microscope()
    seen: dict[str, str] = {}
    part: list[_Built] = []
    for number, run in enumerate(runs):
        on_progress(number / len(runs), run.name)
        if run.name in known:
            continue
        try:
            trace = read_trace(run)
            scene = draw_scene(trace, microscope, seed)
            views = [crop(trace, view, scene, microscope, size) for view in VIEWS]
        except (InputError, OSError) as error:
            if len(runs) == 1:
                raise
            skipped(str(error) if run.name in str(error) else f"{run}: {error}")
            continue
        row = _row(trace, run)
        name = row["cell_id"]
        if name in seen:
            skipped(f"{run}: the same run as {seen[name]}; leave one of them out")
        if name in seen or name in known:
            continue
        seen[name] = row["run"]
        part.append(_Built(row, views, {column: trace.samples[column] for column in TRACK}))
        if len(part) >= _AT_ONCE:
            yield _assemble(part, size, seed, microscope)
            part = []
    if part:
        yield _assemble(part, size, seed, microscope)


def _row(trace: Trace, run: Path) -> dict[str, Any]:
    from sim.features import compute_features

    config = trace.config
    features = compute_features(trace.samples, config.channel.constriction_length)
    return {
        "cell_id": f"{config.name}-{config.digest()}",
        "source": "simulated",
        "label": config.name,
        "group": group_of(config),
        "split": "",
        "fold": -1,
        **{name: float("nan") if value is None else value for name, value in features.items()},
        "sim_ks": config.cell.ks,
        "sim_kb": config.cell.kb,
        "sim_diameter": config.cell.diameter,
        "sim_pressure_drop": config.fluid.pressure_drop or float("nan"),
        "sim_digest": config.digest(),
        "run": run.resolve().name,
        "outcome": trace.outcome.name,
    }


def _assemble(part: Sequence[_Built], size: int, seed: int, microscope: Microscope) -> Dataset:
    import numpy as np
    import pandas as pd

    from bridge.records import TRACK, VIEWS, Dataset
    from bridge.views import FIELD
    from sim.features import FEATURES

    images = np.zeros((len(part), len(VIEWS), size, size), np.uint8)
    masks = np.zeros_like(images)
    present = np.zeros(images.shape[:2], bool)
    for i, built in enumerate(part):
        for j, view in enumerate(built.views):
            if view is not None:
                images[i, j], masks[i, j], present[i, j] = view.image, view.mask, True
    tracks = {name: np.concatenate([built.track[name] for built in part]) for name in TRACK}
    tracks["cell"] = np.repeat(np.arange(len(part)), [len(built.track["time"]) for built in part])
    table = pd.DataFrame([built.row for built in part])
    table["pixel_size"] = FIELD / size
    units = {name: feature.unit for name, feature in FEATURES.items()}
    units |= {name: unit for name, (unit, _) in PARAMETERS.items()} | {"pixel_size": "m"}
    descriptions = {name: f"{feature.definition} ({feature.source})" for name, feature in FEATURES.items()}
    descriptions |= {name: text for name, (_, text) in PARAMETERS.items()} | TEXT
    descriptions["pixel_size"] = "edge of a picture's pixel at the sample"
    return Dataset(
        table,
        units,
        descriptions,
        images,
        masks,
        present,
        VIEWS,
        _meta([str(label) for label in table["label"].unique()], seed, microscope),
        tracks,
    )


def _meta(labels: Sequence[str], seed: int, microscope: Microscope) -> dict[str, Any]:
    from importlib.metadata import version

    from bridge.body import DEPTH_RULE, OPTICS, CellOptics
    from sim.config import PHYSICS_VERSION

    packages = {name: version(name) for name in ("mimlab", "numpy", "scipy", "pillow")}
    return {
        "sources": ["simulated"],
        "provenance": {
            "command": "bridge.build",
            "seed": seed,
            "physics_version": PHYSICS_VERSION,
            "versions": {**packages, "python": platform.python_version()},
        },
        "microscope": asdict(microscope),
        "cell_optics": {str(label): asdict(OPTICS.get(label, CellOptics())) for label in labels},
        "depth": DEPTH_RULE,
    }


@dataclass(frozen=True)
class Arguments:
    """Turn finished runs into a dataset: pictures of each cell before and at the end of the squeeze, and features."""

    runs: Annotated[
        tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="RUN…", help_behavior_hint="(required)")
    ]
    """Run folders, or folders that hold them."""
    out: Path
    """Dataset to write (.h5)."""
    size: int = 64
    """Edge of the pictures (px); they always show 48 µm, so that a pixel measures 48 µm over this."""
    append: bool = False
    """Add to the dataset if there is one; runs that it holds are passed over."""
    seed: int = 0
    """Draws inner structure, lamp, focus and noise of the pictures; same seed, same bytes."""
    json: bool = False
    """Print one JSON object on standard output."""
    quiet: bool = False
    """Print errors only."""


def main(argv: list[str]) -> int:
    """Run the command; see `Arguments`."""
    arguments = parse_arguments(Arguments, "bridge.build", argv)
    if not 8 <= arguments.size <= 1024:
        raise InputError(f"--size = {arguments.size} px: choose 8 to 1024")
    if arguments.seed < 0:
        raise InputError(f"--seed = {arguments.seed}: must not be negative")
    check_output(arguments.out, ".h5", ".hdf5")
    runs = find_runs(arguments.runs)
    skipped: list[str] = []
    facts = _Facts()

    def skip(reason: str) -> None:
        skipped.append(reason)
        say(f"skipped: {reason}")

    with progress("pictures", arguments.quiet) as bar, _writer(arguments) as writer:
        before = len(writer.cells)
        for part in build(runs, arguments.size, arguments.seed, skip, bar.update, frozenset(writer.cells)):
            writer.append(part)
            facts.add(part)
        if not writer.cells:
            raise InputError(f"none of {len(runs)} run folders can be used; finish them with `python -m sim.run`")
    new = len(writer.cells) - before
    kept = f" added to {before}" if before else ""
    say(
        f"{arguments.out}: {new} cells ({', '.join(f'{n} {name}' for name, n in facts.labels.items())}){kept}, "
        f"{facts.views_missing} views missing, {len(skipped)} of {len(runs)} runs skipped",
        arguments.quiet,
    )
    if arguments.json:
        summary = {"cells": new, "labels": dict(facts.labels), "views_missing": facts.views_missing, "skipped": skipped}
        print_json({"out": str(arguments.out), **summary, "before": before, "outcomes": dict(facts.outcomes)})
    return Exit.DONE


@dataclass
class _Facts:
    """What the new cells come to."""

    labels: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    views_missing: int = 0

    def add(self, part: Dataset) -> None:
        self.labels.update(part.table["label"])
        self.outcomes.update(part.table["outcome"])
        self.views_missing += 0 if part.views_present is None else int((~part.views_present).sum())


def _writer(arguments: Arguments) -> AbstractContextManager[Writer]:
    from bridge.writer import add_to_dataset, new_dataset

    return add_to_dataset(arguments.out) if arguments.append and arguments.out.exists() else new_dataset(arguments.out)


if __name__ == "__main__":
    run_command(main)
