"""Cells keep off each other, and a nucleus off its membrane: repulsion between the nodes of membranes."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from sim.kernels.contact import add_repulsion

BOXES = 32**3
"""Most boxes that the nodes are sorted into; with more space than that they grow."""


@dataclass(frozen=True)
class Contact:
    """Repulsion between membranes.

    Attributes
    ----------
    strength
        Largest force of a pair of nodes.
    reach
        Distance of two nodes below which they repel.
    """

    strength: float
    reach: float
    _head: np.ndarray = field(default_factory=lambda: np.empty(BOXES, dtype=np.int32), repr=False, compare=False)


def repel(contact: Contact, positions: Sequence[np.ndarray], forces: Sequence[np.ndarray]) -> float:
    """Add the forces between the nodes of different membranes.

    Parameters
    ----------
    contact
        Strength and reach.
    positions
        Nodes of each membrane (V, d) float64, d = 2 or 3.
    forces
        Added to, of the same shapes.

    Returns
    -------
    distance
        Smallest distance of two nodes of different membranes; inf if none are within reach.
    """
    smallest = np.inf
    for a, b in itertools.combinations(range(len(positions)), 2):
        # The larger membrane is sorted, the smaller one searches.
        if len(positions[a]) > len(positions[b]):
            a, b = b, a
        following = np.empty(len(positions[b]), dtype=np.int32)
        near = add_repulsion(
            positions[a],
            positions[b],
            contact.strength,
            contact.reach,
            contact._head,
            following,
            forces[a],
            forces[b],
        )
        smallest = min(smallest, near)
    return float(smallest)
