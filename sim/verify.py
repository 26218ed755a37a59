"""Compare the flow solver with exact solutions and published numbers."""

from __future__ import annotations

import argparse
import ast
import contextlib
import dataclasses
import difflib
import hashlib
import json
import math
import os
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from sim.cases import Curve, Result, Row, Tick
from sim.cases.table import CASES, Case
from sim.command import Exit, InputError, Progress, UnstableSimulation, print_json, progress, run_command, say
from sim.files import cache_dir, write_text

ROOT = Path(__file__).resolve().parent
EPILOG = """\
Finished cases are kept in the user's cache until the code they use changes; run the same command again to go on.
exit codes: 0 all within tolerance, 1 a miss, 2 bad input, 130 interrupted
examples:
  python -m sim.verify
  python -m sim.verify --full --plot figures
  python -m sim.verify --case duct cavity-1000 --json
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> Any:
        raise InputError(f"{message}; see python -m sim.verify --help")


def make_parser() -> argparse.ArgumentParser:
    """Return the parser; its help lists the cases."""
    about = "\n".join(f"  {c.name:20s} {'--full  ' if c.full else '        '}{c.about}" for c in CASES)
    parser = _Parser(
        prog="python -m sim.verify",
        description=__doc__,
        epilog=f"cases:\n{about}\n\n{EPILOG}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--case",
        nargs="+",
        action="extend",
        metavar="NAME",
        default=[],
        help="only these cases; cavity means every cavity-… (default all)",
    )
    parser.add_argument("--full", action="store_true", help="the long cases too")
    parser.add_argument("--fresh", action="store_true", help="compute again what is in the cache")
    parser.add_argument("--plot", type=Path, metavar="DIR", help="write one PNG for each family of cases")
    parser.add_argument("--threads", type=int, help="cases computed at a time (default: the cores, at most 4)")
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")
    return parser


def select(names: list[str], full: bool) -> list[Case]:
    """Return the cases of the given names and families; all when there are none.

    Raises
    ------
    InputError
        If no case has a name, with the nearest one.
    """
    if not names:
        return [case for case in CASES if full or not case.full]
    chosen: set[str] = set()
    for name in names:
        family = [c for c in CASES if c.name == name or c.name.startswith(f"{name}-")]
        if not family:
            known = sorted({c.name for c in CASES} | {c.name.split("-")[0] for c in CASES})
            close = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(c.name for c in CASES)}"
            raise InputError(f"unknown case {name!r}; {hint}")
        default = [c for c in family if full or not c.full or c.name == name]
        chosen |= {c.name for c in default or family}
    return [case for case in CASES if case.name in chosen]


def sources(module: str) -> list[Path]:
    """Return the files of the project that a module is made of: its own and those it imports, however far."""
    found: set[Path] = set()
    waiting = [module]
    while waiting:
        path = _file(waiting.pop())
        if path is None or path in found:
            continue
        found.add(path)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "sim":
                waiting += [str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)]
    return sorted(found)


def _file(module: str) -> Path | None:
    base = ROOT.joinpath(*module.split(".")[1:])
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None


def digest(case: Case) -> str:
    """Return 16 hex digits of all that a result depends on: parameters, code, presets, reference numbers."""
    from sim.config import PHYSICS_VERSION

    content = hashlib.sha256(json.dumps([PHYSICS_VERSION, case.function, dict(case.parameters)], default=str).encode())
    tables = [*sorted((ROOT / "reference").glob("*.csv")), *sorted((ROOT / "configs").glob("*.toml"))]
    for path in [*sources(f"sim.cases.{case.module}"), *tables]:
        content.update(path.read_bytes())
    return content.hexdigest()[:16]


def load(path: Path) -> Result | None:
    """Return the result in a file of the cache, None where there is none that can be read."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        rows = tuple(Row(**row) for row in content["rows"])
        return Result(rows, tuple(Curve(**{**curve, "axes": tuple(curve["axes"])}) for curve in content["curves"]))
    except (OSError, ValueError, TypeError, KeyError):
        return None


def compute(case: Case, path: Path, tick: Tick) -> tuple[Result, float]:
    """Compute a case and keep its result; return it with the seconds it took."""
    start = time.monotonic()
    try:
        result = case.compute(tick)
    except UnstableSimulation as error:
        return Result((Row(f"{case.name}: {error}", math.nan, math.nan, "", math.nan, 0.0, False),)), 0.0
    write_text(path, json.dumps({"rows": list(map(_fields, result.rows)), "curves": list(map(_fields, result.curves))}))
    return result, time.monotonic() - start


def _fields(item: Row | Curve) -> dict[str, Any]:
    return dataclasses.asdict(item)


