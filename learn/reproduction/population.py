"""What is simulated: the classes that ship with `sim.sweep`, shared out over the simulated days, and single cells."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bridge.command import write_text
from bridge.runs import preset_pressure, shipped_population
from learn.reproduction.scales import CLASSES, DEVELOPMENT, TEST, Day, Scale, days_of

KS = (2e-3, 1.46e-2)
KB = (8e-17, 6.4e-16)
"""Stretching (N/m) and bending constants (J) of Fig. 9e and f beside those of hct116: the lowest of the populations,
and twice and four times the preset's."""


def write_population(path: Path, scale: Scale) -> None:
    """Write the cells of every class and day, those in three dimensions on the first day; same scale, same file."""
    shipped = tomllib.loads(shipped_population("classes"))
    classes = {content["preset"]: content for content in shipped["class"]}
    blocks = [f"seed = {shipped['seed']}"]
    # The long runs first, so that no worker is left alone with one at the end.
    for label, cells in scale.solid.items():
        solid = {name: classes[label].get(name, {}) | values for name, values in scale.solid_fields.items()}
        blocks.append(_block(classes[label] | solid, cells, DEVELOPMENT[0]))
    for day in days_of(scale):
        for label in CLASSES:
            each, last = scale.per_day(label)
            blocks.append(_block(classes[label], last if day is TEST else each, day))
    write_text(path, "\n\n".join(blocks) + "\n")


def write_singles(path: Path) -> None:
    """Write the cells of Fig. 9e and f as a table for `sim.sweep`: hct116, and with other Ks and Kb."""
    rows = [{}, *({"cell.ks": value} for value in KS), *({"cell.kb": value} for value in KB)]
    lines = ["preset,cell.ks,cell.kb"]
    lines += [f"hct116,{row.get('cell.ks', '')},{row.get('cell.kb', '')}" for row in rows]
    write_text(path, "\n".join(lines) + "\n")


def pressure_of(day: Day, label: str) -> float:
    """Return the pressure drop (Pa) of a class on a day, rounded so that it names the day."""
    return float(f"{day.pressure * preset_pressure(label):.6g}")


def day_of(pressure: float, label: str, scale: Scale) -> str:
    """Return the name of the day on which a class was driven by this pressure drop (Pa).

    Raises
    ------
    KeyError
        If there was none.
    """
    for day in days_of(scale):
        if abs(pressure_of(day, label) / pressure - 1) < 1e-6:
            return day.name
    raise KeyError(f"{pressure:g} Pa belongs to no day")


def _block(content: Mapping[str, Any], cells: int, day: Day) -> str:
    """Return one class of one day as TOML."""
    label = content["preset"]
    lines = ["[[class]]", f'preset = "{label}"', f"cells = {cells}"]
    if "correlations" in content:
        lines.append(f"correlations = {json.dumps(content['correlations'])}")
    sections = {name: value for name, value in content.items() if isinstance(value, dict)}
    sections["fluid"] = sections.get("fluid", {}) | {"pressure_drop": pressure_of(day, label)}
    for section, values in sections.items():
        lines.append(f"[class.{section}]")
        lines += [f"{name} = {_value(value)}" for name, value in values.items()]
    return "\n".join(lines)


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {_value(inner)}" for name, inner in value.items()) + " }"
    return json.dumps(value)
