"""Reference cases of `python -m sim.verify`: the rows and curves they return."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

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


def at_least(case: str, value: float, bound: float, source: str) -> Row:
    """Return a row that passes where the value is above a bound; its error is what is missing."""
    missing = max(0.0, bound - value) if value != bound else float("inf")
    return Row(case, float(value), float(bound), source, float(missing), 0.0, False)


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
