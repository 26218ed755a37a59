"""Velocity sets of the lattice-Boltzmann method."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

CS2 = 1.0 / 3.0
"""Square of the speed of sound in lattice units, of every set here."""


@dataclass(frozen=True)
class VelocitySet:
    """Discrete velocities with weights; directions 2k-1 and 2k are opposite, 0 is rest.

    Attributes
    ----------
    name
        For example ``D2Q9``.
    c
        Velocities (q, d) int, lattice units.
    w
        Weights (q,).
    """

    name: str
    c: np.ndarray
    w: np.ndarray

    @property
    def q(self) -> int:
        """Number of velocities."""
        return len(self.w)

    @property
    def d(self) -> int:
        """Dimension."""
        return self.c.shape[1]

    @property
    def opposite(self) -> np.ndarray:
        """Index of the opposite velocity (q,)."""
        k = np.arange(self.q)
        return np.where(k == 0, 0, np.where(k % 2 == 1, k + 1, k - 1))


def _velocity_set(name: str, pairs: list[tuple[int, ...]], weight: dict[int, float]) -> VelocitySet:
    zero = (0,) * len(pairs[0])
    c = np.array([zero] + [v for p in pairs for v in (p, tuple(-i for i in p))])
    w = np.array([weight[int(np.abs(v).sum())] for v in c])
    return VelocitySet(name, c, w)


D2Q9 = _velocity_set("D2Q9", [(1, 0), (0, 1), (1, 1), (1, -1)], {0: 4 / 9, 1: 1 / 9, 2: 1 / 36})
D3Q19 = _velocity_set(
    "D3Q19",
    [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (1, -1, 0), (1, 0, 1), (1, 0, -1), (0, 1, 1), (0, 1, -1)],
    {0: 1 / 3, 1: 1 / 18, 2: 1 / 36},
)
