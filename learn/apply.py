"""Classify cells with a trained model: ``python -m learn.apply MODEL cells.h5 --out predictions.csv``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from string import ascii_lowercase, digits
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from bridge.command import Exit, InputError, check_output, parse_arguments, print_json, run_command, say
from learn.outputs import save_table

if TYPE_CHECKING:
    import numpy as np

    from learn.data import Cells
    from learn.model import Model


@dataclass(frozen=True)
class Arguments:
    """Classify cells: class, probability, and no answer where the model is not sure enough."""

    model: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="MODEL")]
    """Folder of a trained model (model.json)."""
    cells: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="CELLS")]
    """Dataset (.h5), or a source that `bridge.ingest` reads: `.rtdc`, a CSV table, a folder; labels are not needed."""
    out: Path
    """Table to write (.csv)."""
    scores: Annotated[Path | None, tyro.conf.arg(metavar="PATH.rtdc", help_behavior_hint="(optional)")] = None
    """For cells in a .rtdc file: a copy of it to write, with the probabilities as ml_score_* columns for dclab."""
    risk: float = 0.1
    """Rate at which the true class may be missing from those left open; no answer unless one is left (fraction)."""
    aligned_as: str = ""
    """For a model of aligned datasets: the one whose scale the cells have."""
    json: bool = False
    """Print one JSON object on standard output."""
    quiet: bool = False
    """Print errors only."""


def main(argv: list[str]) -> int:
    """Run the command; see `Arguments`."""
    arguments = parse_arguments(Arguments, "learn.apply", argv)
    check_output(arguments.out, ".csv")
    if not 0 < arguments.risk < 1:
        raise InputError(f"--risk = {arguments.risk:g}: must lie between 0 and 1, such as 0.1")
    if arguments.scores is not None:
        check_output(arguments.scores, ".rtdc")
        if arguments.cells.suffix.lower() != ".rtdc":
            raise InputError(f"--scores {arguments.scores}: {arguments.cells} is no .rtdc file to copy; leave it out")
    if not (arguments.model / "model.json").is_file() and not arguments.model.is_dir():
        raise InputError(f"{arguments.model}: no such folder; give one in which `python -m learn.run` finished")
    from learn.runtime import prepare

    prepare()
    from learn.model import open_model

    model = open_model(arguments.model)
    cells = read_cells(arguments.cells, model, arguments.aligned_as)
    probabilities = model.classify(cells)
    table, facts = predictions(model, cells, probabilities, arguments.risk)
    save_table(arguments.out, table)
    if arguments.scores is not None:
        from bridge.formats.rtdc import add_scores

        facts["scores"] = score_names(model.config.classes)
        columns = {code: table[f"p_{name}"] for name, code in facts["scores"].items()}
        add_scores(arguments.cells, arguments.scores, columns)
    say(describe(facts), arguments.quiet)
    say(f"{arguments.out}: {len(cells)} cells", arguments.quiet)
    if arguments.json:
        print_json({"out": str(arguments.out), **facts})
    return Exit.DONE


def read_cells(path: Path, model: Model, aligned_as: str = "") -> Cells:
    """Return the cells of a file or folder as the model reads them.

    Raises
    ------
    DatasetError
        If it lacks what the model needs, or has it in other units.
    InputError
        If `aligned_as` is needed and missing, or names no dataset of the model.
    """
    import numpy as np

    from bridge.ingest import read_source
    from bridge.records import read_dataset
    from learn.data import check_units, pool

    if path.suffix.lower() == ".rtdc":
        from bridge.formats.rtdc import read_rtdc

        data = read_rtdc(path, pictures=model.config.uses_images)
    else:
        data = read_dataset(path) if path.suffix.lower() in (".h5", ".hdf5") else read_source(path)
    cells = pool([data], [path.stem], model.config.model_copy(update={"weights": ()}), labelled=False)
    sources = list(model.card["aligned"] or {})
    if sources:
        if aligned_as not in sources:
            raise InputError(f"--aligned-as {aligned_as!r}: the model was trained on {', '.join(sources)}; name one")
        check_units(cells, model.card["aligned_units"][aligned_as], str(path))
        return replace(cells, source=np.full(len(cells), sources.index(aligned_as)))
    check_units(cells, model.units, str(path))
    return cells


def score_names(classes: Sequence[str]) -> dict[str, str]:
    """Return for each class the name of its score in dclab: ``ml_score_`` and three of 0-9 and a-z.

    The first three letters or digits of the class, or the first two and a later one where that is taken.
    """
    names: dict[str, str] = {}
    for name in classes:
        plain = "".join(c for c in name.lower() if c in ascii_lowercase + digits) + "000"
        tries = (plain[:2] + last for last in plain[2:] + digits + ascii_lowercase)
        names[name] = next(f"ml_score_{code}" for code in tries if f"ml_score_{code}" not in names.values())
    return names


def predictions(
    model: Model, cells: Cells, probabilities: np.ndarray, risk: float
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the table of predictions as columns, and what it comes to."""
    import numpy as np

    names = np.array(model.config.classes)
    sets = model.calibration.sets(probabilities, risk)
    best = probabilities.argmax(axis=1)
    sure = sets.sum(axis=1) == 1
    open_classes = ["|".join(names[row]) for row in sets]
    answers = np.where(sure, names[sets.argmax(axis=1)], "")
    known = cells.labels >= 0
    table: dict[str, Any] = {
        "cell_id": cells.ids,
        "predicted": names[best],
        "probability": probabilities.max(axis=1),
        "answer": answers,
        "left_open": open_classes,
        **{f"p_{name}": column for name, column in zip(names, probabilities.T, strict=True)},
    }
    if known.any():
        table["label"] = np.where(known, names[cells.labels], "")
    facts: dict[str, Any] = {
        "cells": len(cells),
        "predicted": {str(name): int((best == k).sum()) for k, name in enumerate(names)},
        "answered": int(sure.sum()),
        "answers": dict(Counter(answers[sure].tolist())),
        "risk": risk,
        "accuracy": float((best == cells.labels)[known].mean()) if known.any() else None,
        "accuracy_of_answers": (
            float((answers == names[cells.labels])[known & sure].mean()) if (known & sure).any() else None
        ),
        "notes": list(cells.notes),
    }
    return table, facts


def describe(facts: dict[str, Any]) -> str:
    """Return what the predictions come to as text for people."""
    lines = [", ".join(f"{count} {name}" for name, count in facts["predicted"].items())]
    without = facts["cells"] - facts["answered"]
    lines.append(f"no answer for {without} of {facts['cells']} cells at a risk of {facts['risk']:g}")
    for key, what in (("accuracy", "accuracy"), ("accuracy_of_answers", "accuracy of the answers")):
        if facts[key] is not None:
            lines.append(f"{what} {facts[key]:.4f} on the cells whose label is known")
    if "scores" in facts:
        lines.append("scores: " + ", ".join(f"{code} of {name}" for name, code in facts["scores"].items()))
    return "\n".join([*lines, *facts["notes"]])


if __name__ == "__main__":
    run_command(main)
