"""What a finished training learned, in figures and tables: ``python -m learn.explain WORKDIR``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from bridge.command import Exit, InputError, parse_arguments, print_json, progress, run_command, say
from learn.outputs import check_folder, new_folder, save_report

if TYPE_CHECKING:
    from learn.evidence import Evidence


@dataclass(frozen=True)
class Arguments:
    """Draw what a finished training learned; every figure is also written as a table."""

    workdir: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="WORKDIR")]
    """Folder in which `python -m learn.run` finished."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="PATH", help_behavior_hint="(default: WORKDIR/explain)")] = None
    """Folder to write: report.json, and figures as PNG and CSV."""
    dataset: tyro.conf.UseAppendAction[tuple[Path, ...]] = ()
    """Where the training's datasets are now, in their order, if they were moved (.h5)."""
    risk: float = 0.1
    """Rate at which the true class may be missing from the classes that are left open (fraction)."""
    seed: int = 0
    """Draws sample cells, bootstrap samples, backgrounds and the start of t-SNE."""
    json: bool = False
    """Print the report as one JSON object on standard output."""
    quiet: bool = False
    """Print errors only."""


def main(argv: list[str]) -> int:
    """Run the command; see `Arguments`."""
    arguments = parse_arguments(Arguments, "learn.explain", argv)
    out = arguments.out or arguments.workdir / "explain"
    check_folder(out)
    if not 0 < arguments.risk < 1:
        raise InputError(f"--risk = {arguments.risk:g}: must lie between 0 and 1, such as 0.1")
    with progress("explain", arguments.quiet) as bar:
        bar.update(0, "predicting")
        from learn.evidence import gather

        report = run(gather(arguments.workdir, arguments.dataset), out, arguments.risk, arguments.seed, bar.update)
    say(describe(report), arguments.quiet)
    say(f"figures and tables: {out}", arguments.quiet)
    if arguments.json:
        print_json({"out": str(out), **report})
    return Exit.DONE


def run(
    evidence: Evidence,
    out: Path,
    risk: float,
    seed: int,
    show: Callable[[float, str], None] = lambda part, what: None,
) -> dict[str, Any]:
    """Draw and write everything that the model has to show; return the report.

    Parameters
    ----------
    evidence
        The training's cells, models and predictions.
    out
        Folder that is not there yet.
    risk
        For the sets of classes left open.
    seed
        Draws what is drawn.
    show
        Called with the part done (0 to 1) and what is being done.
    """
    from learn import explain_cells, explain_pictures, explain_scores

    steps: list[tuple[str, Callable[..., dict[str, Any]]]] = [
        ("confusion", explain_scores.write_confusion),
        ("roc", explain_scores.write_roc),
        ("folds", explain_scores.write_folds),
        ("history", explain_scores.write_history),
        ("calibration", explain_scores.write_calibration),
        ("abstention", explain_scores.write_abstention),
        ("latent", explain_cells.write_latent),
    ]
    if evidence.config.uses_features:
        steps.append(("features", explain_cells.write_features))
    if evidence.config.uses_images:
        steps += [
            ("samples", explain_pictures.write_samples),
            ("first_layer", explain_pictures.write_first_layer),
            ("grad_cam", explain_pictures.write_grad_cam),
        ]
    if evidence.config.model == "miml":
        steps.append(("attribution", explain_cells.write_attribution))
    report: dict[str, Any] = {
        "model": evidence.config.model,
        "classes": list(evidence.cells.classes),
        "cells": len(evidence.cells),
        "risk": risk,
        "seed": seed,
    }
    with new_folder(out) as folder:
        for number, (name, write) in enumerate(steps):
            show((number + 1) / (len(steps) + 1), name.replace("_", " "))
            report[name] = write(folder, evidence, risk=risk, seed=seed)
        save_report(folder, report)
    return report


def describe(report: Mapping[str, Any]) -> str:
    """Return the report as text for people."""
    calibration, abstention = report["calibration"], report["abstention"]
    lines = [
        "accuracy: " + ", ".join(f"{side} {value:.4f}" for side, value in report["folds"].items()),
        f"expected calibration error {calibration['before']:.4f}, with temperature {calibration['after']:.4f}",
        f"abstention at a risk of {report['risk']:g}: {100 * abstention['abstained']:.1f} % of the cells unanswered, "
        f"accuracy {_shown(abstention['accuracy'])} on the others, true class left open for "
        f"{100 * abstention['covered']:.1f} %",
    ]
    if "attribution" in report:
        parts = report["attribution"]
        lines.append(
            f"mean share of the decision: picture {100 * parts['picture_share']:.0f} %, "
            f"mechanics {100 * parts['mechanics_share']:.0f} %"
        )
    return "\n".join(lines)


def _shown(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4f}"


if __name__ == "__main__":
    run_command(main)
