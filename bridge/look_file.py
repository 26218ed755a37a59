"""A look: how the microscope and the cells of one recording picture, as a TOML file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.command import InputError
from bridge.looks import CellOptics, optics_of
from bridge.microscope import describe, microscope_from, read_toml, to_toml

if TYPE_CHECKING:
    from bridge.microscope import Microscope


def read_look(path: Path, overrides: Mapping[str, Any]) -> tuple[Microscope, dict[str, Any]]:
    """Return the microscope of a look, some values replaced, and its values of `CellOptics`.

    Parameters
    ----------
    path
        TOML file with the tables ``[microscope]`` and ``[cell]``; what they do not state is that of `te2000` and of the
        cell's class.
    overrides
        Values of the microscope by field; None keeps the look's.

    Raises
    ------
    InputError
        If the file is malformed, names an unknown field, or a value is out of its range.
    """
    tables = read_toml(path)
    for name, table in tables.items():
        if name not in ("microscope", "cell") or not isinstance(table, dict):
            raise InputError(f"{path}: {name}: a look has the tables [microscope] and [cell]")
    microscope = microscope_from(tables.get("microscope", {}), str(path), overrides)
    cell: dict[str, Any] = tables.get("cell", {})
    known = asdict(CellOptics())
    for name in cell:
        if name not in known:
            raise InputError(f"{path}: cell.{name}: unknown key; known: {', '.join(known)}")
    optics_of(str(path), cell)  # refuses what is out of range
    return microscope, cell


def look_text(microscope: Microscope, cell: Mapping[str, Any], heading: str) -> str:
    """Return a look as the text of a TOML file, each value with its meaning and unit, under a comment."""
    lines = [f"{name} = {value!r}  # {describe(CellOptics, name)}" for name, value in cell.items()]
    return (
        "".join(f"# {line}\n" for line in heading.splitlines())
        + f"\n[microscope]\n{to_toml(microscope)}\n[cell]\n"
        + "\n".join(lines)
        + "\n"
    )
