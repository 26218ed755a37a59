"""Command lines that begin with a preset and take every setting of a training as an option."""

from __future__ import annotations

from dataclasses import asdict, make_dataclass
from typing import Annotated, Any, TypeVar

import tyro

from bridge.command import parse_arguments
from learn.config import TrainConfig, load_config, parse_config, preset_names

T = TypeVar("T")


def parse_settings(options: type[T], module: str, argv: list[str], default: str, what: str) -> tuple[T, TrainConfig]:
    """Return the options of a command, and the preset with the settings that the command line changes.

    Parameters
    ----------
    options
        Dataclass of the command's own options.
    module
        What stands after ``python -m``.
    argv
        The arguments; the first may be a preset or a TOML file.
    default
        Preset where none is named.
    what
        What the command does, one sentence.

    Raises
    ------
    InputError
        If a word, a preset or a value is wrong.
    """
    named = bool(argv) and not argv[0].startswith("-")
    preset, argv = (argv[0], argv[1:]) if named else (default, argv)
    base = load_config(preset)
    # Fields without their limits: tyro reads the words, `parse_config` then says what is wrong with a value.
    fields: list[Any] = []
    for name, info in TrainConfig.model_fields.items():
        metavar = "NAME…" if info.annotation == tuple[str, ...] else None
        field = Annotated[info.annotation, tyro.conf.arg(help=info.description, metavar=metavar)]
        fields.append((name, field, getattr(base, name)))
    settings = make_dataclass("Settings", fields, frozen=True)
    settings.__doc__ = f"Settings, shown with the values of the preset {preset}."
    arguments = make_dataclass(
        "Arguments",
        [("run", tyro.conf.OmitArgPrefixes[options]), ("training", tyro.conf.OmitArgPrefixes[settings])],
    )
    parsed = parse_arguments(
        arguments,
        module,
        argv,
        prog=f"python -m {module} [PRESET or FILE.toml]",
        description=f"{what} Presets: {', '.join(preset_names())} (default {default}).",
    )
    return parsed.run, parse_config(asdict(parsed.training), "command line")
