"""Designs: which configurations a sweep consists of.

A case is a preset or file with values for some fields. Cases come from a table of rows (explicit, random or drawn from
populations, see `sim.sweeps.population`) times a grid.
"""

from __future__ import annotations

import csv
import difflib
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from sim.command import InputError
from sim.config import fields

MOST_RUNS = 1_000_000
DIGITS = 12
"""Significant digits of computed values, so that they are the same wherever they are computed."""


@dataclass(frozen=True)
class Case:
    """One configuration to be simulated: preset or TOML file, and values as text by dotted name of the field."""

    source: str
    values: Mapping[str, str] = field(default_factory=dict)


def text(value: float) -> str:
    """Return a computed number as text, rounded to `DIGITS`."""
    return repr(float(f"{value:.{DIGITS}g}"))


def parse_axis(words: str) -> tuple[str, list[str]]:
    """Return field and values of ``FIELD=LOW:HIGH:N``, ``FIELD=LOW:HIGH:N:log``, or ``seed=FIRST:STOP``.

    Raises
    ------
    InputError
        If it is none of these.
    """
    name, parts = _split(words, "LOW:HIGH:N[:log]")
    if name == "seed" and len(parts) == 2 and all(part.isdecimal() for part in parts):
        first, stop = map(int, parts)
        if first >= stop:
            raise InputError(f"{words}: integers from {first} up to, not including, {stop} are none: raise the second")
        return name, [str(value) for value in range(first, stop)]
    if len(parts) not in (3, 4) or not parts[2].isdecimal() or int(parts[2]) < 1:
        raise InputError(
            f"{words}: write FIELD=LOW:HIGH:N or FIELD=LOW:HIGH:N:log with N ≥ 1 values, or seed=FIRST:STOP"
        )
    low, high, log = parse_range(f"{name}={':'.join(parts[:2] + parts[3:])}")[1:]
    spread = np.geomspace if log else np.linspace
    values = [float(value) for value in spread(low, high, int(parts[2]))]
    if all(part.isdecimal() for part in parts[:2]) and all(value.is_integer() for value in values):
        return name, [str(int(value)) for value in values]
    return name, [text(value) for value in values]


def parse_values(words: str) -> tuple[str, list[str]]:
    """Return field and values of ``FIELD=VALUE,VALUE,…``.

    Raises
    ------
    InputError
        If there is no value.
    """
    name, parts = _split(words, "VALUE,VALUE,…", ",")
    return name, parts


def parse_range(words: str) -> tuple[str, float, float, bool]:
    """Return field, bounds and whether it is logarithmic, of ``FIELD=LOW:HIGH`` or ``FIELD=LOW:HIGH:log``.

    Raises
    ------
    InputError
        If it is neither, or the bounds are out of order.
    """
    name, parts = _split(words, "LOW:HIGH[:log]")
    scale = parts[2] if len(parts) == 3 else "lin"
    try:
        low, high = (float(part) for part in parts[:2])
    except ValueError as error:
        raise InputError(f"{words}: write FIELD=LOW:HIGH or FIELD=LOW:HIGH:log with two numbers") from error
    if len(parts) > 3 or scale not in ("lin", "log"):
        raise InputError(f"{words}: after the bounds may stand log or lin, not {':'.join(parts[2:])!r}")
    if not low <= high or not np.isfinite([low, high]).all() or (scale == "log" and low <= 0):
        rule = "0 < LOW ≤ HIGH" if scale == "log" else "LOW ≤ HIGH"
        raise InputError(f"{words}: bounds must be finite and {rule}")
    return name, low, high, scale == "log"


def _split(words: str, form: str, separator: str = ":") -> tuple[str, list[str]]:
    name, equals, rest = words.partition("=")
    parts = [part.strip() for part in rest.split(separator)]
    if not equals or not all(parts):
        raise InputError(f"{words}: write FIELD={form}")
    check_field(name)
    return name, parts


