"""``python -m bridge.check cells.h5``: faults of a dataset that would make a result worthless.

Each check takes a dataset and returns findings. An ``error`` makes accuracy meaningless, a
``warning`` limits what can be concluded, an ``info`` is worth knowing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from bridge.command import Exit, parse_arguments, print_json, run_command, say

if TYPE_CHECKING:
    from bridge.check_pictures import Shown
    from bridge.finding import Finding
    from bridge.records import Dataset

_SHOWN = 6  # cells named in a line of text; JSON names all


def check(dataset: Dataset, shown: Sequence[Shown] | None = None) -> list[Finding]:
    """Return all findings, errors first.

    Parameters
    ----------
    dataset
        In memory, or opened by `bridge.stored.open_dataset`.
    shown
        Its pictures, if `bridge.check_pictures.shown_pictures` has seen them already.
    """
    from bridge.check_features import check_features
    from bridge.check_pictures import check_pictures, shown_pictures
    from bridge.check_splits import check_cells, check_classes, check_groups, check_splits

    findings = check_pictures(dataset, shown_pictures(dataset) if shown is None else shown)
    for one in (check_cells, check_classes, check_splits, check_groups, check_features):
        findings += one(dataset)
    return sorted(findings, key=lambda finding: ("error", "warning", "info").index(finding.level))


@dataclass(frozen=True)
class Arguments:
    """Look for faults that would make a result worthless: leaks, repeated pictures, lost scales. Exits 1 on errors."""

    dataset: Annotated[Path, tyro.conf.Positional]
    """Dataset (.h5)."""
    json: bool = False
    """Print one JSON object on standard output."""
    quiet: bool = False
    """Print errors only."""


def main(argv: list[str]) -> int:
    """Run the command; see `Arguments`."""
    arguments = parse_arguments(Arguments, "bridge.check", argv)
    from bridge.check_pictures import shown_pictures
    from bridge.stored import open_dataset

    with open_dataset(arguments.dataset) as dataset:
        shown = shown_pictures(dataset)
        findings = check(dataset, shown)
    levels = Counter(finding.level for finding in findings)
    for finding in findings:
        cells = ", ".join(finding.cells[:_SHOWN])
        more = f" and {len(finding.cells) - _SHOWN} more" if len(finding.cells) > _SHOWN else ""
        named = f" [{cells}{more}]" if cells and finding.check != "picture-shared" else ""
        text = f"{finding.level}: {finding.what}{named}; {finding.remedy}"
        say(text, arguments.quiet and finding.level != "error")
    distinct, pictures = len({one.likeness for one in shown}), len(shown)
    summary = f"{len(dataset)} cells, {distinct} of {pictures} pictures distinct up to flips and quarter turns"
    say(f"{arguments.dataset}: {summary}; {levels['error']} errors, {levels['warning']} warnings", arguments.quiet)
    if arguments.json:
        counts = {"cells": len(dataset), "pictures": pictures, "distinct_pictures": distinct}
        totals = {f"{level}s" if level != "info" else level: levels[level] for level in ("error", "warning", "info")}
        print_json({"dataset": str(arguments.dataset), **counts, **totals, "findings": [asdict(f) for f in findings]})
    return Exit.FAILED_CHECK if levels["error"] else Exit.DONE


if __name__ == "__main__":
    run_command(main)
