"""The section `cell.oif`: constants of ESPResSo's object-in-fluid model, and what goes with them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from sim.section import Section

if TYPE_CHECKING:
    from sim.cellconfig import CellConfig
    from sim.config import SimulationConfig

CHANNELS = ("constriction", "straight", "couette")
"""Kinds of channels whose walls are the shapes that the soft-sphere repulsion knows."""


class OifConfig(Section):
    """The object-in-fluid model, as ESPResSo 4.1.2 computes it (3-D); its constants depend on the mesh."""

    ks: float = Field(gt=0)
    """Stretching of an edge; `cell.ks` follows it (N/m)."""
    kb: float = Field(ge=0)
    """Bending of an edge per radian; `cell.kb` follows it (N)."""
    kal: float = Field(default=0.0, ge=0)
    """Constraint on the area of each triangle (N/m)."""
    kag: float = Field(default=0.0, ge=0)
    """Constraint on the whole area (N/m)."""
    kv: float = Field(ge=0)
    """Constraint on the enclosed volume; `cell.kv` follows it (N/m²)."""
    kvisc: float = Field(default=0.0, ge=0)
    """Viscosity of an edge (N s/m)."""
    node_mass: float = Field(gt=0)
    """Mass of a node (kg)."""
    friction: float = Field(gt=0)
    """Friction γ between a node and the fluid; `numerics.friction` follows it (N s/m)."""
    friction_scheme: Literal["explicit", "exact"] | None = None
    """How friction is integrated over a step: `explicit` as in ESPResSo, or `exact`, the solution for constant forces
    and flow, stable at any γ; by default explicit where γ dt/m < 1 (-)."""
    wall_energy: float = Field(ge=0)
    """Energy of a node 1 µm from a wall; at a distance d it is that times (1 µm/d)^n (J)."""
    wall_exponent: float = Field(gt=0)
    """Exponent n of the walls' repulsion (-)."""
    wall_cutoff: float = Field(gt=0)
    """Distance at which the walls' repulsion drops to zero; `numerics.wall_range` follows it (m)."""


def area_modulus(oif: OifConfig) -> float:
    """Return K = √3/2 ks + kal/2 + kag/2 of an equilateral mesh (N/m)."""
    return math.sqrt(3) / 2 * oif.ks + 0.5 * (oif.kal + oif.kag)


def hinge_constant(oif: OifConfig, diameter: float, level: int) -> float:
    """Return the Kb (J) of the hinges ½ Kb (θ - θ0)² that bend as easily: kb times the height of a triangle.

    Notes
    -----
    The 20·4ⁿ triangles of a sphere of level n cover π d²; those of other shapes of that level are taken for as large.
    """
    edge = math.sqrt(4 / math.sqrt(3) * math.pi * diameter**2 / (20 * 4**level))
    return oif.kb * math.sqrt(3) / 2 * edge


def complete(cell: CellConfig, given: set[str]) -> CellConfig:
    """Return a cell of this law with the fields that follow those of `cell.oif`.

    Raises
    ------
    ValueError
        If one of them was given and is another, or the mesh is left open.
    """
    oif = cell.oif
    if oif is None:
        raise ValueError('law = "oif" needs its constants: state the section [cell.oif]')
    if cell.mesh_level is None:
        raise ValueError("mesh_level is missing: the constants of [cell.oif] are those of one mesh; state its level")
    follow = {"ks": oif.ks, "kb": hinge_constant(oif, cell.diameter, cell.mesh_level), "kv": oif.kv}
    for name, value in follow.items():
        here = getattr(cell, name)
        if name in given and not math.isclose(here, value, rel_tol=1e-9):
            raise ValueError(
                f"{name} = {here:g} is not what follows from [cell.oif], {value:g}: leave cell.{name} out "
                f"(--cell.{name} none)"
            )
    return cell.model_copy(update=follow)


def refuse_others(config: SimulationConfig) -> None:
    """Refuse what does not go with the law `oif`.

    Raises
    ------
    ValueError
        With field, value and remedy.
    """
    cell, numerics = config.cell, config.numerics
    for name in ("ka_local", "ka_global", "membrane_viscosity", "viscosity_ratio", "inflation", "mesh_file", "nucleus"):
        value, default = getattr(cell, name), type(cell).model_fields[name].default
        if value != default:
            raise ValueError(f'cell.{name} does not go with cell.law = "oif": leave it out; see [cell.oif]')
    rules = {
        "numerics.dimension": (numerics.dimension, 3, "is three-dimensional"),
        "numerics.kernel": (numerics.kernel, 2, "interpolates between the 8 nodes of a lattice cell"),
        "numerics.coupling": (numerics.coupling, "friction", "couples by friction"),
    }
    for name, (value, needed, why) in rules.items():
        if value != needed:
            raise ValueError(f'cell.law = "oif" {why}: set {name} to {needed} (it is {value})')
    if config.channel.kind not in CHANNELS:
        raise ValueError(
            f'cell.law = "oif" has walls of planes and prisms: channel.kind = "{config.channel.kind}" is none of '
            f"{', '.join(CHANNELS)}"
        )
    friction = cell.oif.friction if cell.oif else None
    if numerics.friction not in (None, friction):
        raise ValueError(f"numerics.friction = {numerics.friction:g} N s/m is not cell.oif.friction: leave it out")
