"""Populations whose emulated cells have given statistics, as far as they can, and what gives way where they cannot."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import least_squares

from sim.command import InputError
from sim.emulation.emulator import Emulator
from sim.emulation.population import SIZE, STIFFNESS, Cells, Population, draw_cells, normal_draws

WEIGHTS = (0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98)
"""Shares of the weight that lie on what the passage shows, the rest on the diameters: the points of the front."""
BALANCED = WEIGHTS.index(0.5)
TOLERANCE = {"mean": 0.03, "sd": 0.1, "correlation": 0.1}
"""Deviation that counts as 1 unless the target states its own: relative, of correlations absolute."""
SPREAD = (0.05, 1.0)
"""Bounds of the standard deviation of ln Ks; measured within populations are 0.4 to 0.8."""
LOST = 0.2
"""Share of a population outside of the design or stuck that counts as much as a target missed by its tolerance."""


@dataclass(frozen=True)
class Target:
    """One statistic to be met: kind (mean, sd, correlation), names it is of, value and tolerance in SI."""

    kind: str
    names: tuple[str, ...]
    value: float
    tolerance: float

    @property
    def label(self) -> str:
        """Return the statistic in words."""
        return f"{self.kind} of {' and '.join(self.names)}"

    @property
    def of_size(self) -> bool:
        """Whether it is a statistic of the diameters alone."""
        return self.names == (SIZE,)

    def measure(self, cells: Cells) -> float:
        """Return the statistic of some cells."""
        return getattr(cells, self.kind)(*self.names)


@dataclass(frozen=True)
class Task:
    """One class of cells: its name, targets, and the parameters that are the same for all its cells."""

    name: str
    targets: tuple[Target, ...]
    fixed: Mapping[str, float]


@dataclass(frozen=True)
class Compromise:
    """The population that is best at one weight.

    Attributes
    ----------
    weight
        Share of the weight on what the passage shows.
    population
        The best one.
    cells
        Cells drawn from it.
    deviation
        Of each target, in tolerances (T,).
    cost
        What was minimised.
    """

    weight: float
    population: Population
    cells: Cells
    deviation: np.ndarray
    cost: float

    def misfit(self, task: Task, of_size: bool) -> float:
        """Return the root mean square deviation of the diameters' targets, or of all others, in tolerances."""
        chosen = [d for d, t in zip(self.deviation, task.targets, strict=True) if t.of_size == of_size]
        return float(np.sqrt(np.mean(np.square(chosen)))) if chosen else 0.0


