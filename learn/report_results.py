"""Pages of folders with report.json, figures and tables: explain, baselines, ablation, curve, transfer, export."""

from __future__ import annotations

import importlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from bridge.command import InputError
from learn.outputs import PROVENANCE, REPORT
from learn.report_captions import CAPTIONS, CELLWISE
from learn.report_page import Figure, Page, Section, Table, cell, image_uri, made_by, same_again

_ROWS = 300

KINDS = {
    "explain": ("calibration", "Explanation of a training"),
    "baselines": ("comparison", "Classical classifiers"),
    "ablation": ("networks", "Ten sizes of the small network"),
    "crossval": ("models", "Cross-validated models"),
    "curve": ("sizes", "Learning curve"),
    "transfer": ("transfer_minus", "Transfer to new classes"),
}
"""Command, the entry by which its report.json is known, and title."""


def results_kind(folder: Path) -> str | None:
    """Return which command has left a folder, or None."""
    if not (folder / REPORT).is_file():
        return None
    return next((name for name, (key, _) in KINDS.items() if key in _read(folder / REPORT)), None)


def results_page(folder: Path, kind: str) -> Page:
    """Return the page of a folder that the command `kind` has left."""
    report = _read(folder / REPORT)
    provenance = _read(folder / PROVENANCE) if (folder / PROVENANCE).is_file() else {}
    told = importlib.import_module(f"learn.{kind}").describe(report)
    lines = [line.strip() for line in told.splitlines()]
    sections = [Section("Figures", figures_of(folder)), Section("Tables", tables_of(folder))]
    classes = " against ".join(report.get("classes", []))
    return Page(
        f"Result of learn.{kind}",
        f"{KINDS[kind][1]}: {classes}",
        lines,
        (),
        [section for section in sections if section.blocks],
        made_by(provenance, {"seed": report.get("seed")}),
        same_again(provenance),
        {REPORT: "all numbers", "*.csv": "each figure as a table"},
    )


def figures_of(folder: Path, without: Sequence[str] = ()) -> list[Figure]:
    """Return the PNG figures of a folder with captions, in the order of `CAPTIONS`, unknown ones last."""
    order = {name: index for index, name in enumerate(CAPTIONS)}
    paths = sorted(folder.glob("*.png"), key=lambda path: (order.get(path.stem, len(order)), path.stem))
    return [_figure(path) for path in paths if path.stem not in without]


def tables_of(folder: Path) -> list[Table]:
    """Return the CSV tables of a folder that are short enough to be read."""
    tables = []
    for path in sorted(folder.glob("*.csv")):
        if path.stem in CELLWISE:
            continue
        frame = pd.read_csv(path)
        if len(frame) <= _ROWS:
            rows = [[cell(_plain(value)) for value in row] for row in frame.itertuples(index=False)]
            columns = [str(name).replace("_", " ") for name in frame.columns]
            tables.append(Table(f"{path.name}", columns, rows, folded=len(rows) > 12))
    return tables


def _figure(path: Path) -> Figure:
    from PIL import Image

    with Image.open(path) as image:
        width, height = image.size
    caption = CAPTIONS.get(path.stem, path.stem.replace("_", " "))
    return Figure(caption, image=image_uri(path), wide=width > 1.4 * height, width=round(width / 1.5))


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def _read(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: missing or damaged ({error}); compute it again") from error
