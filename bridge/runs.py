"""Run folders for `learn`, which does not see `sim`: the trace, the walls of its channel, what its numbers mean."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sim.command import InputError
from sim.config import fields, load_config
from sim.features import FEATURES
from sim.sweep_table import CAME_THROUGH, PASSED, Column, read_sweep
from sim.trace import Trace, is_complete, read_trace

if TYPE_CHECKING:
    import numpy as np

__all__ = [
    "CAME_THROUGH",
    "FEATURES",
    "PASSED",
    "Column",
    "Trace",
    "channel_walls",
    "fields",
    "is_run",
    "preset_pressure",
    "read_run",
    "read_sweep",
    "seen_outlines",
    "shipped_population",
    "shipped_preset",
]


def is_run(folder: Path) -> bool:
    """Return whether `folder` holds a finished run."""
    return is_complete(folder)


def read_run(folder: Path) -> tuple[Trace, dict[str, Any], dict[str, Any], str]:
    """Return what a finished run left: trace, ``features.json``, ``provenance.json`` and ``log.txt``.

    Raises
    ------
    InputError
        If the folder holds no finished run, or a file is damaged or missing.
    """
    trace = read_trace(folder)
    try:
        features, provenance = (
            json.loads((folder / name).read_text(encoding="utf-8")) for name in ("features.json", "provenance.json")
        )
        log = (folder / "log.txt").read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise InputError(f"{folder}: features.json, provenance.json or log.txt damaged or missing ({error})") from error
    return trace, features, provenance, log


def seen_outlines(trace: Trace) -> list[np.ndarray]:
    """Return the outline (points, 2) in m of each snapshot, of a mesh as seen along the optical axis."""
    if trace.snapshots.shape[2] == 2:
        return list(trace.snapshots)
    from bridge.solid import seen_outline

    return [seen_outline(nodes, trace.faces) for nodes in trace.snapshots]


def channel_walls(trace: Trace) -> list[np.ndarray]:
    """Return the walls seen along the optical axis as polylines (points, 2) in m.

    None are returned for a channel from a mask image, which has no polylines, or from a file that is gone.
    """
    from sim.outline import walls

    if trace.config.channel.kind == "mask":
        return []
    try:
        return walls(trace.config.channel)
    except InputError:
        return []


def shipped_population(name: str) -> str:
    """Return the text of a population that ships with `sim.sweep`, comments with the sources included."""
    return (resources.files("sim") / "populations" / f"{name}.toml").read_text(encoding="utf-8")


def shipped_preset(name: str) -> str:
    """Return the text of a preset of `sim.run`, comments with the sources included."""
    return (resources.files("sim") / "configs" / f"{name}.toml").read_text(encoding="utf-8")


def preset_pressure(name: str) -> float:
    """Return the pressure drop of a preset (Pa).

    Raises
    ------
    InputError
        If the preset is driven otherwise.
    """
    pressure = load_config(name).fluid.pressure_drop
    if pressure is None:
        raise InputError(f"preset {name} states no fluid.pressure_drop")
    return pressure
