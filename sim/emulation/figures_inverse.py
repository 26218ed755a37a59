"""Pictures of what is inferred: posteriors of one cell, compromises of a calibration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sim.emulation.calibration import BALANCED, Compromise, Task
from sim.emulation.figures import new_figure, plain_ticks, save
from sim.emulation.inverse import LEVELS, Posterior
from sim.emulation.labels import label
from sim.figure import COLOURS, INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_posterior(path: Path, found: Posterior, title: str) -> None:
    """Draw the densities of each unknown parameter and the regions of each pair."""
    count = len(found.names)
    figure = new_figure(3.1 * count + 1.5, 3.0 * count + 1.2)
    panels = figure.subplots(count, count, squeeze=False)
    for row in range(count):
        for column in range(count):
            axes = panels[row, column]
            if row == column:
                _draw_density(axes, found, row)
            elif row > column:
                _draw_region(axes, found, row, column)
            else:
                axes.set_axis_off()
            if row == count - 1:
                axes.set_xlabel(label(found.names[column], found.units[column]).axis)
    notes = found.warnings()
    figure.suptitle(title, fontsize=10)
    if notes:
        figure.supxlabel("\n".join(_wrap(note, 34 * count + 30) for note in notes), fontsize=8, color=COLOURS[1])
    save(figure, path)


def _wrap(text: str, width: int) -> str:
    import textwrap

    return "\n".join(textwrap.wrap(text, width))


def _draw_density(axes: Axes, found: Posterior, k: int) -> None:
    name, axis = found.names[k], found.axes[k]
    shown = label(name, found.units[k])
    density = found.marginal(name) * len(axis)
    axes.fill_between(shown.factor * axis, density, color=COLOURS[0], alpha=0.3, lw=0)
    axes.plot(shown.factor * axis, density, color=COLOURS[0])
    axes.axhline(1, color=INK, lw=0.8, ls=":", label="before the measurement")
    low, high = found.interval(name, 0.95)
    middle = float(found.quantile(name, [0.5])[0])
    for value, style in ((low, "--"), (middle, "-"), (high, "--")):
        axes.axvline(shown.factor * value, color=INK, lw=0.8, ls=style)
    numbers = " ".join(f"{shown.factor * v:.3g}" for v in (middle,))
    axes.set_title(
        f"{shown.words} {numbers} ({shown.factor * low:.3g} to {shown.factor * high:.3g}) {shown.unit}", fontsize=9
    )
    axes.set(
        xscale="log" if found.logs[k] else "linear",
        xlim=(shown.factor * axis[0], shown.factor * axis[-1]),
        ylim=(0, None),
        ylabel="density / even density",
    )
    if found.logs[k]:
        plain_ticks(axes.xaxis)
    axes.legend(fontsize=7, frameon=False, loc="upper right")


def _draw_region(axes: Axes, found: Posterior, row: int, column: int) -> None:
    first, second = found.names[column], found.names[row]
    across, up = label(first, found.units[column]), label(second, found.units[row])
    mass = found.marginal(first, second).T
    order = np.sort(mass.ravel())[::-1]
    cumulative = np.cumsum(order)
    edges = [float(order[min(np.searchsorted(cumulative, level), len(order) - 1)]) for level in reversed(LEVELS)]
    x, y = across.factor * found.axes[column], up.factor * found.axes[row]
    axes.contourf(x, y, mass, levels=[*edges, mass.max() * (1 + 1e-9)], colors=[COLOURS[0]], alpha=0.35)
    axes.contourf(x, y, mass, levels=[edges[-1], mass.max() * (1 + 1e-9)], colors=[COLOURS[0]], alpha=0.6)
    best = np.unravel_index(mass.argmax(), mass.shape)
    axes.plot(x[best[1]], y[best[0]], "+", color=INK, ms=8)
    axes.set(
        xscale="log" if found.logs[column] else "linear",
        yscale="log" if found.logs[row] else "linear",
        xlim=(x[0], x[-1]),
        ylim=(y[0], y[-1]),
        ylabel=up.axis,
    )
    for axis, log in ((axes.xaxis, found.logs[column]), (axes.yaxis, found.logs[row])):
        if log:
            plain_ticks(axis)
    axes.set_title("regions of 50 and 95 %", fontsize=8)
    axes.grid(alpha=0.3)


def draw_calibration(path: Path, fronts: dict[str, tuple[Task, list[Compromise]]]) -> None:
    """Draw for each class the compromise front, and each target over the weight."""
    figure = new_figure(12, 3.8 * len(fronts))
    panels = figure.subplots(len(fronts), 2, squeeze=False, width_ratios=[1, 1.25])
    for (left, right), (task, front) in zip(panels, fronts.values(), strict=True):
        _draw_front(left, task, front)
        _draw_deviations(right, task, front)
    save(figure, path)


def _draw_front(axes: Axes, task: Task, front: list[Compromise]) -> None:
    x, y = ([c.misfit(task, of_size) for c in front] for of_size in (True, False))
    axes.plot(x, y, "o-", color=COLOURS[0], ms=4)
    for k in (0, BALANCED, len(front) - 1):
        compromise, a, b = front[k], x[k], y[k]
        axes.annotate(f"{compromise.weight:g}", (a, b), textcoords="offset points", xytext=(5, 5), fontsize=8)
    axes.axhspan(0, 1, color=COLOURS[2], alpha=0.12, lw=0)
    axes.axvspan(0, 1, color=COLOURS[2], alpha=0.12, lw=0)
    axes.set(
        xlabel="misfit of the diameters / tolerance",
        ylabel="misfit of the passage / tolerance",
        xlim=(0, max(1.2, 1.15 * max(x))),
        ylim=(0, max(1.2, 1.15 * max(y))),
    )
    axes.set_title(f"{task.name}: best at each weight on the passage", fontsize=9)
    axes.grid(alpha=0.3)


def _draw_deviations(axes: Axes, task: Task, front: list[Compromise]) -> None:
    weights = [c.weight for c in front]
    cycle = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", INK)
    for k, target in enumerate(task.targets):
        words = f"{target.kind} of {' and '.join(label(n).words for n in target.names)}"
        axes.plot(weights, [c.deviation[k] for c in front], "o-", ms=3, color=cycle[k % len(cycle)], label=words)
    axes.axhspan(-1, 1, color=COLOURS[2], alpha=0.12, lw=0)
    axes.axvline(front[BALANCED].weight, color=INK, lw=0.8, ls=":")
    axes.set(xlabel="weight on the passage", ylabel="(fitted - target) / tolerance")
    axes.grid(alpha=0.3)
    axes.set_title("how far each target is missed", fontsize=9)
    axes.legend(fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
