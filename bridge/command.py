"""The command-line contract of `sim.command` and whole-file writing, for `bridge` and `learn`."""

from __future__ import annotations

import contextlib
import io
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

from sim.command import Exit, InputError, Unstable, print_json, progress, run_command, say
from sim.files import cache_dir, check_writable, replacing, write_text
from sim.provenance import software

__all__ = [
    "Exit",
    "InputError",
    "Unstable",
    "cache_dir",
    "check_output",
    "check_writable",
    "parse_arguments",
    "print_json",
    "progress",
    "replacing",
    "run_command",
    "say",
    "software",
    "write_text",
]

T = TypeVar("T")

_PLAIN = {
    "Error parsing ": "",
    "invalid literal for int() with base 10:": "no whole number:",
    "could not convert string to float:": "no number:",
}
"""What Python and tyro say, and what it means."""


def parse_arguments(kind: type[T], module: str, argv: list[str], **options: Any) -> T:
    """Return a command line as an instance of a dataclass whose fields and docstrings describe it.

    Parameters
    ----------
    kind
        The dataclass.
    module
        What stands after ``python -m``.
    argv
        The arguments.
    **options
        For `tyro.cli`.

    Raises
    ------
    InputError
        If an argument is unknown, missing or wrong.
    """
    import tyro

    options = {"prog": f"python -m {module}", "config": (tyro.conf.FlagCreatePairsOff,)} | options
    if "-h" in argv or "--help" in argv:
        return tyro.cli(kind, args=argv, **options)
    boxed = io.StringIO()
    try:
        with contextlib.redirect_stderr(boxed), _wide():
            return tyro.cli(kind, args=argv, **options)
    except SystemExit:
        raise InputError(f"{_unboxed(boxed.getvalue())}; see python -m {module} --help") from None


def check_output(path: Path, *suffixes: str) -> None:
    """Refuse, before anything is computed, an ``--out`` that cannot be written or ends in none of `suffixes`.

    Raises
    ------
    InputError
        If the ending is another one: a mistyped name must not overwrite a table or a picture of the user's.
    OSError
        If the file cannot be written there.
    """
    if path.suffix.lower() not in suffixes:
        raise InputError(f"--out = {str(path)!r}: its name must end in {' or '.join(suffixes)}")
    check_writable(path)


@contextlib.contextmanager
def _wide() -> Iterator[None]:
    """Keep lines whole, however narrow the terminal."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "10000"
    try:
        yield
    finally:
        del os.environ["COLUMNS"]
        if before is not None:
            os.environ["COLUMNS"] = before


def _unboxed(text: str) -> str:
    """Return the message within a box of title, message and advice, and the first option it proposes."""
    lines = [line.strip("│ ") for line in text.splitlines()[1:]]
    sections = re.split(r"[─-]{4,}", " ".join(lines))
    message = next(section.strip() for section in sections if section.strip()).rstrip(".")
    for jargon, plain in _PLAIN.items():
        message = message.replace(jargon, plain)
    proposed = re.search(r"Perhaps you meant:\s*(--\S+)", text.replace("│", " "))
    return message[0].lower() + message[1:] + (f"; did you mean {proposed[1]}?" if proposed else "")
