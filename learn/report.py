"""One self-contained page of a run, sweep, training, comparison or reproduction: ``python -m learn.report DIR``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from bridge.command import (
    Exit,
    InputError,
    check_output,
    parse_arguments,
    print_json,
    progress,
    run_command,
    say,
    write_text,
)

if TYPE_CHECKING:
    from learn.report_page import Page


@dataclass(frozen=True)
class Arguments:
    """Write one HTML page of a finished folder that needs no network and nothing beside it."""

    folder: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DIR")]
    """What a command left: a run folder, a sweep, a training, figures and tables of a comparison, a reproduction."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="PATH", help_behavior_hint="(default: DIR/report.html)")] = None
    """Page to write (.html)."""
    json: bool = False
    """Print one JSON object on standard output."""
    quiet: bool = False
    """Print errors only."""


def main(argv: list[str]) -> int:
    """Run the command; see `Arguments`."""
    arguments = parse_arguments(Arguments, "learn.report", argv)
    out = arguments.out or arguments.folder / "report.html"
    if not arguments.folder.is_dir():
        raise InputError(f"{arguments.folder}: no such folder; give one that sim.run, sim.sweep or learn.run has left")
    check_output(out, ".html")
    with progress("report", arguments.quiet) as bar:
        bar.update(0.1, "reading")
        page = make_page(arguments.folder)
        bar.update(0.7, "writing")
        text = page.html()
        write_text(out, text)
    say(f"{out}: {page.kind.lower()}, {len(text) / 1e6:.1f} MB; open it in a browser", arguments.quiet)
    if arguments.json:
        print_json({"out": str(out), "kind": page.kind, "title": page.title, "bytes": len(text.encode())})
    return Exit.DONE


def make_page(folder: Path) -> Page:
    """Return the page of whatever a folder holds.

    Raises
    ------
    InputError
        If it holds nothing that is known, or something unfinished or damaged.
    """
    from bridge.runs import is_run
    from learn.report_reproduction import is_reproduction, reproduction_page

    if is_reproduction(folder):
        return reproduction_page(folder)
    if is_run(folder):
        from learn.report_run import run_page

        return run_page(folder)
    if (folder / "sweep.csv").is_file():
        from learn.report_sweep import sweep_page

        return sweep_page(folder)
    if (folder / "config.toml").is_file():
        from learn.report_training import training_page

        return training_page(folder)
    from learn.report_results import results_kind, results_page

    kind = results_kind(folder)
    if kind is not None:
        return results_page(folder, kind)
    raise InputError(f"{folder}: no finished run, sweep, training or comparison; finish it or give another folder")


if __name__ == "__main__":
    run_command(main)
