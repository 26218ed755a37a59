"""``python -m bridge.export cells.h5 --to rtdc|miml OUTDIR``: Datasets in the formats of other people."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from bridge.command import Exit, InputError, check_writable, parse_arguments, print_json, run_command, say


@dataclass(frozen=True)
class Arguments:
    """Write a dataset as other programs read it: the folder of the paper's authors, or .rtdc for dclab and DCscope."""

    dataset: Annotated[Path, tyro.conf.Positional]
    """Dataset (.h5)."""
    out: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="OUTDIR")]
    """Folder to make; must not exist, or be empty."""
    to: Literal["miml", "rtdc"]
    """`miml`: train_data.csv and Train/, val_data.csv and Val/; `rtdc`: cells and frames as events, with a plugin."""
    features: Annotated[
        tuple[str, ...], tyro.conf.arg(metavar="FEATURE…", help_behavior_hint="(default: the three)")
    ] = ()
    """miml: columns from the third on, instead of maximum velocity, transition time and deformation index."""
    json: bool = False
    """Print one JSON object on standard output."""
    quiet: bool = False
    """Print errors only."""


def main(argv: list[str]) -> int:
    """Run the command; see `Arguments`."""
    arguments = parse_arguments(Arguments, "bridge.export", argv)
    if arguments.features and arguments.to != "miml":
        raise InputError("--features are for --to miml; .rtdc files have fixed ones")
    check_writable(arguments.out / "x")
    from bridge.stored import open_dataset

    with open_dataset(arguments.dataset) as dataset:
        if arguments.to == "miml":
            from bridge.formats.miml_csv import FEATURES, write_miml

            features = arguments.features or FEATURES
            write_miml(arguments.out, dataset, features)
            missing = len(dataset) - len(dataset.table.dropna(subset=list(features)))
            if missing:
                say(f"{missing} of {len(dataset)} cells lack a feature: left empty, which the reference reads as NaN")
            if set(dataset.table["split"]) == {""}:
                say(
                    "no split: all cells are in All/ and all_data.csv; divide them with `python -m bridge.splits` first"
                )
            files = sorted(path.name for path in arguments.out.glob("*.csv"))
        else:
            from bridge.formats.rtdc_write import write_rtdc

            files = write_rtdc(arguments.out, dataset)
        cells = len(dataset)
    say(f"{arguments.out}: {cells} cells in {', '.join(files)}", arguments.quiet)
    if arguments.json:
        print_json({"out": str(arguments.out), "cells": cells, "files": files})
    return Exit.DONE


if __name__ == "__main__":
    run_command(main)
