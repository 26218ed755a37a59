"""What a report page holds, and how it becomes one HTML file that needs nothing else."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TEMPLATES = Path(__file__).with_name("templates")

_PREFIXES = {-9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M"}
_SCALED = ("s", "m", "m/s", "Pa", "N/m", "Hz")
"""Units whose numbers are shown with a prefix."""


@dataclass(frozen=True)
class Fact:
    """One number of the summary."""

    name: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Cell:
    """One cell of a table: what is shown, what it is sorted by, and how it is marked."""

    text: str
    key: float | str
    mark: str = ""
    """``good``, ``bad``, ``fitted`` or empty."""
    note: str = ""
    """What stands below it in small letters."""


@dataclass(frozen=True)
class Table:
    """A table that the reader may sort by a click on a column's head."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    folded: bool = False
    """Whether it is closed until the reader opens it (open in print)."""


@dataclass(frozen=True)
class Figure:
    """A figure: inline SVG or an image of data, and its caption with units."""

    caption: str
    svg: str = ""
    image: str = ""
    """Data URI."""
    wide: bool = False
    """Whether it takes the whole width of the page."""
    width: int = 0
    """Largest width of the image (px); 0: that of its place."""


@dataclass(frozen=True)
class Player:
    """An animation of outlines in a channel, drawn by the page itself."""

    caption: str
    film: Mapping[str, Any]
    """See `learn.report_film.film_of`."""


@dataclass(frozen=True)
class Text:
    """A block of preformatted text: a command, a log, a configuration."""

    text: str
    title: str = ""
    folded: bool = False


@dataclass(frozen=True)
class Section:
    """A part of the page under one heading."""

    title: str
    blocks: Sequence[Table | Figure | Player | Text | str]


@dataclass(frozen=True)
class Page:
    """A whole report."""

    kind: str
    """What it is of: a run, a sweep, a training, …"""
    title: str
    lede: Sequence[str]
    """Sentences that say what came out."""
    facts: Sequence[Fact] = ()
    sections: Sequence[Section] = ()
    provenance: Sequence[tuple[str, str]] = ()
    commands: Sequence[str] = ()
    """What to type to get the same again."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Files beside the report and what they hold."""

    def html(self) -> str:
        """Return the page; the same content gives the same bytes."""
        import jinja2
        from markupsafe import Markup

        loader = jinja2.FileSystemLoader(TEMPLATES)
        environment = jinja2.Environment(
            loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
        )
        environment.tests["kind"] = lambda block, name: type(block).__name__ == name
        style, script = (Markup((TEMPLATES / f"report.{name}").read_text(encoding="utf-8")) for name in ("css", "js"))
        return environment.get_template("report.html").render(page=self, style=style, script=script)


def number(value: float | None, digits: int = 3) -> str:
    """Return a number with so many significant digits, an en dash where there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    if value != 0 and not 1e-3 <= abs(value) < 1e5:
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        return f"{mantissa.replace('-', '−')}·10{str(int(exponent)).translate(_RAISED)}"
    whole = max(0, digits - 1 - math.floor(math.log10(abs(value)))) if value else 0
    return f"{value:.{whole}f}".replace("-", "−")


_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def quantity(value: float | None, unit: str, digits: int = 3) -> str:
    """Return a number with its unit, prefixed where that reads better (0.000363 s: 363 µs)."""
    if unit in ("", "1"):
        return number(value, digits)
    if value is None or not math.isfinite(value) or value == 0 or unit not in _SCALED:
        return f"{number(value, digits)} {unit}"
    power = 3 * math.floor(math.log10(abs(value)) / 3 + 1e-9)
    if power not in _PREFIXES:
        return f"{number(value, digits)} {unit}"
    return f"{number(value / 10.0**power, digits)} {_PREFIXES[power]}{unit}"


def cell(value: Any, unit: str = "", digits: int = 4, mark: str = "") -> Cell:
    """Return a table's cell of a number or a text; numbers are sorted as numbers, unknown ones last."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return Cell("–", math.inf, mark)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return Cell(str(value), str(value), mark)
    if isinstance(value, int):
        return Cell(f"{value} {unit}".strip(), value, mark)
    return Cell(quantity(value, unit, digits), value, mark)


def interval(found: Mapping[str, float | None], digits: int = 3) -> str:
    """Return a value with its 95 % interval as text."""
    low, high = found.get("low"), found.get("high")
    value = f"{found['value']:.{digits}f}"
    return value if low is None or high is None else f"{value} ({low:.{digits}f} to {high:.{digits}f})"


def image_uri(path: Path) -> str:
    """Return a PNG, GIF or WebP file as a data URI."""
    kind = path.suffix.lower().lstrip(".")
    return f"data:image/{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"


def made_by(provenance: Mapping[str, Any], about: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what stands under Provenance: facts of the result, then commit, versions and machine where known."""
    versions = ", ".join(f"{name} {version}" for name, version in sorted(provenance.get("versions", {}).items()))
    known = dict(about) | {"commit": provenance.get("commit"), "versions": versions}
    known |= {key: provenance.get(key) for key in ("python", "started")} | {"machine": provenance.get("platform")}
    return [(name, str(value)) for name, value in known.items() if value not in (None, "", "–")]


def same_again(provenance: Mapping[str, Any]) -> list[str]:
    """Return the command that made a result as one would type it, ``python -m`` and the module's name first."""
    import shlex

    command = provenance.get("command")
    if not command:
        return []
    path = Path(command[0])
    own = path.suffix == ".py" and path.parent.name in ("sim", "bridge", "learn")
    first = ["python", "-m", f"{path.parent.name}.{path.stem}"] if own else [path.name]
    return [shlex.join([*first, *command[1:]])]
