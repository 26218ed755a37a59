"""``python -m bridge.ingest SOURCE… --out cells.h5``: recordings and tables of others to a Dataset."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from bridge.command import Exit, InputError, check_output, parse_arguments, print_json, progress, run_command, say

if TYPE_CHECKING:
    from bridge.formats.column_map import ColumnMap
    from bridge.recording import Cell
    from bridge.records import Dataset


def read_source(
    path: Path, classes: Sequence[str] = (), column_map: ColumnMap | None = None, label: str = ""
) -> Dataset:
    """Read one source: a folder in the reference layout, a CSV table, or a table or arrays with a column map.

    Parameters
    ----------
    path
        File or folder.
    classes
        Labels that may occur; any, if empty.
    column_map
        What its columns mean; needed for all but CSV tables and folders in the reference layout.
    label
        Label of all cells, where a column map names none.

    Raises
    ------
    InputError
        If the source is none of these, or cannot be used.
    """
    if path.is_dir():
        from bridge.formats.miml_csv import read_miml

        return read_miml(path, classes)
    if not path.is_file():
        raise InputError(
            f"{path}: no such file or folder; give a recording, a folder with train_data.csv and Train/, or a table"
        )
    if column_map is not None:
        from bridge.formats.mapped import read_mapped

        return read_mapped(path, column_map, classes, label)
    if path.suffix.lower() == ".rtdc":
        from bridge.formats.rtdc import read_rtdc

        return read_rtdc(path, label)
    kind = path.name.lower().removesuffix(".gz")
    if kind.endswith(".csv"):
        from bridge.formats.miml_csv import read_csv

        return read_csv(path, classes)
    if kind.endswith((".npz", ".tsv", ".txt")):
        raise InputError(f"{path}: say what its columns mean with --columns map.toml; examples are in examples/maps")
    raise InputError(
        f"{path}: unknown kind of file {path.suffix!r}; give a recording (video, TIFF stack), an .rtdc file, a table, "
        "an .npz or a folder in the reference layout"
    )


@dataclass(frozen=True)
class Arguments:
    """Turn recordings and tables of others into a dataset."""

    sources: Annotated[
        tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="SOURCE…", help_behavior_hint="(required)")
    ]
    """Recordings (video, TIFF stack, folder of pictures), .rtdc files, folders in the reference layout (train_data.csv,
    Train/, …), CSV tables; with --columns any table and .npz arrays."""
    out: Path
    """Dataset to write (.h5)."""
    classes: Annotated[tuple[str, ...], tyro.conf.arg(metavar="LABEL…", help_behavior_hint="(default: any)")] = ()
    """Labels that may occur; another one is an error."""
    columns: Annotated[Path | None, tyro.conf.arg(metavar="MAP.toml")] = None
    """What the columns of the tables or .npz arrays mean; see examples/maps."""
    pixel_size: float | None = None
    """Recordings: pixel at the sample (m); required."""
    frame_rate: float | None = None
    """Recordings: frames per second of the camera, not of the player (Hz); required."""
    constriction: Annotated[tuple[float, float] | None, tyro.conf.arg(metavar="ENTRY EXIT")] = None
    """Recordings: columns of the constriction's entry and exit plane (px); by default found in the background."""
    detections: Path | None = None
    """Recordings: objects found elsewhere, a CSV table of boxes or a stack of masks; by default outlines are found."""
    times: Path | None = None
    """Recordings: time of each frame (s), one in each line, where frames were dropped; by default a steady rate."""
    label: str = ""
    """Recordings, .rtdc files, and tables whose column map names none: class of the cells."""
    group: str = ""
    """Recordings and .rtdc files: what the cells have in common (day, donor, chip); by default the file's name."""
    crop: int | None = None
    """.rtdc files: edge of the pictures cut out around the events (px); by default the height of the frames."""
    without_pictures: bool = False
    """.rtdc files: take the features alone."""
    append: bool = False
    """Add to the dataset if there is one."""
    json: bool = False
    """Print one JSON object on standard output."""
    quiet: bool = False
    """Print errors only."""


def main(argv: list[str]) -> int:
    """Run the command; see `Arguments`."""
    arguments = parse_arguments(Arguments, "bridge.ingest", argv)
    _check(arguments)
    from importlib.metadata import version

    from bridge.video import is_recording
    from bridge.writer import add_to_dataset, new_dataset

    column_map = None
    if arguments.columns is not None:
        from bridge.formats.column_map import read_column_map

        column_map = read_column_map(arguments.columns)
    provenance = {"command": "bridge.ingest", "versions": {"mimlab": version("mimlab")}}
    facts = _Facts()
    adding = arguments.append and arguments.out.exists()
    with (
        progress("reading", arguments.quiet) as bar,
        (add_to_dataset if adding else new_dataset)(arguments.out) as writer,
    ):
        for number, path in enumerate(arguments.sources):
            bar.update(number / len(arguments.sources), path.name)
            if path.exists() and is_recording(path):
                part = _read_recording(path, arguments, bar.update)
            elif path.suffix.lower() == ".rtdc":
                part = _read_events(path, arguments)
            else:
                part = read_source(path, arguments.classes, column_map, arguments.label)
            writer.append(replace(part, meta={**part.meta, "provenance": provenance}))
            facts.add(part)
    _report(facts, arguments)
    return Exit.DONE


