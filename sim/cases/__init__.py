"""Reference cases of `python -m sim.verify`: what each is, and the rows and curves it returns."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Tick = Callable[[float], None]
"""Told now and then what fraction of a case is done."""


@dataclass(frozen=True)
class Row:
    """One number against its reference.

    Attributes
    ----------
    case
        What was computed.
    value, reference
        The number and what it should be, in the unit `case` names, else dimensionless.
    source
        Where the reference comes from.
    error, tolerance
        How far off, and how far it may be; as a fraction of the reference if `relative`, else as a difference.
    relative
        See above.
    """

    case: str
    value: float
    reference: float
    source: str
    error: float
    tolerance: float
    relative: bool

    @property
    def passed(self) -> bool:
        """Whether the error is within the tolerance (NaN is not)."""
        return bool(self.error <= self.tolerance)


def relative(case: str, value: float, reference: float, source: str, tolerance: float) -> Row:
    """Return a row whose error is a fraction of the reference."""
    error = abs(value - reference) / abs(reference)
    return Row(case, float(value), float(reference), source, float(error), tolerance, True)


def absolute(case: str, value: float, reference: float, source: str, tolerance: float) -> Row:
    """Return a row whose error is the difference from the reference."""
    return Row(case, float(value), float(reference), source, float(abs(value - reference)), tolerance, False)


@dataclass(frozen=True)
class Curve:
    """A line or points of a figure.

    Attributes
    ----------
    panel
        Title of the panel it belongs to.
    axes
        Labels of the two axes with units, the same for all curves of a panel; a leading ``log:`` asks for a
        logarithmic axis.
    label
        Text in the legend.
    x, y
        Points.
    reference
        Whether this is the reference (drawn in black) or computed here.
    points
        Whether single points are shown rather than a line.
    """

    panel: str
    axes: tuple[str, str]
    label: str
    x: list[float]
    y: list[float]
    reference: bool = False
    points: bool = False


@dataclass(frozen=True)
class Result:
    """What a case returns: rows of the table and curves of its figure."""

    rows: tuple[Row, ...]
    curves: tuple[Curve, ...] = ()


@dataclass(frozen=True)
class Case:
    """A reference case.

    Attributes
    ----------
    name
        As on the command line: the family, a dash, what is special.
    module, function
        Where it is computed: ``sim.cases.<module>.<function>(*, tick, **parameters) -> Result``.
    about
        One line for ``--help``.
    seconds
        About how long it takes on two idle cores; weighs the progress bar.
    full
        Whether it is left to ``--full``.
    parameters
        Arguments that differ from the function's defaults.
    """

    name: str
    module: str
    function: str
    about: str
    seconds: float
    full: bool = False
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def family(self) -> str:
        """Cases of a family share a figure."""
        return self.module

    def compute(self, tick: Tick = lambda _: None) -> Result:
        """Compute the case."""
        module = importlib.import_module(f"sim.cases.{self.module}")
        return getattr(module, self.function)(tick=tick, **self.parameters)


CASES = (
    Case("poiseuille", "plane", "poiseuille", "plane channel: TRT exact, error of BGK as predicted", 2),
    Case("couette", "plane", "couette", "shear between moving walls: exact profile and wall force", 1),
    Case("womersley", "oscillating", "womersley", "oscillating plane channel: amplitude and phase", 5),
    Case("taylor-green", "vortices", "taylor_green", "decaying vortices: order of accuracy and viscosity", 3),
    Case("duct", "duct", "ducts", "ducts 1:1 and 20:5.2 against the series", 15),
)
"""All reference cases, in the order in which they are computed."""