class _Board:
    """Collects how far the cases are, for one bar, and stops them all when the user interrupts."""

    def __init__(self, cases: list[Case], bar: Progress) -> None:
        self._weight = {case.name: case.seconds for case in cases}
        self._done = dict.fromkeys(self._weight, 0.0)
        self._bar, self._lock = bar, threading.Lock()
        self.stopped = False

    def tick(self, name: str, fraction: float) -> None:
        """Note and show that a fraction of a case is done."""
        if self.stopped:
            raise KeyboardInterrupt
        with self._lock:
            self._done[name] = fraction
            total = sum(self._weight.values())
            done = sum(self._weight[n] * f for n, f in self._done.items()) / total
            running = [n for n, f in self._done.items() if 0 < f < 1]
            self._bar.update(done, ", ".join(running))


@contextlib.contextmanager
def _quick_switching() -> Iterator[None]:
    """Let a thread that comes back from a kernel of microseconds wait no longer than that for another one's Python."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def verify(cases: list[Case], fresh: bool, threads: int, quiet: bool) -> dict[str, Result]:
    """Return the results of cases by name, computed or from the cache; each is said when it is there.

    Parameters
    ----------
    cases
        What to compute.
    fresh
        Whether to compute what is in the cache.
    threads
        Cases at a time.
    quiet
        Whether to say nothing.
    """
    folder = cache_dir("verify")
    paths = {case.name: folder / f"{case.name}-{digest(case)}.json" for case in cases}
    known = {} if fresh else {name: load(path) for name, path in paths.items()}
    results = {name: result for name, result in known.items() if result is not None}
    if results:
        say(f"computed before: {', '.join(results)}", quiet)
    # The longest first, so that the last to end is a short one.
    missing = sorted((c for c in cases if c.name not in results), key=lambda c: -c.seconds)
    with progress("verify", quiet) as bar, _quick_switching(), ThreadPoolExecutor(threads) as pool:
        board = _Board(missing, bar)
        jobs = {
            pool.submit(compute, c, paths[c.name], lambda f, name=c.name: board.tick(name, f)): c.name for c in missing
        }
        try:
            for job in as_completed(jobs):
                result, seconds = job.result()
                name = jobs[job]
                results[name] = result
                board.tick(name, 1.0)
                missed = sum(not row.passed for row in result.rows)
                verdict = f"{missed} of {len(result.rows)} missed" if missed else "ok"
                bar.close(f"{name}: {verdict}, {seconds:.0f} s")
        except BaseException:
            board.stopped = True
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return {case.name: results[case.name] for case in cases}


def table(results: dict[str, Result]) -> str:
    """Return the rows of all cases as text."""
    rows = [row for result in results.values() for row in result.rows]
    width = max(len(row.case) for row in rows)
    lines = [f"{'case':{width}s} {'value':>12s} {'reference':>12s} {'error':>10s} {'tolerance':>10s}  pass  source"]
    for row in rows:
        error, tolerance = (_percent(x) if row.relative else f"{x:.2g}" for x in (row.error, row.tolerance))
        verdict = "yes" if row.passed else "NO"
        lines.append(
            f"{row.case:{width}s} {row.value:12.6g} {row.reference:12.6g} {error:>10s} {tolerance:>10s}  {verdict:4s}"
            f"  {row.source}"
        )
    passed = sum(row.passed for row in rows)
    lines.append(f"{passed} of {len(rows)} within tolerance")
    return "\n".join(lines)


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.2g} %"


def as_json(results: dict[str, Result]) -> dict[str, Any]:
    """Return the rows of all cases for ``--json``."""
    cases = []
    for name, result in results.items():
        for row in result.rows:
            fields = {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in _fields(row).items()}
            cases.append({"name": name, **fields, "pass": row.passed})
    return {"cases": cases, "pass": all(case["pass"] for case in cases)}


def plot(folder: Path, cases: list[Case], results: dict[str, Result]) -> list[Path]:
    """Write a figure for each family of cases and return the files."""
    from sim.cases.figures import write_figure

    families: dict[str, list[Curve]] = {}
    for case in cases:
        families.setdefault(case.module, []).extend(results[case.name].curves)
    written = []
    for family, curves in families.items():
        if curves:
            written.append(folder / f"{family}.png")
            write_figure(written[-1], f"python -m sim.verify: {family}", curves)
    return written


def _cores() -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(4, cores)


def main(argv: list[str]) -> int:
    """Run the command; return its exit code."""
    options = make_parser().parse_args(argv)
    cases = select(options.case, options.full)
    threads = _cores() if options.threads is None else options.threads
    if threads < 1:
        raise InputError(f"--threads {threads}: at least 1")
    results = verify(cases, options.fresh, threads, options.quiet)
    say(table(results), options.quiet)
    if options.plot is not None:
        for path in plot(options.plot, cases, results):
            say(str(path), options.quiet)
    report = as_json(results)
    if options.json:
        print_json(report)
    return Exit.DONE if report["pass"] else Exit.FAILED_CHECK


if __name__ == "__main__":
    run_command(main)
