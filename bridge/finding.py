"""What `bridge.check` finds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """One fault or remark."""

    level: Literal["error", "warning", "info"]
    check: str
    """Name of the check, for machines."""
    what: str
    """What was found, for people."""
    cells: tuple[str, ...]
    """Cells it concerns; empty where it concerns the dataset."""
    remedy: str
    """What to do."""


def unique(values: Iterable[str]) -> tuple[str, ...]:
    """Return values without repetitions, in order."""
    return tuple(dict.fromkeys(values))