def read_tasks(path: Path, emulator: Emulator) -> list[Task]:
    """Read targets from TOML: a table for each class, see ``examples/calibration.toml``.

    Raises
    ------
    InputError
        If the file is malformed, or asks for what the emulator does not know.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not valid TOML: {error}") from error
    for name in (SIZE, STIFFNESS):
        if name not in emulator.design.names:
            raise InputError(f"{name} did not vary in the sweep: a calibration needs it swept")
    if not content or not all(isinstance(v, dict) for v in content.values()):
        raise InputError(f"{path}: one table for each class of cells is expected, such as [hct116]")
    return [_read_task(path, name, values, emulator) for name, values in content.items()]


def _read_task(path: Path, name: str, values: dict[str, Any], emulator: Emulator) -> Task:
    where = f"{path}: [{name}]"
    known = (*emulator.design.names, *emulator.surfaces)
    fixed = dict(values.get("fixed", {}))
    others = [n for n in emulator.design.names if n not in (SIZE, STIFFNESS)]
    for item in emulator.design.inputs:
        if item.name in others and item.name not in fixed:
            raise InputError(
                f'{where} fixed."{item.name}" is missing: state one value for all cells ({item.describe()})'
            )
        if item.name in fixed:
            item.require(fixed[item.name])
    wrong = [n for n in fixed if n not in others]
    if wrong:
        raise InputError(f'{where} fixed."{wrong[0]}": only {", ".join(others) or "nothing"} can be fixed')
    targets = []
    for key, entry in values.items():
        if key == "fixed":
            continue
        if key == "correlation":
            targets += [_target(where, "correlation", row[:2], row[2:], known) for row in entry]
            continue
        if not isinstance(entry, dict) or not entry or not entry.keys() <= {"mean", "sd"}:
            raise InputError(f"{where} {key} = {entry!r}: expected is {{ mean = …, sd = … }}")
        targets += [_target(where, kind, [key], entry[kind], known) for kind in entry]
    if len(targets) < 2:
        raise InputError(f"{where}: at least two targets are needed")
    return Task(name, tuple(targets), fixed)


def _target(where: str, kind: str, names: Sequence[Any], numbers: Any, known: Sequence[str]) -> Target:
    """Return a target; `numbers` is a value, or value and tolerance."""
    for name in names:
        if name not in known:
            raise InputError(
                f"{where} {name!r}: neither parameter nor feature of the emulator; there are {', '.join(known)}"
            )
    given = numbers if isinstance(numbers, list) else [numbers]
    if len(names) != (2 if kind == "correlation" else 1) or not 1 <= len(given) <= 2:
        raise InputError(
            f"{where} {kind}: expected is a value, or [value, tolerance]; of a correlation [name, name, value]"
        )
    if not all(isinstance(v, (int, float)) and np.isfinite(v) for v in given):
        raise InputError(f"{where} {kind} = {numbers!r}: numbers are expected")
    value = float(given[0])
    if (kind == "sd" and value <= 0) or (kind == "correlation" and abs(value) > 1):
        raise InputError(f"{where} {kind} = {value:g}: a standard deviation is positive, a correlation within -1 to 1")
    scale = 1.0 if kind == "correlation" else abs(value)
    tolerance = float(given[1]) if len(given) == 2 else TOLERANCE[kind] * scale
    if tolerance <= 0:
        raise InputError(f"{where} {kind}: the tolerance {tolerance:g} must be positive")
    return Target(kind, tuple(names), value, tolerance)


def calibrate(
    emulator: Emulator,
    task: Task,
    tick: Callable[[float], None] = lambda done: None,
    weights: Sequence[float] = WEIGHTS,
) -> list[Compromise]:
    """Return the best population for each weight.

    Parameters
    ----------
    emulator
        What cells do.
    task
        A class and its targets.
    tick
        Called with the share that is done.
    weights
        Shares of the weight that lie on what the passage shows.

    Notes
    -----
    Weighted least squares over mean and standard deviation of the diameters, median and spread of Ks and the
    correlation of the two, from three starts, then from one and the solution at the weight before. Nothing else is
    varied: what the targets ask beyond mechanics stays as a deviation.
    """
    draws, bounds = normal_draws(), _bounds(emulator)
    front: list[Compromise] = []
    for weight in weights:
        starts = [np.array([0.5, s, k, 0.3, 0.5]) for s, k in ((0.5, 0.5), (0.2, 0.25), (0.8, 0.75))]
        if front:
            starts = [starts[0], _scaled(front[-1].population, bounds)]
        tried = [_solve(emulator, task, draws, bounds, weight, start) for start in starts]
        front.append(min(tried, key=lambda found: found.cost))
        tick(len(front) / len(weights))
    return front


def _bounds(emulator: Emulator) -> np.ndarray:
    """Return lower and upper bounds (2, 5) of the population's parameters; of ln of the median of Ks."""
    items = dict(zip(emulator.design.names, emulator.design.inputs, strict=True))
    size, stiff = items[SIZE], items[STIFFNESS]
    reach = size.high - size.low
    low = [size.low, reach / 50, np.log(stiff.low), SPREAD[0], -0.95]
    high = [size.high, reach / 2, np.log(stiff.high), SPREAD[1], 0.95]
    return np.array([low, high])


def _population(bounds: np.ndarray, scaled: np.ndarray) -> Population:
    mean, sd, log_ks, spread, correlation = bounds[0] + scaled * (bounds[1] - bounds[0])
    return Population(float(mean), float(sd), float(np.exp(log_ks)), float(spread), float(correlation))


def _scaled(population: Population, bounds: np.ndarray) -> np.ndarray:
    values = np.array(astuple(population))
    values[2] = np.log(values[2])
    return np.clip((values - bounds[0]) / (bounds[1] - bounds[0]), 1e-3, 1 - 1e-3)


def _root_weights(task: Task, weight: float) -> np.ndarray:
    """Return the square roots of the targets' weights (T,): each group shares its part evenly."""
    sizes = sum(t.of_size for t in task.targets)
    shares = {True: (1 - weight) / max(sizes, 1), False: weight / max(len(task.targets) - sizes, 1)}
    return np.sqrt([shares[t.of_size] for t in task.targets])


def _solve(
    emulator: Emulator, task: Task, draws: np.ndarray, bounds: np.ndarray, weight: float, start: np.ndarray
) -> Compromise:
    roots = _root_weights(task, weight)
    wanted = {name for target in task.targets for name in target.names}

    def deviations(cells: Cells) -> np.ndarray:
        if cells.weight.sum() < 1:
            return np.full(len(task.targets), 1e3)  # nobody comes through
        return np.array([(t.measure(cells) - t.value) / t.tolerance for t in task.targets])

    def residuals(scaled: np.ndarray) -> np.ndarray:
        cells = draw_cells(emulator, _population(bounds, scaled), task.fixed, draws, wanted)
        return np.append(roots * deviations(cells), np.sqrt(0.5 / len(roots)) * cells.lost / LOST)

    found = least_squares(residuals, start, bounds=(0.0, 1.0), diff_step=1e-3, max_nfev=40, xtol=1e-4, ftol=1e-4)
    population = _population(bounds, found.x)
    cells = draw_cells(emulator, population, task.fixed, draws)
    return Compromise(weight, population, cells, deviations(cells), float(found.cost))
