"""How good an emulator is: predictions for runs that it was not fitted to."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sim.emulation.emulator import NORMAL_95, Emulator, Score, fit_emulator, passed_runs

if TYPE_CHECKING:
    import pandas as pd

FOLDS = 8


@dataclass(frozen=True)
class HeldOut:
    """Runs and what emulators fitted without them predict.

    Attributes
    ----------
    truth, mean, deviation
        For each feature, arrays (N,) on the scale that is modelled; NaN where the feature is not known.
    passed, probability
        Whether each run came through, and how probable that was held (N,).
    """

    truth: dict[str, np.ndarray]
    mean: dict[str, np.ndarray]
    deviation: dict[str, np.ndarray]
    passed: np.ndarray
    probability: np.ndarray


def folds(count: int, number: int = FOLDS) -> Iterator[np.ndarray]:
    """Yield the indices of each fold's held-out runs; the division depends on `count` alone."""
    order = np.random.default_rng(0).permutation(count)
    yield from (np.sort(part) for part in np.array_split(order, min(number, count)))


class Part(NamedTuple):
    """The runs held out of one fold, as row numbers, and the emulator of all others."""

    held: np.ndarray
    emulator: Emulator


def fit_parts(
    emulator: Emulator, runs: pd.DataFrame, units: dict[str, str], tick: Callable[[float], None] = lambda done: None
) -> list[Part]:
    """Return for each fold the emulator fitted again, hyper-parameters too, to all runs but those held out.

    Parameters
    ----------
    emulator
        Fitted to all of `runs`.
    runs, units
        The sweep's `usable` rows.
    tick
        Called with the share of the folds that is done.
    """
    parts = []
    for held in folds(len(runs)):
        rest = runs.drop(index=held).reset_index(drop=True)
        names, outputs = emulator.design.names, tuple(emulator.surfaces)
        part = fit_emulator(rest, units, names, outputs, emulator, emulator.design.fixed)
        parts.append(Part(held, part))
        tick(len(parts) / FOLDS)
    return parts


def cross_validate(emulator: Emulator, runs: pd.DataFrame, parts: list[Part]) -> tuple[Emulator, HeldOut]:
    """Return the emulator with its cross-validated scores, and the predictions they are from."""
    points = emulator.design.points
    nothing = {name: np.full(len(runs), np.nan) for name in emulator.surfaces}
    found = HeldOut(
        truth={
            name: _modelled(emulator, name, runs[name].to_numpy(dtype=float), passed_runs(runs)) for name in nothing
        },
        mean={name: v.copy() for name, v in nothing.items()},
        deviation={name: v.copy() for name, v in nothing.items()},
        passed=passed_runs(runs),
        probability=np.full(len(runs), np.nan),
    )
    for held, part in parts:
        # the held-out runs as the smaller design scales them
        at = part.design.scale({i.name: i.unscale(points[held, k]) for k, i in enumerate(emulator.design.inputs)})
        for name, surface in part.surfaces.items():
            found.mean[name][held], found.deviation[name][held] = surface.predict(at)
        found.probability[held] = part.exit.probability(at)
    scores = {name: _score(found, name) for name in emulator.surfaces}
    meta = {**emulator.meta, "exit": _exit_score(found)}
    return dataclasses.replace(emulator, scores=scores, moments=_moments(found), meta=meta), found


def _modelled(emulator: Emulator, name: str, values: np.ndarray, passed: np.ndarray) -> np.ndarray:
    surface = emulator.surfaces[name]
    known = passed & np.isfinite(values)
    if surface.log:
        known &= np.where(np.isfinite(values), values, 0.0) > 0
    return np.where(known, surface.transform(np.where(known, values, 1.0)), np.nan)


def _score(found: HeldOut, name: str) -> Score:
    known = np.isfinite(found.truth[name])
    truth, mean, deviation = (v[name][known] for v in (found.truth, found.mean, found.deviation))
    error = truth - mean
    return Score(
        rmse=float(np.sqrt(np.mean(error**2))),
        coverage=float(np.mean(abs(error) <= NORMAL_95 * deviation)),
        r2=float(1 - np.sum(error**2) / np.sum((truth - truth.mean()) ** 2)),
        runs=int(known.sum()),
    )


def _exit_score(found: HeldOut) -> dict[str, float]:
    return {
        "passed": int(found.passed.sum()),
        "stuck": int((~found.passed).sum()),
        "accuracy": float(np.mean((found.probability >= 0.5) == found.passed)),
        "brier": float(np.mean((found.probability - found.passed) ** 2)),
    }


def _moments(found: HeldOut) -> np.ndarray:
    """Return the second moments of the standardised errors (F, F) over the runs where all features are known."""
    errors = np.array([(found.truth[n] - found.mean[n]) / found.deviation[n] for n in found.truth])
    errors = errors[:, np.isfinite(errors).all(axis=0)]
    return errors @ errors.T / errors.shape[1]
