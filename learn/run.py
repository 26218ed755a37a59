"""Train a classifier on datasets: ``python -m learn.run PRESET --dataset cells.h5``."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from bridge.command import Exit, print_json, run_command, say
from learn.config import How, TrainConfig
from learn.settings import parse_settings


@dataclass(frozen=True)
class Options:
    """What to read, where to write, and how to say it."""

    dataset: tyro.conf.UseAppendAction[tuple[Path, ...]] = ()
    """Dataset of cells (.h5); repeat it to pool several."""
    workdir: Annotated[
        Path | None, tyro.conf.arg(metavar="PATH", help_behavior_hint="(default: runs/learn-NAME-DIGEST)")
    ] = None
    """Folder of the run. Run again, an interrupted training goes on."""
    devices: int = 1
    """Devices that share the cells of each step (-)."""
    tensorboard: bool = False
    """Also log each epoch for TensorBoard, into the folder of the run."""
    json: bool = False
    """Print the report as one JSON object on standard output."""
    quiet: bool = False
    """Print errors only."""


def main(argv: list[str]) -> int:
    """Train as the command line says; return the exit code."""
    started = time.monotonic()
    options, config = parse_settings(Options, "learn.run", argv, "miml", "Train a classifier of cells.")
    how = How(options.devices, options.tensorboard, options.quiet)
    report, workdir, fresh = run(config, options.dataset, options.workdir, how)
    from learn.summary import describe

    say(describe(report), options.quiet)
    ended = f"done in {time.monotonic() - started:.1f} s" if fresh else "was finished already"
    say(f"{ended}: {workdir}", options.quiet)
    if options.json:
        print_json({"workdir": str(workdir), **report})
    return Exit.DONE


def run(
    config: TrainConfig, datasets: tuple[Path, ...], path: Path | None = None, how: How | None = None
) -> tuple[dict[str, Any], Path, bool]:
    """Train, resume or report.

    Parameters
    ----------
    config
        What is trained.
    datasets
        Files of cells, pooled.
    path
        Folder of the run; ``runs/learn-<name>-<digest>`` when omitted.
    how
        With what means, and what is said meanwhile.

    Returns
    -------
    tuple
        Report, folder, and whether anything was computed.
    """
    how = how or How()
    if how.tensorboard:
        from learn.board import check_board

        check_board()
    from learn.data import dataset_digest, load_cells
    from learn.workdir import alone, find_workdir, start_workdir

    cells = load_cells(datasets, config)
    digests = {str(dataset): dataset_digest(dataset) for dataset in datasets}
    path = path or Path("runs") / f"learn-{config.name}-{config.digest(list(digests.values()))}"
    workdir = find_workdir(path, config, digests)
    report = workdir.report()
    if report is not None:
        return report, path, False
    from learn.experiment import train_all
    from learn.folds import split_cells

    splits = split_cells(cells, config)
    start_workdir(workdir, config, digests)
    counts = ", ".join(f"{name} {(cells.labels == k).sum()}" for k, name in enumerate(cells.classes))
    with alone(workdir):
        say(f"{config.model}: {len(cells)} cells ({counts}) -> {path}", how.quiet)
        return train_all(config, cells, splits, workdir, how), path, True


if __name__ == "__main__":
    run_command(main)
