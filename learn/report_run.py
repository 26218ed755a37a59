"""The page of one simulated cell: what it did, how it was checked, and what a microscope would have seen."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from bridge.runs import FEATURES, Trace, fields, read_run
from learn.report_page import (
    Cell,
    Fact,
    Figure,
    Page,
    Section,
    Table,
    Text,
    cell,
    image_uri,
    made_by,
    number,
    quantity,
    same_again,
)
from learn.report_squeeze import animation, moments, pictures, traces

_CHECK = re.compile(r"^  (ok |NO ) ([^:]+): (.*)$", re.MULTILINE)
_FILES = {
    "config.toml": "the resolved configuration; python -m sim.run config.toml computes the same run",
    "trace.csv": "samples over time, SI, units in the header",
    "features.json": "the features, the flow and what was conserved",
    "result.h5": "all of it with the outlines; ParaView opens it as a time series",
    "log.txt": "the pre-flight check and how the run ended",
}
_VIEWS = (
    "The cell from the side, from above and from behind at entry, middle and exit, coloured by the membrane’s areal "
    "strain (1); below, deformation index, velocity and place."
)


def run_page(folder: Path) -> Page:
    """Return the page of a run folder.

    Raises
    ------
    InputError
        If it holds no finished run.
    """
    trace, result, provenance, log = read_run(folder)
    views = []
    if trace.config.numerics.dimension == 3 and (folder / "summary.png").is_file():
        views = [Figure(_VIEWS, image=image_uri(folder / "summary.png"), wide=True)]
    sections = [
        Section("The squeeze", [animation(trace), moments(trace), *traces(trace), *views]),
        Section("Under the microscope", pictures(trace)),
        Section("Features", [_features(result)]),
        Section("Checks", [_checks(log), _kept(result)]),
        Section("Configuration", [_configuration(trace), Text(log.strip(), "Log of the run", folded=True)]),
    ]
    about = {
        "run": folder.resolve().name,
        "digest": trace.config.digest(),
        "seed": trace.config.seed,
        "physics version": provenance.get("physics_version"),
        "computed in": quantity(provenance.get("wall_time_s"), "s"),
    }
    return Page(
        "Simulated cell",
        f"{trace.config.name} through a gap of {_um(trace.config.channel.gap)}",
        _lede(trace, result),
        _facts(trace, result),
        [section for section in sections if section.blocks],
        made_by(provenance, about),
        same_again(provenance),
        {name: what for name, what in _FILES.items() if (folder / name).is_file()},
    )


def _um(metres: float) -> str:
    return f"{1e6 * metres:.3g} µm"


def _lede(trace: Trace, result: dict[str, Any]) -> list[str]:
    config = trace.config
    drive = quantity(result["flow"].get("pressure_drop_pa"), "Pa")
    outline = "a ring in two dimensions" if config.numerics.dimension == 2 else "a membrane in three dimensions"
    first = (
        f"A cell of {_um(config.cell.diameter)} ({outline}, Ks = {quantity(config.cell.ks, 'N/m')}) was driven by "
        f"{drive} through a constriction {_um(config.channel.gap)} wide and "
        f"{_um(config.channel.constriction_length)} long."
    )
    return [first, f"{result['outcome']}: {result['advice']}."]


def _facts(trace: Trace, result: dict[str, Any]) -> list[Fact]:
    values = {name: found["value"] for name, found in result["features"].items()}
    confinement = trace.config.cell.diameter / trace.config.channel.gap
    return [
        Fact("transition time", quantity(values["transition_time"], "s"), "centroid from entry to exit plane"),
        Fact("maximum velocity", quantity(values["max_velocity"], "m/s"), "centroid in the constriction"),
        Fact("deformation index", number(values["deformation_index"]), "largest (a − b)/(a + b) in the constriction"),
        Fact("diameter / gap", number(confinement), f"{_um(trace.config.cell.diameter)} cell"),
    ]


def _features(result: dict[str, Any]) -> Table:
    rows = []
    for name, found in result["features"].items():
        feature = FEATURES.get(name)
        told = (feature.definition, feature.source) if feature else ("", "")
        rows.append([cell(name.replace("_", " ")), cell(found["value"], found["unit"]), *map(cell, told)])
    columns = ("feature", "value", "definition", "in the paper")
    return Table("Features of the squeeze, as simulated and filmed cells share them.", columns, rows)


def _checks(log: str) -> Table:
    rows = [
        [cell(name), Cell("holds", "holds", "good") if mark == "ok " else Cell("missed", "missed", "bad"), cell(text)]
        for mark, name, text in _CHECK.findall(log)
    ]
    columns = ("rule", "result", "value and limit")
    return Table("Pre-flight check: limits within which the method holds.", columns, rows)


def _kept(result: dict[str, Any]) -> Table:
    drift = result["drift"]
    kept = "volume" if "volume" in drift else "area"
    values = {
        f"largest change of the enclosed {kept}": cell(100 * drift[kept], "%", 2),
        "largest slip of a membrane node, of the mean flow velocity in the gap": cell(100 * drift["slip"], "%", 2),
        "smallest distance of membrane and wall": cell(drift["smallest_wall_distance_m"], "m", 3),
    }
    return Table("What the run kept.", ("quantity", "value"), [[cell(name), value] for name, value in values.items()])


def _configuration(trace: Trace) -> Table:
    values = trace.config.model_dump()
    rows = []
    for name, meaning in fields():
        inner: Any = values
        for key in name.split("."):
            inner = inner.get(key) if isinstance(inner, dict) else None
        if inner is not None:
            text = f"{inner:.6g}" if isinstance(inner, float) else str(inner)
            rows.append([cell(name), Cell(text, text), cell(meaning.replace("`", ""))])
    return Table("Every parameter (SI) and what it means.", ("parameter", "value", "meaning"), rows, folded=True)
