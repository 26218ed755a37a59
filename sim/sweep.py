"""Simulate many cells: designs and populations, on one machine or a cluster; run it again to go on.

Runs go into one folder, which is also the ledger: what is finished is never computed again, a sweep that was killed
goes on, and several sweeps may share a folder. The table, sweep.csv and sweep.h5, is made from the run folders.
"""

from __future__ import annotations

import argparse
import contextlib
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from sim.command import Exit, InputError, print_json, progress, run_command, say
from sim.config import QUALITIES, preset_names
from sim.options import Parser, add_fields, parse_fields

if TYPE_CHECKING:
    from sim.sweeps.design import Case
    from sim.sweeps.plan import Planned
    from sim.sweeps.session import Settings
    from sim.sweeps.status import Status

EPILOG = """\
exit codes: 0 every run has an outcome (STUCK, UNSTABLE and REFUSED are outcomes), 1 --check: a trend is not as
expected, 2 bad input, 4 some run has no outcome yet, 130 interrupted
examples:
  python -m sim.sweep hct116 --grid cell.ks=1e-3:3e-2:9:log --grid cell.diameter=12e-6:16e-6:5
  python -m sim.sweep --population classes --out cells --dry-run
  python -m sim.sweep hct116 --sobol 256 --range cell.ks=1e-3:3e-2:log --range cell.kb=5e-17:1e-15:log
  python -m sim.sweep --out cells              go on with what was begun there
  python -m sim.sweep --out cells --list       how each run stands
  python -m sim.sweep --out cells --scheduler tcp://10.0.0.1:8786
The scheduler must be trusted: Dask hands pickled Python to workers and back. The embedded one listens on loopback only.
"""


def make_parser() -> argparse.ArgumentParser:
    """Return the parser, with one option for every field of the configuration."""
    parser = Parser(
        prog="python -m sim.sweep",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "presets", nargs="*", metavar="PRESET", help=f"one or more of {', '.join(preset_names())}, or .toml files"
    )
    group = parser.add_argument_group("design (every row times the grid; without any, what the folder remembers)")
    group.add_argument("--grid", action="append", default=[], metavar="FIELD=LOW:HIGH:N[:log]", help="or seed=0:20")
    group.add_argument("--values", action="append", default=[], metavar="FIELD=VALUE,VALUE,…", help="an explicit axis")
    rows = group.add_mutually_exclusive_group()
    rows.add_argument(
        "--rows", type=Path, metavar="TABLE.csv", help="explicit rows: a column for each field, or preset"
    )
    rows.add_argument("--population", metavar="FILE.toml", help="classes with distributions, see sim.sweeps.population")
    rows.add_argument("--lhs", type=int, metavar="N", help="Latin hypercube of N points in the --range of some fields")
    rows.add_argument("--sobol", type=int, metavar="N", help="scrambled Sobol' points, N a power of two")
    group.add_argument(
        "--range", action="append", default=[], metavar="FIELD=LOW:HIGH[:log]", help="for --lhs, --sobol"
    )
    group.add_argument("--design-seed", type=int, default=0, metavar="SEED", help="draws the points (default 0)")
    group.add_argument("--quality", default="quick", choices=QUALITIES, help="as of sim.run (default quick)")
    group = parser.add_argument_group("where")
    group.add_argument("--out", type=Path, default=Path("sweep"), help="folder of the sweep (default sweep)")
    group.add_argument("--workers", type=int, metavar="N", help="processes, a core each (default: as many as cores)")
    group.add_argument("--scheduler", metavar="ADDRESS", help="a running Dask scheduler, tcp://host:port or its file")
    group.add_argument("--slurm", type=Path, metavar="FILE.sh", help="write a batch script for Slurm and stop")
    group = parser.add_argument_group("what to do")
    group.add_argument("--dry-run", action="store_true", help="time one run, say what the sweep will take, and stop")
    group.add_argument("--list", action="store_true", help="say how each run stands, and stop")
    group.add_argument("--table", action="store_true", help="make table and figure anew, and stop")
    group.add_argument("--check", action="store_true", help="check the trends with stiffness and size, and stop")
    group.add_argument("--retry-failed", action="store_true", help="compute failed and unstable runs again")
    group.add_argument("--pictures", action="store_true", help="draw each run's summary.png, too: about a second a run")
    group.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    group.add_argument("--quiet", action="store_true", help="print nothing but errors")
    add_fields(parser)
    return parser


