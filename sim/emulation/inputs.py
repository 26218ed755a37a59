"""Which parameters of a sweep an emulator depends on, and where its design ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.command import InputError

if TYPE_CHECKING:
    import pandas as pd

SECTIONS = ("fluid.", "channel.", "cell.")
"""Sections of the configuration whose fields an emulator may depend on."""
SOLID_ONLY = ("cell.ka_local", "cell.membrane_viscosity", "cell.inflation", "cell.skalak_c", "cell.start_z")
"""Fields without effect in two dimensions."""
ONE_VALUE = ("numerics.dimension", "numerics.dx", "numerics.wall_range", "numerics.coupling", "channel.kind")
"""Fields in which the runs of one emulator must agree."""


@dataclass(frozen=True)
class Input:
    """One parameter: dotted name, unit, range in the design (SI), and whether its logarithm is taken."""

    name: str
    unit: str
    low: float
    high: float
    log: bool

    def scale(self, values: np.ndarray | float) -> np.ndarray:
        """Return values as fractions of the design's range, 0 to 1."""
        low, high, values = (np.log(v) if self.log else np.asarray(v) for v in (self.low, self.high, values))
        return (values - low) / (high - low)

    def unscale(self, fractions: np.ndarray | float) -> np.ndarray:
        """Return fractions of the design's range as values in SI."""
        fractions = np.asarray(fractions, dtype=float)
        if self.log:
            return self.low * (self.high / self.low) ** fractions
        return self.low + (self.high - self.low) * fractions

    def require(self, value: float) -> None:
        """Raise InputError if a value is outside of the design."""
        slack = 1e-6 * (self.high - self.low)
        if not self.low - slack <= value <= self.high + slack:
            raise InputError(
                f"{self.name} = {value:g} {self.unit}: outside of the design, {self.low:.4g} to {self.high:.4g} "
                f"{self.unit}; stay within, or sweep further and fit again"
            )

    def describe(self) -> str:
        """Return name and range with unit."""
        return f"{self.name} {self.low:.4g} to {self.high:.4g}{f' {self.unit}' if self.unit else ''}"


