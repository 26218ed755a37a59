"""Folders of tables, figures and a report: refused early, written whole."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bridge.command import InputError, check_output, replacing, write_text

REPORT = "report.json"
"""What a command's ``--json`` prints, in the folder that it leaves."""


def check_folder(path: Path) -> None:
    """Refuse, before anything is computed, a folder that is there already or cannot be made.

    Raises
    ------
    InputError
        If there is something of this name, other than an empty folder.
    OSError
        If it cannot be written there.
    """
    if path.is_dir() and not any(path.iterdir()):
        return
    if path.exists():
        raise InputError(f"--out = {str(path)!r}: there already; choose another folder or delete this one")
    check_output(path, path.suffix.lower())


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder that becomes `path` if the block succeeds."""
    with replacing(path) as part:
        part.mkdir()
        yield part


def save_table(path: Path, columns: Mapping[str, Any]) -> None:
    """Write columns of equal length as CSV in one piece, numbers with nine digits, unknown ones empty."""
    import pandas as pd

    write_text(path, pd.DataFrame(dict(columns)).to_csv(index=False, float_format="%.9g", lineterminator="\n"))


def save_report(folder: Path, report: Mapping[str, Any]) -> None:
    """Write a command's report into its folder."""
    write_text(folder / REPORT, json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
