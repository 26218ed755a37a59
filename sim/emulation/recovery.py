"""Whether the inverse finds the stiffness of cells that the emulator has not seen."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sim.emulation.crossval import Part
from sim.emulation.emulator import Emulator
from sim.emulation.inverse import Value, feature_evidence, posterior

if TYPE_CHECKING:
    import pandas as pd

UNKNOWN = ("cell.ks", "cell.kb")
MOST = 64
"""Cells that are tried at most."""


@dataclass(frozen=True)
class Recovery:
    """Stiffness of held-out cells found from their features.

    Attributes
    ----------
    truth, found
        Ks that was simulated and the median of its posterior (N,), N/m.
    low, high
        Ends of the 95 % interval (N,).
    rank
        Probability below the true Ks (N,): even between 0 and 1 if the posteriors are right.
    """

    truth: np.ndarray
    found: np.ndarray
    low: np.ndarray
    high: np.ndarray
    rank: np.ndarray

    @property
    def error(self) -> float:
        """Root mean square of ln(found/true)."""
        return float(np.sqrt(np.mean(np.log(self.found / self.truth) ** 2)))

    def coverage(self, level: float) -> float:
        """Return the share of cells whose central interval of a probability holds the truth."""
        return float(np.mean(abs(self.rank - 0.5) <= level / 2))


def recover(
    emulator: Emulator, runs: pd.DataFrame, parts: list[Part], features: tuple[str, ...], error: float
) -> Recovery:
    """Return what the inverse finds for held-out cells that came through.

    Parameters
    ----------
    emulator
        Cross-validated.
    runs
        The sweep's usable rows.
    parts
        Emulators without each fold's cells.
    features
        What is taken as measured.
    error
        Its relative standard error, of the deformation index absolute; it is added to the values, too.
    """
    draw = np.random.default_rng(0)
    known = [name for name in emulator.design.names if name not in UNKNOWN]
    rows = []
    for held, bare in parts:
        part = dataclasses.replace(bare, moments=emulator.moments)
        for row in held[: MOST // len(parts)]:
            cell = runs.iloc[row]
            columns = {name: float(cell[name]) for name in part.design.names}
            # a cell at the rim of the design is outside of it once it is held out
            if not part.design.inside(part.design.scale(columns))[0] or cell[list(features)].isna().any():
                continue
            observed = {}
            for name in features:
                deviation = error if not part.surfaces[name].log else error * cell[name]
                observed[name] = Value(float(cell[name] + deviation * draw.standard_normal()), float(deviation))
            evidence = feature_evidence(part, observed)
            found = posterior(part, {name: Value(columns[name]) for name in known}, evidence)
            low, high = found.interval("cell.ks", 0.95)
            median = float(found.quantile("cell.ks", [0.5])[0])
            rows.append((cell["cell.ks"], median, low, high, found.rank("cell.ks", cell["cell.ks"])))
    return Recovery(*np.array(rows).T)