def main(argv: list[str]) -> int:
    """Run the command; return its exit code."""
    options, common = parse_fields(make_parser(), argv)
    if options.table:
        return _tabulate(options)
    if options.check:
        return _check(options)
    cases = _cases(options)
    if not cases and common:
        raise InputError(f"--{next(iter(common))} alone is no design: give --grid, --values, --rows, --population, …")
    if options.slurm:
        from sim.sweeps.slurm import write_script

        write_script(options.slurm, argv)
        say(f"{options.slurm}: submit it with sbatch", options.quiet)
        return Exit.DONE
    runs = _plan(options, cases, common)
    if options.list:
        return _list(options, runs)
    from sim.sweeps.session import IncompleteError

    try:
        return _sweep(options, cases, common, runs)
    except IncompleteError as error:
        say(f"stopped: {error}")
        return Exit.INCOMPLETE


def _cases(options: argparse.Namespace) -> list[Case]:
    """Return what the command line states; nothing if it states no design."""
    from sim.sweeps import design

    axes = [design.parse_axis(words) for words in options.grid] + [
        design.parse_values(words) for words in options.values
    ]
    rows: list[dict[str, str]] = [{}]
    if options.rows:
        rows = design.read_rows(options.rows)
        rows = [row | {"preset": _absolute(row["preset"])} if "preset" in row else row for row in rows]
    elif options.population:
        rows = _population(options)
    elif options.lhs is not None or options.sobol is not None:
        ranges = [design.parse_range(words) for words in options.range]
        kind, count = ("lhs", options.lhs) if options.lhs is not None else ("sobol", options.sobol)
        rows = design.sample_rows(kind, count, ranges, options.design_seed)
    elif not axes and not options.presets:
        return []
    if options.range and options.lhs is None and options.sobol is None:
        raise InputError(f"--range {options.range[0]}: say how many points are drawn, --lhs N or --sobol N")
    own = all("preset" in row for row in rows) and bool(rows)
    if own and options.presets:
        raise InputError(f"{options.presets[0]}: the rows name their presets themselves; leave it out")
    sources = [_absolute(source) for source in options.presets or ["hct116"]]
    return design.cross(sources[:1] if own else sources, rows, axes)


def _absolute(source: str) -> str:
    return str(Path(source).absolute()) if source.endswith(".toml") else source


def _population(options: argparse.Namespace) -> list[dict[str, str]]:
    """Draw a population, and say how much of its distributions is cut off."""
    from sim.sweeps.population import draw

    drawn = draw(options.population)
    for preset, name, share in drawn.cut:
        if share > 0:
            say(f"{preset}: {100 * share:.2g} % of the distribution of {name} are cut off", options.quiet)
    return [row | {"preset": _absolute(row["preset"])} for row in drawn.rows]


def _plan(options: argparse.Namespace, cases: list[Case], common: dict[str, str]) -> list[Planned]:
    """Return the runs of the stated design, or of those that the folder remembers."""
    from sim.sweeps.plan import plan, remembered

    designs = [(cases, options.quality, common)] if cases else list(remembered(options.out))
    if not designs:
        raise InputError(f"{options.out}: no sweep was begun here; give --grid, --values, --rows, --population, …")
    runs: dict[str, Planned] = {}
    with progress("pre-flight checks:", options.quiet) as bar:
        for some, quality, own in designs:
            runs |= {one.run: one for one in plan(some, quality, own, bar.update)}
    total = sum(len(some) for some, _, _ in designs)
    if total > len(runs):
        say(f"{total - len(runs)} of {total} runs are the same as others", options.quiet)
    return list(runs.values())


