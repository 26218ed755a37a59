"""From the folders of a sweep to the rows of its table."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sim.command import InputError
from sim.config import PHYSICS_VERSION
from sim.features import FEATURES
from sim.runfolder import existing
from sim.sweeps.ledger import Entry, entries
from sim.trace import is_complete


def collect(folder: Path) -> tuple[list[dict[str, Any]], int]:
    """Return a row for every run in the folder of a sweep, finished or in the ledger, and how many are left out.

    Runs of another version of the physics are left out: their numbers do not belong in one table.
    """
    rows = [_finished(path) for path in finished(folder)]
    done = {row["run"] for row in rows}
    rows += [_without_result(entry) for run, entry in entries(folder).items() if run not in done]
    of_now = [row for row in rows if row["physics_version"] in (None, PHYSICS_VERSION)]
    return of_now, len(rows) - len(of_now)


def finished(folder: Path) -> Iterator[Path]:
    """Yield the folders of finished runs, by name."""
    for path in sorted(folder.iterdir()):
        if not path.name.startswith(".") and path.is_dir() and is_complete(path):
            yield path


def _finished(path: Path) -> dict[str, Any]:
    """Return the row of a finished run; one whose files are damaged is a failed one, with the reason."""
    try:
        provenance = json.loads((path / "provenance.json").read_text(encoding="utf-8"))
        row = _parameters(path.name, (path / "config.toml").read_text(encoding="utf-8")) | _provenance(provenance)
    except (OSError, ValueError, AttributeError, KeyError) as error:
        return _row(path.name, path.name.rpartition("-")[0], "FAILED", f"{path}: damaged ({error})")
    try:
        result = existing(path) or {}
        values = {name: result["features"][name]["value"] for name in FEATURES if name in result["features"]}
        drift = result["drift"]
        values["drift_area"] = drift.get("area", drift.get("volume"))
        values |= {"drift_slip": drift["slip"], "drift_wall_distance": drift["smallest_wall_distance_m"]}
    except (InputError, KeyError, TypeError, AttributeError) as error:
        return row | {"outcome": "FAILED", "reason": str(error)}
    return row | values | {"outcome": result["outcome"]}


def _without_result(entry: Entry) -> dict[str, Any]:
    try:
        parameters = _parameters(entry.run, entry.config)
    except (ValueError, KeyError):
        return _row(entry.run, entry.run.rpartition("-")[0], entry.outcome, entry.reason)
    return parameters | _provenance(entry.provenance) | {"outcome": entry.outcome, "reason": entry.reason}


def _parameters(run: str, config: str) -> dict[str, Any]:
    values = tomllib.loads(config)
    return {"run": run, "class": values["name"], **dict(_flat(values, ""))}


def _flat(values: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _row(run: str, kind: str, outcome: str, reason: str) -> dict[str, Any]:
    return {"run": run, "class": kind, "outcome": outcome, "reason": reason, "physics_version": None}


def _provenance(values: Mapping[str, Any]) -> dict[str, Any]:
    names = ("wall_time_s", "started", "host", "commit", "physics_version")
    return {name: values.get(name) for name in names}