@dataclass(frozen=True)
class Design:
    """The parameters of a sweep and the region they fill: their box and the ellipsoid around the runs.

    Attributes
    ----------
    inputs
        The D parameters.
    points
        The runs as fractions of the ranges (N, D).
    fixed
        Parameters that were the same in all runs.
    """

    inputs: tuple[Input, ...]
    points: np.ndarray
    fixed: Mapping[str, Any]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters, in order."""
        return tuple(item.name for item in self.inputs)

    def scale(self, columns: Mapping[str, Any]) -> np.ndarray:
        """Return cells (M,) given by parameters as points (M, D)."""
        return np.column_stack([np.atleast_1d(item.scale(columns[item.name])) for item in self.inputs])

    def inside(self, points: np.ndarray) -> np.ndarray:
        """Return whether points (M, D) lie within the box and no further out than any run.

        Notes
        -----
        Distances are Mahalanobis': in a population whose parameters go together, the box holds
        combinations that no run is near to.
        """
        tolerance = 1e-5
        boxed = ((points >= -tolerance) & (points <= 1 + tolerance)).all(axis=1)
        return boxed & (self._distance(points) <= self._reach + tolerance)

    def _distance(self, points: np.ndarray) -> np.ndarray:
        away = points - self._middle
        return np.sqrt(np.einsum("md,de,me->m", away, self._precision, away))

    @cached_property
    def _middle(self) -> np.ndarray:
        return self.points.mean(axis=0)

    @cached_property
    def _precision(self) -> np.ndarray:
        spread = np.atleast_2d(np.cov(self.points, rowvar=False))
        return np.linalg.inv(spread + 1e-9 * np.eye(len(self.inputs)))

    @cached_property
    def _reach(self) -> float:
        return float(self._distance(self.points).max())

    def require(self, values: Mapping[str, float]) -> np.ndarray:
        """Return one cell as a point (D,).

        Raises
        ------
        InputError
            If a parameter is missing or unknown, or the cell lies outside of the design; with the ranges.
        """
        ranges = "; ".join(item.describe() for item in self.inputs)
        self.check_held(values)
        missing = [name for name in self.names if name not in values]
        if missing:
            raise InputError(f"--{missing[0]} is missing; the emulator asks for {ranges}")
        for item in self.inputs:
            item.require(values[item.name])
        point = self.scale(values)
        if not self.inside(point)[0]:
            near = self.points[np.linalg.norm(self.points - point, axis=1).argmin()]
            at = ", ".join(f"{i.name} {float(i.unscale(z)):.4g}" for i, z in zip(self.inputs, near, strict=True))
            raise InputError(
                "each value is within its range, but no run has a combination like this one; "
                f"the nearest run has {at} (ranges: {ranges})"
            )
        return point[0]

    def check_held(self, values: Mapping[str, float]) -> None:
        """Check that each value is of a parameter, or the one that the sweep held.

        Raises
        ------
        InputError
            If one is not.
        """
        for name, value in values.items():
            if name in self.fixed:
                held = self.fixed[name]
                if isinstance(held, (int, float)) and np.isclose(held, value, rtol=1e-6, atol=0):
                    continue
                raise InputError(f"{name} = {value:g}: the sweep held it at {held}; leave it out, or sweep it")
            if name not in self.names:
                ranges = "; ".join(item.describe() for item in self.inputs)
                raise InputError(f"{name} is no parameter of this emulator; there are {ranges}")


def make_design(
    table: pd.DataFrame, units: Mapping[str, str], over: Sequence[str] = (), constants: Mapping[str, Any] | None = None
) -> Design:
    """Return the design of a sweep: what varies in it, or the parameters `over`.

    Parameters
    ----------
    table
        A sweep's table, one row a run, parameters in columns of dotted names.
    units
        Unit of each column.
    over
        Names of the parameters to take; what varies besides counts as noise.
    constants
        Fields of the configuration that are the same for all runs and no columns.

    Raises
    ------
    InputError
        If nothing varies, the runs differ in their numerics, or a parameter is not stated for all.
    """
    for name in ONE_VALUE:
        values = _distinct(table, name) if name in table else []
        if len(values) > 1:
            found = ", ".join(sorted(str(v) for v in values))
            raise InputError(f"the runs differ in {name} ({found}): an emulator needs one; make one sweep for each")
    distinct = {name: _distinct(table, name) for name in table if name.startswith((*SECTIONS, "numerics."))}
    columns = {name: values[0] for name, values in distinct.items() if len(values) == 1 and values[0] is not None}
    held = {name: value for name, value in (constants or {}).items() if len(distinct.get(name, [])) < 2}
    same = {**held, **columns}
    varying = _varying(table, flat=same.get("numerics.dimension") == 2)
    wrong = [name for name in over if name not in varying]
    if wrong:
        raise InputError(f"{wrong[0]} does not vary in this sweep; there vary {', '.join(varying) or 'none'}")
    names = list(over) or varying
    if not names:
        raise InputError("nothing varies in this sweep: sweep fields of fluid, channel or cell, such as cell.ks")
    inputs = []
    for name in names:
        values = table[name].to_numpy(dtype=float)
        if not np.isfinite(values).all():
            raise InputError(f"{name} is not stated for all runs: sweep cells with and without it apart")
        inputs.append(Input(name, units.get(name, ""), values.min(), values.max(), bool((values > 0).all())))
    fixed = {name: value for name, value in same.items() if name.startswith(SECTIONS) and name not in names}
    blank = Design(tuple(inputs), np.zeros((0, len(inputs))), fixed)
    return Design(blank.inputs, blank.scale({n: table[n].to_numpy(dtype=float) for n in names}), fixed)


def _distinct(table: pd.DataFrame, name: str) -> list[Any]:
    """Return the distinct values of a column as Python's own, None for a missing one."""
    values = set(table[name].tolist())
    known = [value for value in values if value == value]
    return known + ([None] if len(known) < len(values) else [])


def _varying(table: pd.DataFrame, flat: bool) -> list[str]:
    """Return the numeric parameters that vary, without those that have no effect in two dimensions."""
    without = (*SOLID_ONLY, "channel.depth") if flat else ()
    return [
        name
        for name in table
        if name.startswith(SECTIONS)
        and name not in without
        and table[name].dtype.kind in "fiu"
        and len(_distinct(table, name)) > 1
    ]
