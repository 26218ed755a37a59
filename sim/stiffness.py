"""How stiff a membrane may be for the explicit time step."""

from __future__ import annotations

import math

from sim.cellconfig import CellConfig
from sim.config import SimulationConfig
from sim.coupling import KINK_STEPS
from sim.kernels.ibm import missed_velocity
from sim.lattice import CS2
from sim.oifconfig import area_modulus as oif_area_modulus
from sim.shape import membranes, node_size

MAX_KS_LU = {2: 0.47, 3: 1.6, 4: 2.7}
"""A third of the last stable ks measured with each kernel (`sim/reference/ib_explicit_stability_ks.csv`)."""
MARGIN = 1 / 3
WAVE = {2: 4.0, 3: 6.0}
"""Stiffness of the shortest wave on a ring of springs of unit length and on a triangular network, over ks."""


def shear_modulus(cell: CellConfig) -> float:
    """Return Gs = √3/4 Ks (N/m; Seung & Nelson 1988)."""
    return math.sqrt(3) / 4 * cell.ks


def area_modulus(cell: CellConfig) -> float:
    """Return K (N/m) of a three-dimensional cell at small strain, all of its area constants included.

    Notes
    -----
    2 Gs of a triangular network of springs (Seung & Nelson 1988), 3 Gs of a neo-Hookean membrane, (1 + 2 C) Gs of
    Skalak's (Barthès-Biesel et al. 2002).
    """
    if cell.oif is not None:
        return oif_area_modulus(cell.oif)
    factor = {"spring": 2.0, "neo-hookean": 3.0, "skalak": 1 + 2 * cell.skalak_c}[cell.law]
    return factor * shear_modulus(cell) + cell.ka_local + cell.ka_global


def stretching_constant(config: SimulationConfig) -> float:
    """Return Ks (N/m) of the springs as stiff along a wave as the stiffest membrane: of modulus K + Gs = √3 3/4 Ks.

    The global area resists no wave and is left out.
    """
    parts = [part for cell in config.all_cells for part in membranes(cell)]
    if config.numerics.dimension == 2:
        return max(part.ks for part in parts)
    local = [area_modulus(part) - (part.ka_global if part.oif is None else 0.0) for part in parts]
    pairs = zip(parts, local, strict=True)
    return max(part.ks * (k + shear_modulus(part)) / (3 * shear_modulus(part)) for part, k in pairs)


def max_ks_lu(config: SimulationConfig) -> float:
    """Return the largest stretching constant for the explicit step, lattice units.

    Notes
    -----
    The velocity that interpolation misses, c/(μ A) times the force of a node of area (2-D: length) A, follows the
    forces in T steps: stable for k c/(μ A) < 4 T - 2, k being the stiffness of the shortest wave. Tried with a 1 %
    kick: the last stable ks is 0.85 to 1 times this in 2-D and for A = 0.49 and 1.9. A third of it is allowed.
    """
    numerics = config.numerics
    most = MAX_KS_LU[numerics.kernel]
    if config.cell.oif is not None:
        return most  # nodes with a mass move with the velocity as interpolated
    magic = numerics.magic if numerics.collision == "trt" else (numerics.tau - 0.5) ** 2
    thinnest = min(1.0, *(cell.viscosity_ratio or 1.0 for cell in config.all_cells))
    mobility = missed_velocity(numerics.kernel, magic) / (CS2 * (numerics.tau - 0.5) * thinnest)
    size = min(node_size(cell, numerics) for cell in config.all_cells) / numerics.dx ** (numerics.dimension - 1)
    per_ks = WAVE[numerics.dimension] * mobility / (size**2 if numerics.dimension == 2 else size)
    return min(most, MARGIN * (4 * KINK_STEPS - 2) / per_ks)
