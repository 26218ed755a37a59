"""Folders of tables, figures and a report: refused early, written whole."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from bridge.command import Exit, InputError, check_output, print_json, replacing, say, software, write_text

REPORT = "report.json"
"""What a command's ``--json`` prints, in the folder that it leaves."""

PROVENANCE = "provenance.json"
"""Command line, machine, versions and commit, beside it."""


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
    """Write a command's report into its folder, and beside it what made it."""
    write_text(folder / REPORT, json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    made = software(("numpy", "jax", "flax", "optax", "scikit-learn"))
    write_text(folder / PROVENANCE, json.dumps(made, indent=1) + "\n")


class Options(Protocol):
    """What the commands that leave such a folder have in common."""

    @property
    def out(self) -> Path:
        """The folder."""
        ...

    @property
    def json(self) -> bool:
        """Whether the report goes to standard output."""
        ...

    @property
    def quiet(self) -> bool:
        """Whether nothing else is said."""
        ...


def tell(report: Mapping[str, Any], text: str, options: Options) -> int:
    """Say what a report comes to and where its folder is, print it if asked for, and return the exit code."""
    say(text, options.quiet)
    say(f"figures and tables: {options.out}", options.quiet)
    if options.json:
        print_json({"out": str(options.out), **report})
    return Exit.DONE
