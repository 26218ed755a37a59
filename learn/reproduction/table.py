"""The table of a reproduction: every claim judged, in the order of the paper, and written."""

from __future__ import annotations

import json

import pandas as pd

from bridge.command import write_text
from bridge.records import read_dataset
from learn.outputs import save_table
from learn.reproduction import rows_cells, rows_models, rows_squeeze
from learn.reproduction.claims import MEASURED, SIMULATED, Row
from learn.reproduction.plan import ROWS, Settings
from learn.reproduction.steps import Place


def judged(place: Place, measured: bool) -> list[Row]:
    """Return all rows; without measured cells, those about them say so."""
    cells = pd.read_csv(place.out / "cells.csv")
    solid = (cells["kind"] == "solid").to_numpy()
    flat = rows_cells.where(cells, ~solid)
    real = read_dataset(place.dataset("measured")) if measured else None
    rows = rows_squeeze.rows_of_squeeze(place)
    rows += rows_cells.rows_of_cells(flat, SIMULATED)
    units = rows_cells.SI if real is None else real.units
    rows += rows_cells.rows_of_cells(None if real is None else real.table, MEASURED, units)
    for name, source in (("baselines-simulated", SIMULATED), ("baselines-measured", MEASURED)):
        report = rows_models.report_of(place, name)
        columns = None if report is None else report["correlation"]
        rows += rows_cells.rows_of_correlations(columns, source, rows_models.why_not(place, name, source))
    rows += rows_cells.rows_of_diameters(flat)
    rows += rows_cells.rows_of_solid(rows_cells.where(cells, solid))
    rows += rows_models.rows_of_classical(place, "simulated") + rows_models.rows_of_classical(place, "measured")
    rows += rows_models.rows_of_networks(place) + rows_models.rows_of_measured_network(place)
    rows += rows_models.rows_of_controls(place) + rows_models.rows_of_transfer(place)
    return rows + rows_models.rows_of_synthetic(place)


def write_rows(settings: Settings) -> list[dict[str, str]]:
    """Judge every claim and write the table; return its rows."""
    rows = judged(settings.place, settings.real is not None)
    facts = [row.facts() for row in rows]
    save_table(settings.place.out / "rows.csv", {key: [row[key] for row in facts] for key in facts[0]})
    write_text(settings.place.out / ROWS, json.dumps(facts, indent=1, ensure_ascii=False) + "\n")
    return facts