def _list(options: argparse.Namespace, runs: list[Planned]) -> int:
    """Say how each run stands."""
    from sim.sweeps.status import counted, statuses

    found = statuses(options.out, runs)
    for status in found:
        words = [status.outcome, status.reason]
        say(f"{status.state:8s} {status.run.run}  {'  '.join(word for word in words if word)}".rstrip(), options.quiet)
    say(_counts(counted(found)), options.quiet)
    if options.json:
        listed = [
            {"run": one.run.run, "state": one.state, "outcome": one.outcome or None, "reason": one.reason}
            for one in found
        ]
        print_json({"folder": str(options.out), **counted(found), "runs": listed})
    return _exit_code(found)


def _counts(count: dict[str, int]) -> str:
    return f"{sum(count.values())} runs: " + ", ".join(f"{number} {state}" for state, number in count.items() if number)


def _exit_code(found: list[Status]) -> int:
    """Return whether every run has an outcome."""
    return Exit.DONE if all(status.state in ("done", "refused") for status in found) else Exit.INCOMPLETE


def _sweep(options: argparse.Namespace, cases: list[Case], common: dict[str, str], runs: list[Planned]) -> int:
    """Compute what has no outcome yet, and make the table."""
    from sim.sweeps import session, status
    from sim.sweeps.plan import remember
    from sim.sweeps.report import tabulate

    settings = _settings(options)
    found = status.statuses(options.out, runs)
    if options.retry_failed and not options.dry_run and status.retry(options.out, found):
        found = status.statuses(options.out, runs)
    say(_counts(status.counted(found)), options.quiet)
    for one in found:
        if one.state in ("refused", "failed"):
            say(f"{one.state} {one.run.run}: {one.reason}", options.quiet)
    pending = [one.run for one in found if one.state in ("pending", "running")]
    if options.dry_run:
        needs = session.foresee(settings, pending) if pending else None
        if options.json:
            print_json({"folder": str(options.out), **status.counted(found), "needs": needs and asdict(needs)})
        return Exit.DONE
    session.prepare(options.out)
    if cases:
        remember(options.out, cases, options.quality, common)
    status.record_refusals(options.out, runs)
    try:
        computed = session.compute(settings, pending)
    except (KeyboardInterrupt, session.IncompleteError):
        with contextlib.suppress(OSError):  # the disk may be full
            tabulate(options.out)
        raise
    say(tabulate(options.out), options.quiet)
    found = status.statuses(options.out, runs)
    say(_counts(status.counted(found)), options.quiet)
    if options.json:
        print_json({"folder": str(options.out), **status.counted(found), "computed": computed})
    return _exit_code(found)


def _settings(options: argparse.Namespace) -> Settings:
    from sim.sweeps.cluster import check_address
    from sim.sweeps.machine import cores
    from sim.sweeps.session import Settings

    if options.scheduler:
        check_address(options.scheduler)
    if options.workers is not None and options.workers < 1:
        raise InputError(f"--workers {options.workers}: at least one is needed")
    workers = options.workers or cores()
    return Settings(options.out, workers, options.scheduler, options.pictures, options.quiet)


def _tabulate(options: argparse.Namespace) -> int:
    """Make table and figure from the run folders."""
    from sim.sweeps.report import tabulate

    if not options.out.is_dir():
        raise InputError(f"{options.out}: no such folder")
    say(tabulate(options.out), options.quiet)
    if options.json:
        print_json({"table": str(options.out / "sweep.csv")})
    return Exit.DONE


def _check(options: argparse.Namespace) -> int:
    """Check the trends of the table."""
    from sim.sweep_table import read_sweep
    from sim.sweeps.trends import describe, trends

    table, _ = read_sweep(options.out)
    found = trends(table)
    say(describe(found, table), options.quiet)
    passed = all(one.passed is not False for one in found)
    if options.json:
        print_json({"pass": passed, "trends": [asdict(one) | {"pass": one.passed} for one in found]})
    return Exit.DONE if passed else Exit.FAILED_CHECK


if __name__ == "__main__":
    run_command(main)