def check_field(name: str) -> None:
    """Refuse a name that is no field of a configuration.

    Raises
    ------
    InputError
        With the nearest name.
    """
    known = [one for one, _ in fields()]
    if name not in known:
        close = difflib.get_close_matches(name, known, 1)
        raise InputError(
            f"{name}: no field of a configuration; {f'did you mean {close[0]}?' if close else 'see --help'}"
        )


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV table whose header names fields (SI), or ``preset``; empty cells are left out.

    Raises
    ------
    InputError
        If it cannot be read or a column is no field.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            header, *lines = [line for line in csv.reader(stream) if any(cell.strip() for cell in line)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as CSV ({error})") from error
    except ValueError as error:
        raise InputError(f"{path}: empty; its first line must name fields") from error
    for name in header:
        if name != "preset":
            check_field(name)
    wrong = [number for number, line in enumerate(lines, 2) if len(line) != len(header)]
    if wrong or len(set(header)) < len(header):
        what = f"line {wrong[0]} has not {len(header)} cells" if wrong else "a column occurs twice"
        raise InputError(f"{path}: {what}")
    return [{name: cell.strip() for name, cell in zip(header, line, strict=True) if cell.strip()} for line in lines]


def sample_rows(
    kind: str, count: int, ranges: Sequence[tuple[str, float, float, bool]], seed: int
) -> list[dict[str, str]]:
    """Return a space-filling random design.

    Parameters
    ----------
    kind
        ``lhs``: Latin hypercube; ``sobol``: scrambled Sobol' sequence.
    count
        Number of rows; a power of two for Sobol'.
    ranges
        Fields with bounds, and whether it is their logarithm that is spread evenly.
    seed
        Draws the design.

    Raises
    ------
    InputError
        If there are no ranges, or the number is no power of two.
    """
    from scipy.stats import qmc

    if not ranges:
        raise InputError(f"--{kind} {count}: say what is varied, --range FIELD=LOW:HIGH[:log]")
    if count < 1:
        raise InputError(f"--{kind} {count}: at least one point is needed")
    names = [name for name, *_ in ranges]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise InputError(f"--range {twice}: stated twice; leave one out")
    if kind == "sobol" and count & (count - 1):
        power = 1 << count.bit_length()
        raise InputError(f"--sobol {count}: must be a power of two, else it is not balanced: {power // 2} or {power}")
    engine = (qmc.Sobol if kind == "sobol" else qmc.LatinHypercube)(len(ranges), rng=seed)
    rows = []
    for point in engine.random(count):
        row = {}
        for share, (name, low, high, log) in zip(point.tolist(), ranges, strict=True):
            row[name] = text(low * (high / low) ** share if log else low + (high - low) * share)
        rows.append(row)
    return rows


def cross(
    sources: Sequence[str], rows: Sequence[Mapping[str, str]], axes: Iterable[tuple[str, Sequence[str]]]
) -> list[Case]:
    """Return every row of every source, times the grid of some axes; a row's own ``preset`` goes before the sources.

    Raises
    ------
    InputError
        If a field is set twice, or there are more than `MOST_RUNS`.
    """
    names, values = zip(*axes, strict=True) if axes else ((), ())
    twice = [name for name in names if names.count(name) > 1 or any(name in row for row in rows)]
    if twice:
        raise InputError(f"{twice[0]}: is set twice, by two axes or by an axis and a row; leave one out")
    total = len(sources) * len(rows) * int(np.prod([len(v) for v in values], dtype=float))
    if total > MOST_RUNS:
        raise InputError(f"{total:.3g} runs: at most {MOST_RUNS:,}; make the grid coarser")
    cases = []
    for source, row, point in itertools.product(sources, rows, itertools.product(*values)):
        own = {name: value for name, value in row.items() if name != "preset"}
        cases.append(Case(row.get("preset", source), own | dict(zip(names, point, strict=True))))
    return cases
