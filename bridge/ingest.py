"""``python -m bridge.ingest SOURCE… --out cells.h5``: recordings and tables of others to a Dataset."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from bridge.command import Exit, InputError, check_output, parse_arguments, print_json, progress, run_command, say

if TYPE_CHECKING:
    from bridge.formats.column_map import ColumnMap
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
    json: bool = False
    """Print one JSON object on standard output."""
    quiet: bool = False
    """Print errors only."""


def main(argv: list[str]) -> int:
    """Run the command; see `Arguments`."""
    arguments = parse_arguments(Arguments, "bridge.ingest", argv)
    _check(arguments)
    from dataclasses import replace
    from importlib.metadata import version

    from bridge.merge import merge
    from bridge.records import write_dataset
    from bridge.video import is_recording

    column_map = None
    if arguments.columns is not None:
        from bridge.formats.column_map import read_column_map

        column_map = read_column_map(arguments.columns)
    parts = []
    with progress("reading", arguments.quiet) as bar:
        for number, path in enumerate(arguments.sources):
            bar.update(number / len(arguments.sources), path.name)
            if path.exists() and is_recording(path):
                parts.append(_read_recording(path, arguments, bar.update))
            elif path.suffix.lower() == ".rtdc":
                parts.append(_read_events(path, arguments))
            else:
                parts.append(read_source(path, arguments.classes, column_map, arguments.label))
    dataset = merge(parts)
    provenance = {"command": "bridge.ingest", "versions": {"mimlab": version("mimlab")}}
    dataset = replace(dataset, meta={**dataset.meta, "provenance": provenance})
    write_dataset(arguments.out, dataset)
    _report(dataset, arguments)
    return Exit.DONE


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
    return read_recording(path, recorder, given, on_progress)[0]


def _read_events(path: Path, arguments: Arguments) -> Dataset:
    from bridge.formats.rtdc import read_rtdc

    _check_label(arguments)
    pictures = not arguments.without_pictures
    return read_rtdc(path, arguments.label, arguments.group, arguments.pixel_size, arguments.crop, pictures)


def _check_label(arguments: Arguments) -> None:
    if arguments.classes and arguments.label not in arguments.classes:
        raise InputError(f"--label = {arguments.label!r} is none of {', '.join(arguments.classes)}")


def _report(dataset: Dataset, arguments: Arguments) -> None:
    """Print what was read, for people and for machines."""
    labels, splits = (dict(Counter(dataset.table[name])) for name in ("label", "split"))
    pictures = 0 if dataset.views_present is None else int(dataset.views_present.sum())
    say(
        f"{arguments.out}: {len(dataset)} cells ({', '.join(f'{n} {name}' for name, n in labels.items())}), "
        f"{pictures} pictures; look for faults with `python -m bridge.check {arguments.out}`",
        arguments.quiet,
    )
    for source in dataset.meta["sources"]:
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
        features = {name: dataset.units[name] for name in dataset.features}
        counts = {"cells": len(dataset), "pictures": pictures, "labels": labels, "splits": splits}
        print_json({"out": str(arguments.out), **counts, "features": features})


if __name__ == "__main__":
    run_command(main)
