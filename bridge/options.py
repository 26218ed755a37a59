"""Command-line options of the microscope model: one for each field of its configurations."""

from __future__ import annotations

from dataclasses import asdict, field, fields, make_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from bridge.looks import CellOptics
from bridge.microscope import Effect, Microscope, describe, read_microscope


def _options(name: str, kind: type, doc: str) -> Any:
    """Return a dataclass with the fields of a configuration, each open and with its help."""
    made = []
    for one in fields(kind):
        text = describe(kind, one.name)
        if one.name == "without":
            made.append((one.name, Annotated[tuple[Effect, ...] | None, tyro.conf.arg(help=text)], field(default=None)))
            continue
        usual = getattr(kind(), one.name)
        value = type(usual)
        shown = tyro.conf.arg(help=text, help_behavior_hint=f"(default: the preset's; first preset: {usual:g})")
        made.append((one.name, Annotated[value | None, shown], field(default=None)))
    options = make_dataclass(name, made)
    options.__doc__ = doc
    return options


if TYPE_CHECKING:

    class OpticsOptions:
        """Values that take the place of the microscope's; each field of `Microscope`, or None."""

        exposure: float | None

    class CellOptions:
        """Values that take the place of those of the cell's class; each field of `CellOptics`, or None."""

else:
    OpticsOptions = _options("OpticsOptions", Microscope, "Values that take the place of the microscope's.")
    CellOptions = _options("CellOptions", CellOptics, "Values that take the place of the cell's class's.")


def look_of(look: Path | None, microscope: str, optics: Any, cell: Any) -> tuple[Microscope, dict[str, Any]]:
    """Return the microscope and the values of the cells' optics that a command line asks for.

    Parameters
    ----------
    look
        Look that takes the place of the named microscope; None for the latter.
    microscope
        Name or file.
    optics, cell
        Values given one by one: `OpticsOptions` and `CellOptions`.
    """
    if look is None:
        return read_microscope(microscope, asdict(optics)), given(cell)
    from bridge.look_file import read_look

    scope, values = read_look(look, asdict(optics))
    return scope, values | given(cell)


def given(options: Any) -> dict[str, Any]:
    """Return the values given on a command line, by field."""
    return {name: value for name, value in asdict(options).items() if value is not None}
