"""Several models on the same folds, compared: ``python -m learn.crossval PRESET… --dataset cells.h5 --out DIR``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from bridge.command import InputError, check_output, run_command
from learn.config import How, TrainConfig
from learn.outputs import PROVENANCE, REPORT, save_report, tell
from learn.settings import parse_settings

FOLDS = 5
"""Folds where neither the presets nor the command line ask for more than one."""

FILES = ("metrics.png", "metrics.csv", "comparison.png", "comparison.csv", "significance.csv", "table.csv")
"""What the comparison leaves beside its report."""


@dataclass(frozen=True)
class Options:
    """What to read, where to write, and how to say it."""

    out: Path
    """Folder to write: one folder of `learn.run` for each model, and their comparison. Run again, it goes on."""
    dataset: tyro.conf.UseAppendAction[tuple[Path, ...]] = ()
    """Dataset of cells (.h5); repeat it to pool several."""
    devices: int = 1
    """Devices that share the cells of each step (-)."""
    json: bool = False
    """Print the report as one JSON object on standard output."""
    quiet: bool = False
    """Print errors only."""


def main(argv: list[str]) -> int:
    """Run the command; settings hold for every model, what differs between models stands in TOML files."""
    count = next((place for place, word in enumerate(argv) if word.startswith("-")), len(argv))
    presets, rest = argv[:count] or ["features_only"], argv[count:]
    what = "Cross-validate one or several models on the same folds and compare them."
    options, first = parse_settings(Options, "learn.crossval", [presets[0], *rest], "features_only", what)
    configs = [first]
    for preset in presets[1:]:
        configs.append(parse_settings(Options, "learn.crossval", [preset, *rest], "features_only", what)[1])
    configs = [c if c.folds > 1 else c.model_copy(update={"folds": FOLDS}) for c in configs]
    check_out(options.out, configs)
    report = run(configs, options.dataset, options.out, How(options.devices, quiet=options.quiet))
    return tell(report, describe(report), options)


def check_out(out: Path, configs: list[TrainConfig]) -> None:
    """Refuse, before anything is computed, a folder that holds something else, and models of one name.

    Raises
    ------
    InputError
        With what is in the way.
    """
    names = [config.name for config in configs]
    if len(set(names)) < len(names):
        raise InputError(f"models {', '.join(names)}: a name stands twice; change `name` in one of the TOML files")
    if not out.is_dir():
        check_output(out, out.suffix.lower())
        return
    known = {*names, *FILES, REPORT, PROVENANCE}
    other = sorted(path.name for path in out.iterdir() if path.name not in known)
    if other:
        raise InputError(f"--out = {str(out)!r}: holds {other[0]!r}, which is not of these models; choose another one")


def run(configs: list[TrainConfig], datasets: tuple[Path, ...], out: Path, how: How | None = None) -> dict[str, Any]:
    """Train what is not finished, compare, draw and write; return the report.

    Raises
    ------
    InputError
        If a model cannot be trained on these datasets, or was not tested on the same folds as the others.
    """
    from learn import run as single

    for config in configs:
        single.run(config, datasets, out / config.name, how)
    from learn.compare import compare, write_figures

    report = compare([out / config.name for config in configs])
    write_figures(out, report)
    save_report(out, report)
    return report


def describe(report: Mapping[str, Any]) -> str:
    """Return the report as text for people."""
    lines = [f"held-out cells of {report['folds']} folds (95 % intervals):"]
    for model in report["models"]:
        scores = ", ".join(
            f"{name} {model['held_out'][name]['value']:.4f} "
            f"({model['held_out'][name]['low']:.4f} to {model['held_out'][name]['high']:.4f})"
            for name in ("accuracy", "f1", "auc")
        )
        lines.append(f"  {model['name']}: {scores}")
    for test in report["comparison"]:
        points = 100 * test["difference"]
        lines.append(f"  {test['one']} - {test['other']}: {points:+.2f} points of accuracy, p = {test['p']:.2g}")
    return "\n".join([*lines, *report["notes"]])


if __name__ == "__main__":
    run_command(main)