@dataclass
class _Facts:
    """What was read."""

    cells: int = 0
    pictures: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    splits: Counter[str] = field(default_factory=Counter)
    features: dict[str, str] = field(default_factory=dict)
    sources: list[dict[str, Any]] = field(default_factory=list)

    def add(self, part: Dataset) -> None:
        self.cells += len(part)
        self.pictures += 0 if part.views_present is None else int(part.views_present.sum())
        self.labels.update(part.table["label"])
        self.splits.update(part.table["split"])
        self.features |= {name: part.units[name] for name in part.features}
        self.sources += part.meta["sources"]


def _check(arguments: Arguments) -> None:
    if not arguments.sources:
        raise InputError("no source given; name a recording, a folder with train_data.csv and Train/, or a CSV table")
    check_output(arguments.out, ".h5", ".hdf5")
    for option, value, unit, low, high in (
        ("--pixel-size", arguments.pixel_size, "m", 1e-9, 1e-4),
        ("--frame-rate", arguments.frame_rate, "Hz", 1e-3, 1e9),
    ):
        if value is not None and not low <= value <= high:
            raise InputError(f"{option} = {value:g} {unit}: choose {low:g} to {high:g} {unit}")
    if arguments.constriction is not None and not 0 <= arguments.constriction[0] < arguments.constriction[1] < 1e6:
        entry, exit_ = arguments.constriction
        raise InputError(f"--constriction = {entry:g} {exit_:g} px: the exit lies to the right of the entry")
    if arguments.crop is not None and not 8 <= arguments.crop <= 1024:
        raise InputError(f"--crop = {arguments.crop} px: choose 8 to 1024")
    if arguments.detections is not None and len(arguments.sources) > 1:
        raise InputError("--detections belong to one recording; ingest recordings one by one")
    if arguments.times is not None and len(arguments.sources) > 1:
        raise InputError("--times belong to one recording; ingest recordings one by one")


def _read_recording(path: Path, arguments: Arguments, on_progress: Callable[[float, str], None]) -> Dataset:
    if arguments.pixel_size is None or arguments.frame_rate is None:
        raise InputError(
            f"{path}: a recording does not state its scale; give --pixel-size (m) and --frame-rate (Hz) of the camera"
        )
    _check_label(arguments)
    for beside in (arguments.detections, arguments.times):
        if beside is not None and not beside.exists():
            raise InputError(f"{beside}: no such file")
    from bridge.formats.detections import read_detections, read_times
    from bridge.recording import Recorder, read_recording
    from bridge.video import Clip

    times = None if arguments.times is None else read_times(arguments.times)
    recorder = Recorder(
        arguments.pixel_size, arguments.frame_rate, arguments.constriction, times, arguments.label, arguments.group
    )
    given = None if arguments.detections is None else read_detections(arguments.detections, Clip(path).shape)
    dataset, cells = read_recording(path, recorder, given, on_progress)
    return replace(dataset, tracks=_tracks(cells))


def _tracks(cells: Sequence[Cell]) -> dict[str, Any]:
    import numpy as np

    from bridge.records import TRACK

    tracks = {name: np.concatenate([cell.trace[name] for cell in cells]) for name in TRACK}
    return tracks | {"cell": np.repeat(np.arange(len(cells)), [len(cell.trace["time"]) for cell in cells])}


def _read_events(path: Path, arguments: Arguments) -> Dataset:
    from bridge.formats.rtdc import read_rtdc

    _check_label(arguments)
    pictures = not arguments.without_pictures
    return read_rtdc(path, arguments.label, arguments.group, arguments.pixel_size, arguments.crop, pictures)


def _check_label(arguments: Arguments) -> None:
    if arguments.classes and arguments.label not in arguments.classes:
        raise InputError(f"--label = {arguments.label!r} is none of {', '.join(arguments.classes)}")


def _report(facts: _Facts, arguments: Arguments) -> None:
    """Print what was read, for people and for machines."""
    say(
        f"{arguments.out}: {facts.cells} cells ({', '.join(f'{n} {name}' for name, n in facts.labels.items())}), "
        f"{facts.pictures} pictures; look for faults with `python -m bridge.check {arguments.out}`",
        arguments.quiet,
    )
    for source in facts.sources:
        if source.get("pictures_not_listed"):
            say(f"{source['name']}: {source['pictures_not_listed']} pictures that no row names are left out")
        if source.get("left_out"):
            say(f"{source['name']}: {source['left_out']} cells with other labels are left out", arguments.quiet)
        for note in source.get("notes", ()):
            say(f"{source['name']}: {note}", arguments.quiet)
        if source["format"] == "recording":
            entry, exit_ = (source["constriction"][name] for name in ("entry", "exit"))
            say(
                f"{source['name']}: {source['frames']} frames ({source['frames_repeated']} repeated ones left out), "
                f"constriction from column {entry:.1f} to {exit_:.1f}"
                + (" of the frames turned left to right" if source["mirrored"] else ""),
                arguments.quiet,
            )
    if arguments.json:
        counts = {"cells": facts.cells, "pictures": facts.pictures, "labels": facts.labels, "splits": facts.splits}
        print_json({"out": str(arguments.out), **counts, "features": facts.features})


if __name__ == "__main__":
    run_command(main)
