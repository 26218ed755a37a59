"""What the paper prints, and the rules by which a number of ours is judged against it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

Verdict = Literal["holds", "falls short", "cannot be compared", "fitted"]

SIMULATED, MEASURED, CONTROL = "simulated", "measured", "control"
"""Whose number a row has: of simulated films, of the paper's recoverable cells, of simulated films changed to check one
thing."""

ABSENT = "data not there: no measured cells were given"
TEXT_ONLY = "the paper shows a picture of this and prints no number"
LEAST_CELLS = 20
"""Cells of a class, or of a test, below which nothing is judged."""
WIDEST = 0.2
"""Widest 95 % interval of a score or a correlation that can hold; a wider one would agree with anything."""

ACCURACY = {"NN": 0.8874, "CNN": 0.906, "MIML": 0.972, "MIML with DI rate": 0.983}
"""Figs. 4, 5f and 6a; 97.2 % is 98.3 % less the gain of 1.07 points that section 2.4 states."""
GAINS = {"accuracy": 0.08, "precision": 0.084, "recall": 0.085, "f1": 0.087, "auc": 0.09}
"""MIML over the picture alone, section 2.4 (read as points)."""
RATE_GAIN, RATE_F1 = 0.0107, 0.963
"""Gain by DI rate, section 2.4; F1 of MIML, Table 1."""
TRANSFER = 0.965
"""Section 2.5, 102 training cells and 30 epochs."""

TARGETS = {
    "order": "Ks of wbc was chosen 1.5 times that of hct116 so that the paper's order comes out",
    "diameter": "the population is drawn from the printed means",
    "measured index": "the linear map of these indices was inferred from the printed means and deviations",
}
"""Numbers of the paper that a choice of this project aimed at: rows about them are fitted and prove nothing."""


@dataclass(frozen=True)
class Row:
    """One claim of the paper beside what came out here."""

    figure: str
    """Where the paper has it."""
    claim: str
    """What it is, with its unit."""
    source: str
    """`SIMULATED`, `MEASURED` or `CONTROL`."""
    paper: str
    ours: str
    """The number with its 95 % interval where there is one."""
    verdict: Verdict
    why: str
    """Rule of the judgement, or the reason why there is none."""

    def facts(self) -> dict[str, str]:
        """Return the row as a dictionary."""
        return asdict(self)


@dataclass(frozen=True)
class Claim:
    """One claim, to be judged by one of its methods."""

    figure: str
    text: str
    source: str
    paper: str

    def at_least(self, printed: float, found: Mapping[str, Any], cells: int, digits: int = 3) -> Row:
        """Judge a score: it holds if the printed figure lies within our interval or below it."""
        ours = shown(found, digits)
        if (why := _untold(found, cells)) is not None:
            return self.without(why, ours)
        if found["high"] < printed:
            short = (
                f"{100 * (printed - found['value']):.1f} points below the printed figure, the whole interval lies below"
            )
            return self._row(ours, "falls short", short)
        if (why := _blunt(found)) is not None:
            return self.without(why, ours)
        return self._row(ours, "holds", "printed figure within or below our interval")

    def within(
        self, printed: float, found: Mapping[str, Any], cells: int, digits: int = 3, widest: float = WIDEST
    ) -> Row:
        """Judge a number: it holds if the printed one lies within our interval."""
        ours = shown(found, digits)
        if (why := _untold(found, cells)) is not None:
            return self.without(why, ours)
        if not found["low"] <= printed <= found["high"]:
            apart = f"{found['value'] - printed:+.{digits}f}".replace("-", "−")
            return self._row(ours, "falls short", f"off by {apart}, the printed figure lies outside our interval")
        if (why := _blunt(found, widest)) is not None:
            return self.without(why, ours)
        return self._row(ours, "holds", "printed figure within our interval")

    def gain(self, printed: float, found: Mapping[str, Any], cells: int) -> Row:
        """Judge a difference of paired scores: it holds if our interval is above 0 and reaches the printed figure."""
        ours = points(found)
        if (why := _untold(found, cells)) is not None:
            return self.without(why, ours)
        if found["high"] < printed:
            why = f"{100 * (printed - found['value']):.1f} points below the printed gain, the whole interval lies below"
            return self._row(ours, "falls short", why)
        if found["low"] <= 0:
            return self.without("our interval holds both no gain and the printed one", ours)
        if (why := _blunt(found)) is not None:
            return self.without(why, ours)
        return self._row(ours, "holds", "our interval is above 0 and reaches the printed gain")

    def says(self, ours: str, holds: bool, denied: bool, rule: str, cells: int = LEAST_CELLS) -> Row:
        """Judge a statement in words, by a rule that may leave it open."""
        if cells < LEAST_CELLS:
            return self.without(f"{cells} cells are too few", ours)
        if denied:
            return self._row(ours, "falls short", rule)
        return self._row(ours, "holds", rule) if holds else self.without(f"left open by the rule: {rule}", ours)

    def without(self, why: str, ours: str = "–") -> Row:
        """Return a row that cannot be judged, and why."""
        return self._row(ours, "cannot be compared", why)

    def fitted(self, target: str, ours: str) -> Row:
        """Return a row about one of the `TARGETS`."""
        return self._row(ours, "fitted", TARGETS[target])

    def _row(self, ours: str, verdict: Verdict, why: str) -> Row:
        return Row(self.figure, self.text, self.source, self.paper, ours, verdict, why)


def _untold(found: Mapping[str, Any], cells: int) -> str | None:
    """Return why a number is not judged at all, or None."""
    if cells < LEAST_CELLS:
        return f"{cells} cells are too few"
    low, high = found.get("low"), found.get("high")
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        return "no interval"
    return None


def _blunt(found: Mapping[str, Any], widest: float = WIDEST) -> str | None:
    """Return why an interval that holds the printed figure says nothing, or None."""
    width = found["high"] - found["low"]
    return (
        f"the interval is {width:.2g} wide; one wider than {widest:g} agrees with anything" if width > widest else None
    )


def shown(found: Mapping[str, Any], digits: int = 3) -> str:
    """Return a value with its interval as text."""
    low, high = found.get("low"), found.get("high")
    value = f"{found['value']:.{digits}f}"
    if low is not None and high is not None and math.isfinite(low) and math.isfinite(high):
        value += f" ({low:.{digits}f} to {high:.{digits}f})"
    return value.replace("-", "−")


def at_printed_size(p: float, cells: int, printed: int = 2521) -> float:
    """Return the two-sided p-value that the same effect would have in as many cells as the paper has."""
    from scipy.stats import norm

    return float(2 * norm.sf(norm.isf(p / 2) * math.sqrt(printed / cells)))


def points(found: Mapping[str, Any]) -> str:
    """Return a difference of scores in percentage points with its interval as text."""
    value, low, high = (100 * found[name] for name in ("value", "low", "high"))
    return f"{value:+.1f} points ({low:+.1f} to {high:+.1f})".replace("-", "−")


def mean_of(values: np.ndarray) -> dict[str, float]:
    """Return the mean of some cells' values with its 95 % interval (Student's t)."""
    from scipy.stats import t

    half = t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / math.sqrt(len(values)) if len(values) > 1 else math.inf
    return {"value": float(values.mean()), "low": float(values.mean() - half), "high": float(values.mean() + half)}


def over_folds(mean: float, sd: float, folds: int) -> dict[str, float]:
    """Return an accuracy, or a difference of two, over the folds of a cross-validation with its 95 % interval.

    Notes
    -----
    Folds share training cells, so that their variance is raised by test over training cells, 1/(folds − 1) (Nadeau and
    Bengio 2003, as in `learn.statistics.corrected_t_test`).
    """
    from scipy.stats import t

    half = float(t.ppf(0.975, folds - 1)) * sd * math.sqrt(1 / folds + 1 / (folds - 1))
    return {"value": mean, "low": mean - half, "high": min(1.0, mean + half)}


def fused_accuracy(*accuracies: Any) -> Any:
    """Return the accuracy of fused, independent evidence for two equally frequent classes: d′² adds.

    Notes
    -----
    For two normal distributions of equal variance the best accuracy is Φ(d′/2) (Green and Swets 1966, chapter 1;
    Macmillan and Creelman 2005, chapter 6). 88.7 % and 90.6 % give 96.3 %. Evidence below chance counts as none.
    """
    from scipy.stats import norm

    parts = [norm.ppf(np.clip(accuracy, 0.5, 1 - 1e-6)) for accuracy in accuracies]
    return norm.cdf(np.sqrt(np.sum(np.square(parts), axis=0)))
