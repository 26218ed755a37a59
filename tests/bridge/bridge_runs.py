"""Run folders as sim.run writes them, made without a solver: a circle that glides and becomes a stadium in the gap."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np

from sim.config import SimulationConfig, parse_config
from sim.export import write_result
from sim.features import compute_features
from sim.trace import COLUMNS, Outcome, Trace, header

UM = 1e-6


def circle(radius: float, nodes: int = 120) -> np.ndarray:
    angle = 2 * np.pi * np.arange(nodes) / nodes
    return radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def stadium(length: float, height: float, nodes: int = 120) -> np.ndarray:
    """Outline of two half circles and two straights, nodes at equal distances, the first at the front."""
    radius, straight = height / 2, length - height
    corners = circle(radius, 4000)
    corners[:, 0] += np.where(corners[:, 0] > 0, straight / 2, -straight / 2)
    closed = np.concatenate([corners, corners[:1]])
    along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(closed, axis=0), axis=1))])
    at = np.linspace(0, along[-1], nodes, endpoint=False)
    return np.stack([np.interp(at, along, closed[:, 0]), np.interp(at, along, closed[:, 1])], axis=1)


def squeezed_length(diameter: float, height: float) -> float:
    """Length of the stadium of a given height with the area of a circle."""
    return (np.pi * diameter**2 / 4 - np.pi * height**2 / 4) / height + height


def make_config(name: str = "hct116", **cell: float) -> SimulationConfig:
    values = {"diameter": 11.0 * UM, "ks": 1e-3, "kb": 1e-16, **cell}
    return parse_config({"name": name, "fluid": {"pressure_drop": 2000.0}, "cell": values}, "test")


def make_trace(
    config: SimulationConfig, outcome: Outcome = Outcome.EXITED, samples: int = 60, lead: float = 0.0
) -> Trace:
    """A cell that glides from the entry to the outlet, a circle outside and a stadium inside; stuck ones stop short.

    It is squeezed from `lead` (m) ahead of the constriction to as much behind it, so that it can keep off the walls.
    """
    end = -4 * UM if outcome is Outcome.STUCK else config.channel.constriction_length + 25 * UM
    x = np.linspace(config.cell.start_x, end, samples)
    near = np.minimum(x, config.channel.constriction_length - x) + lead
    inside = np.clip((near + 8 * UM) / (8 * UM), 0, 1)
    diameter = config.cell.diameter
    outlines = []
    for centre, share in zip(x, inside, strict=True):
        height = diameter + share * (0.94 * config.channel.gap - diameter)
        outlines.append(stadium(squeezed_length(diameter, height), height) + np.array([centre, 0]))
    rings = np.array(outlines)
    low, high = rings.min(axis=1), rings.max(axis=1)
    length, height = (high - low).T
    time = np.linspace(0, 0.02, samples)
    columns = {name: np.zeros(samples) for name in COLUMNS}
    columns |= {"time": time, "x": x, "vx": np.gradient(x, time), "rear_x": low[:, 0], "front_x": high[:, 0]}
    columns |= {"length": length, "height": height, "di": (length - height) / (length + height)}
    columns |= {"di_ellipse": columns["di"], "area": np.full(samples, np.pi * diameter**2 / 4)}
    nodes = rings.shape[1]
    faces = np.stack([np.arange(nodes), (np.arange(nodes) + 1) % nodes], axis=1)
    return Trace(columns, time, rings, faces, outcome, config)


def write_run(parent: Path, trace: Trace) -> Path:
    """Write a run folder as sim.run does."""
    folder = parent / f"{trace.config.name}-{trace.config.digest()}"
    folder.mkdir(parents=True)
    features = compute_features(trace.samples, trace.config.channel.constriction_length)
    (folder / "config.toml").write_text(trace.config.to_toml(), encoding="utf-8")
    (folder / "features.json").write_text(json.dumps(features), encoding="utf-8")
    (folder / "provenance.json").write_text("{}", encoding="utf-8")
    with (folder / "trace.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow([header(name) for name in COLUMNS])
        writer.writerows(zip(*(trace[name] for name in COLUMNS), strict=True))
    write_result(folder / "result.h5", trace, [features])
    return folder


def make_solid_trace(config: SimulationConfig, samples: int = 60) -> Trace:
    """The same cell in three dimensions: a ball that becomes an ellipsoid of equal volume in the gap."""
    import trimesh

    flat = make_trace(config, samples=samples)
    ball = trimesh.creation.icosphere(subdivisions=3)
    radius = config.cell.diameter / 2
    solids = []
    for outline in flat.snapshots:
        height = np.ptp(outline[:, 1])
        depth = 2 * radius
        length = (2 * radius) ** 3 / (height * depth)
        middle = (outline.min(axis=0) + outline.max(axis=0)) / 2
        solids.append(ball.vertices * np.array([length, height, depth]) / 2 + np.array([*middle, 0.0]))
    return Trace(flat.samples, flat.snapshot_time, np.array(solids), np.asarray(ball.faces), flat.outcome, config)
