"""What a calibration came to, in words, numbers and files."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from sim.emulation.calibration import BALANCED, Compromise, Target, Task
from sim.emulation.emulator import Emulator
from sim.emulation.figures_inverse import draw_calibration
from sim.emulation.labels import label
from sim.emulation.population import SIZE, STIFFNESS
from sim.files import replacing

Fronts = Mapping[str, tuple[Task, list[Compromise]]]
TIME = "transition_time"


def lines(emulator: Emulator, fronts: Fronts) -> list[str]:
    """Return the report: of each class what was fitted, gives way and is predicted; then the classes compared."""
    found = []
    for task, front in fronts.values():
        found += _class_lines(emulator, task, front)
    return found + _comparison(emulator, fronts)


def _class_lines(emulator: Emulator, task: Task, front: list[Compromise]) -> list[str]:
    best = front[BALANCED]
    p, size, stiff = best.population, label(SIZE), label(STIFFNESS)
    found = [
        f"{task.name}, both groups of targets weighted alike:",
        f"  population: diameter {size.show(p.diameter_mean)} ± {size.show(p.diameter_sd)}, Ks median "
        f"{stiff.show(p.ks_median)}, sd of ln Ks {p.ks_spread:.2f}, correlation of the two {p.correlation:.2f}; "
        f"{100 * best.cells.cut:.0f} % lie outside of the design and are cut off, "
        f"{100 * best.cells.stuck:.0f} % of the others are stuck",
    ]
    for target, deviation in zip(task.targets, best.deviation, strict=True):
        value = _show(target, target.measure(best.cells))
        verdict = "" if abs(deviation) <= 1 else f"   gives way: {deviation:+.1f} tolerances"
        found.append(
            f"  fitted     {target.label:44s} {value:>12s}   target {_show(target, target.value):>12s}{verdict}"
        )
    targeted = {name for target in task.targets for name in target.names}
    for name in emulator.surfaces:
        if name not in targeted:
            shown = label(name)
            text = f"{shown.show(best.cells.mean(name))} ± {shown.show(best.cells.sd(name))}"
            found.append(f"  predicted  {name:44s} {text}, median {shown.show(best.cells.median(name))}")
    return found + _over_weights(task, front) + _dilution(task, best)


def _show(target: Target, value: float) -> str:
    return f"{value:.3f}" if target.kind == "correlation" else label(target.names[0]).show(value)


def _over_weights(task: Task, front: list[Compromise]) -> list[str]:
    """Return how each target fares from all weight on the diameters to all on the passage."""
    ends = (front[0], front[-1])
    found = [f"  from weight {ends[0].weight:g} to {ends[1].weight:g} on the passage:"]
    for k, target in enumerate(task.targets):
        first, last = (_show(target, target.measure(c.cells)) for c in ends)
        never = all(abs(c.deviation[k]) > 1 for c in front)
        found.append(f"    {target.label:44s} {first:>10s} → {last:>10s}{'   missed at every weight' if never else ''}")
    return found


def _dilution(task: Task, best: Compromise) -> list[str]:
    """Return how wrong measured diameters would have to be for a correlation that mechanics makes too large."""
    found = []
    for target in task.targets:
        if target.kind != "correlation" or SIZE not in target.names:
            continue
        reached = target.measure(best.cells)
        if abs(reached) > abs(target.value) + target.tolerance:
            share = 1 - (target.value / reached) ** 2
            found.append(
                f"  a correlation of {target.value:g} instead of {reached:.2f} is what random errors of measurement "
                f"would leave if they made up {100 * share:.1f} % of the variance of the measured diameters"
            )
    return found


def _comparison(emulator: Emulator, fronts: Fronts) -> list[str]:
    """Return the ratio of the classes' transition times, and what Ks alone can do at one size."""
    if TIME not in emulator.surfaces or len(fronts) < 2:
        return []
    best = {name: front[BALANCED] for name, (_, front) in fronts.items()}
    medians = {name: c.cells.median(TIME) for name, c in best.items()}
    fast, slow = min(medians, key=medians.__getitem__), max(medians, key=medians.__getitem__)
    task = fronts[fast][0]
    reach, size = stiffness_reach(emulator, best[fast].population.diameter_mean, task.fixed)
    fitted = any(TIME in target.names for t, _ in fronts.values() for target in t.targets)
    return [
        f"median transition time, {'fitted' if fitted else 'predicted'}: {slow} {label(TIME).show(medians[slow])}, "
        f"{fast} {label(TIME).show(medians[fast])}, ratio {medians[slow] / medians[fast]:.2f}",
        f"of cells of {label(SIZE).show(size)} that come through, Ks alone changes it by × {reach:.2f} over the design",
    ]


def stiffness_reach(emulator: Emulator, diameter: float, fixed: Mapping[str, float]) -> tuple[float, float]:
    """Return the largest over the smallest transition time that Ks gives to passing cells of one diameter.

    The diameter is moved into the design if it is outside, and returned, too.
    """
    items = dict(zip(emulator.design.names, emulator.design.inputs, strict=True))
    diameter = float(np.clip(diameter, items[SIZE].low, items[SIZE].high))
    steps = np.linspace(0, 1, 60)
    columns = {SIZE: np.full(60, diameter), STIFFNESS: items[STIFFNESS].unscale(steps)}
    points = emulator.design.scale(columns | {name: np.full(60, value) for name, value in fixed.items()})
    there = (emulator.exit.probability(points) >= 0.5) & emulator.design.inside(points)
    if not there.any():
        return float("nan"), diameter
    return float(np.exp(np.ptp(emulator.surfaces[TIME].mean(points[there])))), diameter


def numbers(fronts: Fronts) -> dict[str, Any]:
    """Return the compromises of each class for ``--json``."""
    return {
        name: [
            {
                "weight_on_passage": c.weight,
                "population": asdict(c.population),
                "cut": c.cells.cut,
                "targets": [
                    {"target": t.label, "wanted": t.value, "fitted": t.measure(c.cells), "deviation": float(d)}
                    for t, d in zip(task.targets, c.deviation, strict=True)
                ],
            }
            for c in front
        ]
        for name, (task, front) in fronts.items()
    }


def write(folder: Path, fronts: Fronts) -> None:
    """Write ``calibration.csv``, a row for each class, weight and target, and ``calibration.png``."""
    folder.mkdir(parents=True, exist_ok=True)
    head = ["class", "weight_on_passage", "target", "wanted", "fitted", "tolerances_off", *_POPULATION]
    with replacing(folder / "calibration.csv") as part, part.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(head)
        for name, (task, front) in fronts.items():
            for c in front:
                population = [f"{v:.6g}" for v in asdict(c.population).values()]
                for target, deviation in zip(task.targets, c.deviation, strict=True):
                    fitted = [f"{v:.6g}" for v in (target.value, target.measure(c.cells), deviation)]
                    writer.writerow([name, c.weight, target.label, *fitted, *population])
    draw_calibration(folder / "calibration.png", dict(fronts))


_POPULATION = ("diameter_mean_m", "diameter_sd_m", "ks_median_n_per_m", "ks_spread", "correlation")
