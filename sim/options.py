"""What the command lines of runs and sweeps share: an option for every field of the configuration."""

from __future__ import annotations

import argparse
import difflib
from typing import Any

from sim.command import InputError
from sim.config import fields


class Parser(argparse.ArgumentParser):
    """A parser whose errors are those of a user, in one message."""

    def error(self, message: str) -> Any:
        """Raise what is wrong with the command line."""
        raise InputError(f"{message}; see {self.prog} --help")


def add_fields(parser: argparse.ArgumentParser) -> None:
    """Add an option for every field of the configuration."""
    group = parser.add_argument_group("configuration (SI; defaults come from the preset)")
    for name, text in fields():
        group.add_argument(f"--{name}", metavar="VALUE", help=text.replace("%", "%%"))


def parse_fields(parser: argparse.ArgumentParser, argv: list[str]) -> tuple[argparse.Namespace, dict[str, str]]:
    """Return the options, and the fields that are given a value, as text.

    Raises
    ------
    InputError
        If an option is unknown or lacks its value.
    """
    options, unknown = parser.parse_known_args(_joined(argv))
    if unknown:
        known = [option for action in parser._actions for option in action.option_strings]
        close = difflib.get_close_matches(unknown[0].split("=")[0], known, 1)
        hint = f"did you mean {close[0]}?" if close else f"see {parser.prog} --help"
        raise InputError(f"unknown argument {unknown[0]}; {hint}")
    return options, {name: getattr(options, name) for name, _ in fields() if getattr(options, name) is not None}


def _joined(argv: list[str]) -> list[str]:
    """Return the arguments with ``--section.key value`` as one, since a value like -1e-3 looks like an option."""
    names = {f"--{name}" for name, _ in fields()}
    joined: list[str] = []
    for argument in argv:
        if joined and joined[-1] in names:
            joined[-1] += f"={argument}"
        else:
            joined.append(argument)
    return joined
