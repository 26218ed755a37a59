"""What a sweep knows beside its run folders: runs without a result, and why.

``FOLDER/.sweep/ledger/<run>.json`` holds for each of them the configuration, how it ended (``UNSTABLE``, ``REFUSED``,
``FAILED``), the reason and the provenance. A finished run folder outweighs an entry.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sim.config import SimulationConfig
from sim.files import write_text

HOUSE = ".sweep"
"""Folder, within that of the sweep, of what is no run."""


@dataclass(frozen=True)
class Entry:
    """A run without a result.

    Attributes
    ----------
    run
        Name of its folder, if it had one.
    outcome
        ``UNSTABLE``, ``REFUSED`` or ``FAILED``.
    reason
        Why.
    config
        Its configuration as TOML.
    provenance
        As in ``provenance.json``, as far as it was run.
    """

    run: str
    outcome: str
    reason: str
    config: str
    provenance: dict[str, Any]


def make_entry(run: str, outcome: str, reason: str, config: SimulationConfig, provenance: dict[str, Any]) -> Entry:
    """Return an entry; its reason is made one line."""
    return Entry(run, outcome, " ".join(reason.split()), config.to_toml(), provenance)


def record(folder: Path, entry: Entry) -> None:
    """Write an entry into the ledger of the sweep in `folder`.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    write_text(_path(folder, entry.run), json.dumps(entry.__dict__, indent=1) + "\n")


def forget(folder: Path, run: str) -> None:
    """Remove the entry of a run, if there is one."""
    _path(folder, run).unlink(missing_ok=True)


def entries(folder: Path) -> dict[str, Entry]:
    """Return the entries of the sweep in `folder` by run; damaged ones are left out, and their runs run again."""
    found = {}
    for path in sorted((folder / HOUSE / "ledger").glob("[!.]*.json")):
        entry = entry_of(folder, path.stem)
        if entry is not None:
            found[entry.run] = entry
    return found


def entry_of(folder: Path, run: str) -> Entry | None:
    """Return the entry of a run; None if there is none, or it is damaged."""
    try:
        return Entry(**json.loads(_path(folder, run).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _path(folder: Path, run: str) -> Path:
    return folder / HOUSE / "ledger" / f"{run}.json"
