"""``python -m bridge.build RUNS… --out cells.h5``: run folders to a Dataset of pictures and features."""

from __future__ import annotations

import functools
import hashlib
import json as json_
import os
import platform
from collections import Counter
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import tyro

from bridge.command import Exit, InputError, check_output, parse_arguments, print_json, progress, run_command, say
from bridge.options import CellOptions, OpticsOptions, look_of

if TYPE_CHECKING:
    import numpy as np

    from bridge.microscope import Microscope
    from bridge.records import Dataset
    from bridge.views import View
    from bridge.writer import Writer
    from sim.config import SimulationConfig
    from sim.trace import Trace

_PROCESSES = os.cpu_count() or 1
_FEW = 32  # runs below which no processes are started
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
    microscope: Microscope | None = None,
    optics: Mapping[str, Any] | None = None,
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
    microscope
        The set-up; None for `te2000`.
    optics
        Values of `bridge.looks.CellOptics` that take the place of the classes'.

    Raises
    ------
    OSError
        If the only run cannot be read.
    """
    from bridge.microscope import Microscope
    from bridge.pool import in_order

    seen: dict[str, str] = {}
    part: list[_Built] = []
    microscope, optics = microscope or Microscope(), optics or {}
    wanted = [run for run in runs if run.name not in known]
    picture = functools.partial(_pictured, size=size, seed=seed, microscope=microscope, optics=optics)
    # Processes take a second or two to start, and then twice what threads do, which wait for each other.
    made = map(picture, wanted) if len(wanted) < _FEW else in_order(picture, wanted, _PROCESSES)
    for number, (run, built) in enumerate(zip(wanted, made, strict=True)):
        on_progress(number / len(wanted), run.name)
        if isinstance(built, Exception):
            if len(runs) == 1:
                raise built
            skipped(str(built) if run.name in str(built) else f"{run}: {built}")
            continue
        name = built.row["cell_id"]
        if name in seen:
            skipped(f"{run}: the same run as {seen[name]}; leave one of them out")
        if name in seen or name in known:
            continue
        seen[name] = built.row["run"]
        part.append(built)
        if len(part) >= _AT_ONCE:
            yield _assemble(part, size, seed, microscope, optics)
            part = []
    if part:
        yield _assemble(part, size, seed, microscope, optics)


def _pictured(
    run: Path, *, size: int, seed: int, microscope: Microscope, optics: Mapping[str, Any]
) -> _Built | Exception:
    """Return a run as a cell, or what is wrong with it."""
    from bridge.records import TRACK, VIEWS
    from bridge.scene import draw_scene
    from bridge.views import crop
    from sim.trace import read_trace

    try:
        trace = read_trace(run)
        if trace.others:
            raise InputError(
                f"{run}: {len(trace.together)} cells in one channel, and each row of a Dataset is of one alone; "
                "leave this run out (bridge.render films it)"
            )
        scene = draw_scene(trace, microscope, seed, optics)
        views = {view: crop(trace, view, scene, microscope, size) for view in VIEWS}
        return _Built(_row(trace, run, views), list(views.values()), {name: trace.samples[name] for name in TRACK})
    except (InputError, OSError) as error:
        return error


def _row(trace: Trace, run: Path, views: Mapping[str, View | None]) -> dict[str, Any]:
    from bridge.views import VIEW_TRUTH
    from sim.features import compute_features

    config = trace.config
    features = compute_features(trace.samples, config.channel.constriction_length, config.channel.next_entry)
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
        **{
            f"sim_{name}_{column}": float("nan") if view is None else view.truth[column]
            for name, view in views.items()
            for column in VIEW_TRUTH
        },
        "sim_digest": config.digest(),
        "run": run.resolve().name,
        "outcome": trace.outcome.name,
    }


def _assemble(
    part: Sequence[_Built], size: int, seed: int, microscope: Microscope, optics: Mapping[str, Any]
) -> Dataset:
    import numpy as np
    import pandas as pd

    from bridge.records import TRACK, VIEWS, Dataset
    from bridge.shot import TRUTH
    from bridge.views import FIELD, VIEW_TRUTH
    from sim.features import FEATURES

    kind = np.uint8 if microscope.bit_depth == 8 else np.uint16
    images = np.zeros((len(part), len(VIEWS), size, size), kind)
    masks = np.zeros(images.shape, np.uint8)
    present = np.zeros(images.shape[:2], bool)
    for i, built in enumerate(part):
        for j, view in enumerate(built.views):
            if view is not None:
                images[i, j], masks[i, j], present[i, j] = view.image, view.mask, True
    tracks = {name: np.concatenate([built.track[name] for built in part]) for name in TRACK}
    tracks["cell"] = np.repeat(np.arange(len(part)), [len(built.track["time"]) for built in part])
    table = pd.DataFrame([built.row for built in part])
    table["pixel_size"] = round(FIELD / microscope.pixel_size) * microscope.pixel_size / size
    units = {name: feature.unit for name, feature in FEATURES.items()}
    units |= {name: unit for name, (unit, _) in PARAMETERS.items()} | {"pixel_size": "m"}
    pictured = {f"sim_{view}_{name}": (*TRUTH[name], view) for view in VIEWS for name in VIEW_TRUTH}
    units |= {name: unit for name, (unit, _, _) in pictured.items()}
    descriptions = {name: f"{feature.definition} ({feature.source})" for name, feature in FEATURES.items()}
    descriptions |= {name: text for name, (_, text) in PARAMETERS.items()} | TEXT
    descriptions |= {name: f"{text}, when the picture {view!r} was taken" for name, (_, text, view) in pictured.items()}
    descriptions["pixel_size"] = "edge of a picture's pixel at the sample"
    return Dataset(
        table,
        units,
        descriptions,
        images,
        masks,
        present,
        VIEWS,
        _meta([str(label) for label in table["label"].unique()], seed, microscope, optics),
        tracks,
    )


def _meta(labels: Sequence[str], seed: int, microscope: Microscope, optics: Mapping[str, Any]) -> dict[str, Any]:
    from importlib.metadata import version

    from bridge.body import DEPTH_RULE
    from bridge.looks import optics_of
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
        "cell_optics": {str(label): asdict(optics_of(label, optics)) for label in labels},
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
    microscope: str = "te2000"
    """Set-up: `te2000`, the paper's as far as inferred, `rtdc`, a deformability cytometer, or a .toml file."""
    look: Path | None = None
    """Look that `bridge.render --match` has written (.toml), in place of --microscope and of the cells' classes."""
    append: bool = False
    """Add to the dataset if there is one; runs that it holds are passed over."""
    seed: int = 0
    """Draws inner structure, lamp, focus and noise of the pictures; same seed, same bytes."""
    optics: tyro.conf.OmitArgPrefixes[OpticsOptions] = field(default_factory=OpticsOptions)
    """Values that take the place of the microscope's (SI)."""
    cell: CellOptions = field(default_factory=CellOptions)
    """Values that take the place of those of the cells' classes (SI)."""
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
    microscope, optics = look_of(arguments.look, arguments.microscope, arguments.optics, arguments.cell)
    runs = find_runs(arguments.runs)
    skipped: list[str] = []
    facts = _Facts()

    def skip(reason: str) -> None:
        skipped.append(reason)
        say(f"skipped: {reason}")

    with progress("pictures", arguments.quiet) as bar, _writer(arguments) as writer:
        before = len(writer.cells)
        known = frozenset(writer.cells)
        for part in build(runs, arguments.size, arguments.seed, skip, bar.update, known, microscope, optics):
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
