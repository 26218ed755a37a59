"""Simulate cells squeezing through one channel and write its run folder."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sim.command import Exit, print_json, progress, run_command, say
from sim.config import QUALITIES, SimulationConfig, load_config, preset_names
from sim.options import Parser, add_fields, parse_fields

if TYPE_CHECKING:
    from sim.command import Progress
    from sim.preflight import Flight
    from sim.simulation import Sample
    from sim.trace import Trace

EPILOG = """\
exit codes: 0 the cell came through, 2 bad input, 3 unstable, 4 stuck or out of time, 130 interrupted
examples:
  python -m sim.run                                   hct116, 2-D, under a minute
  python -m sim.run wbc --cell.ks 2e-2 --out runs
  python -m sim.run my_cell.toml --fluid.pressure_drop 5e3 --dry-run
"""

_PHASES = {"warm-up": "warm-up, flow without the cell:", "squeeze": "cell leaves the constriction:"}


def make_parser() -> argparse.ArgumentParser:
    """Return the parser, with one option for every field of the configuration."""
    parser = Parser(
        prog="python -m sim.run",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "preset", nargs="?", default="hct116", help=f"{', '.join(preset_names())}, or a .toml file (default hct116)"
    )
    parser.add_argument(
        "--quality",
        default="quick",
        choices=QUALITIES,
        help="2-D: draft 8 nodes across the gap, quick 16; 3-D: smoke 8, standard 10, fine 16 (default quick)",
    )
    parser.add_argument("--out", type=Path, default=Path("runs"), help="where the run folder is made (default runs)")
    parser.add_argument("--movie", choices=("gif", "mp4"), help="also film the membrane in the channel")
    parser.add_argument("--dry-run", action="store_true", help="print the pre-flight check and stop")
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")
    add_fields(parser)
    return parser


def parse(argv: list[str]) -> tuple[argparse.Namespace, SimulationConfig]:
    """Return the options and the configuration with the command line's values over the preset's.

    Raises
    ------
    InputError
        If an option, the preset, the file or a value is wrong.
    """
    options, given = parse_fields(make_parser(), argv)
    return options, load_config(options.preset, options.quality, given)


def main(argv: list[str]) -> int:
    """Run the command; return its exit code."""
    options, config = parse(argv)
    from sim.describe import describe
    from sim.preflight import preflight, require
    from sim.runfolder import add_movie, checkpoint_path, existing, fields_path, run_path, write_run

    flight = preflight(config)
    say(describe(flight), options.quiet)
    require(flight)
    folder = run_path(options.out, flight.config)
    result = existing(folder)
    if options.dry_run or (result is None and not options.quiet):
        seconds = _predict(flight, options.quiet)
        if options.dry_run:
            if options.json:
                checks = [dataclasses.asdict(check) for check in flight.checks]
                print_json({"folder": str(folder), "checks": checks, "predicted_seconds": seconds})
            return Exit.DONE
    if result is None:
        checkpoint = checkpoint_path(folder)
        result = write_run(
            folder,
            lambda: _simulate(flight, checkpoint, fields_path(folder), options.quiet),
            describe(flight),
            options.movie,
            options.quiet,
        )
    else:
        say(f"{folder}: done before, nothing computed", options.quiet)
    if options.movie:
        add_movie(folder, options.movie, options.quiet)
    _report(folder, result, options)
    return _exit_code(result["outcome"])


def _predict(flight: Flight, quiet: bool) -> float:
    """Say and return how long the squeeze will take, from a second of stepping."""
    from sim.simulation import build, probe

    rate = 1 / probe(build(flight.config))
    nodes = flight.channel.grid.fluid.sum()
    seconds = flight.numbers["predicted_steps"] / rate
    say(
        f"  a second of stepping: {rate:,.0f} steps/s, {1e-6 * rate * nodes:.0f} million nodes/s; "
        f"the squeeze takes about {seconds:.0f} s here, more if the cell is stiff",
        quiet,
    )
    return seconds


def _simulate(flight: Flight, checkpoint: Path, fields: Path, quiet: bool) -> Trace:
    """Simulate with a progress bar for each phase."""
    from sim.simulation import simulate

    bars: dict[str, Progress] = {}
    with contextlib.ExitStack() as stack:

        def show(sample: Sample) -> None:
            if sample.phase not in bars:  # a bar's clock starts with its phase
                bars[sample.phase] = stack.enter_context(progress(_PHASES[sample.phase], quiet))
            bars[sample.phase].update(sample.fraction, sample.detail)

        return simulate(flight.config, [show], checkpoint, fields)


def _report(folder: Path, result: dict[str, Any], options: argparse.Namespace) -> None:
    if options.json:
        print_json({"folder": str(folder), **result})
    for cell in result.get("cells", [result]):
        which = f"cell {cell['number']} ({cell['label']}) " if "number" in cell else ""
        say(f"{which}{cell['outcome']}: {cell['advice']}", options.quiet)
        for name, entry in cell["features"].items():
            value = "not seen" if entry["value"] is None else f"{entry['value']:.4g} {entry['unit']}".removesuffix(" 1")
            say(f"  {name:26s} {value}", options.quiet)
    say(f"{folder}\n  summary.png shows the outlines in the channel, DI(x), velocity and centroid", options.quiet)


def _exit_code(outcome: str) -> int:
    from sim.trace import Outcome

    return Exit.DONE if Outcome[outcome].passed else Exit.INCOMPLETE


if __name__ == "__main__":
    run_command(main)
