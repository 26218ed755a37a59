"""ESPResSo's object-in-fluid membrane, force by force; any consistent units.

The model of the papers of Cimrák, Jančigová and co-workers; formulas in `sim.kernels.oif`. Constants depend on the
mesh: kb is a force per rad. Nodes have a mass and friction with the fluid, which is not done here.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from sim import mesh, shell
from sim.command import InputError
from sim.kernels import oif as kernels
from sim.kernels.shell import add_dashpots, face_geometry


@dataclass(frozen=True)
class Oif:
    """A membrane of the object-in-fluid model.

    Attributes
    ----------
    topology
        Faces, edges and hinges.
    length0, theta0, area0
        Edge lengths (E,), hinge angles (E,; positive where convex, rad) and face areas (F,) at rest.
    total_area0, volume0
        Area and volume at rest.
    ks, kslin
        Stretching, stiffening or linear (force per length); one of them is zero.
    kb
        Bending (force per rad).
    kal, kag, kv
        Local area, global area (force per length), volume (pressure).
    kvisc
        Viscosity of the edges (force times time per length).
    """

    topology: mesh.Topology = field(repr=False)
    length0: np.ndarray = field(repr=False)
    theta0: np.ndarray = field(repr=False)
    area0: np.ndarray = field(repr=False)
    total_area0: float
    volume0: float
    ks: float
    kslin: float
    kb: float
    kal: float
    kag: float
    kv: float
    kvisc: float


def make_oif(
    rest_nodes: np.ndarray,
    faces: np.ndarray,
    *,
    ks: float = 0.0,
    kslin: float = 0.0,
    kb: float = 0.0,
    kal: float = 0.0,
    kag: float = 0.0,
    kv: float = 0.0,
    kvisc: float = 0.0,
) -> Oif:
    """Return the membrane that is at rest in a given shape.

    Parameters
    ----------
    rest_nodes, faces
        Positions (V, 3) and outward-wound node indices (F, 3).
    ks, kslin, kb, kal, kag, kv, kvisc
        As of `Oif`.

    Raises
    ------
    InputError
        If the mesh is not closed or winds inwards, or both stretching constants are given.
    """
    if ks and kslin:
        raise InputError(f"ks {ks:g} and kslin {kslin:g} exclude each other: set one of them to 0")
    rest = shell.measure(rest_nodes, faces)
    return Oif(
        rest.topology,
        rest.length,
        rest.theta,
        rest.area,
        rest.total_area,
        rest.volume,
        ks,
        kslin,
        kb,
        kal,
        kag,
        kv,
        kvisc,
    )


def oif_forces(
    model: Oif, x: np.ndarray, velocity: np.ndarray, force: np.ndarray, work: shell.Workspace
) -> tuple[float, float]:
    """Write the forces of a membrane on its nodes; return its volume and area.

    Parameters
    ----------
    model
        Constants.
    x, velocity
        Positions and velocities of the nodes (V, 3) float64, C-ordered; the velocity is read only where there is
        viscosity.
    force
        Output (V, 3) float64.
    work
        Of this membrane.

    Notes
    -----
    Walls are added by `sim.kernels.oif.add_soft_sphere`, one call for each. ESPResSo 4.1.2 takes a hinge whose normals
    are equal in every digit for one of π/2; that is not done here.
    """
    t = model.topology
    volume, area = face_geometry(x, t.faces, work.normal)
    kernels.edge_forces(
        x,
        t.edges,
        t.edge_faces,
        work.normal,
        model.length0,
        model.theta0,
        model.ks,
        model.kslin,
        model.kb,
        work.pull,
    )
    if model.kvisc:
        add_dashpots(x, velocity, t.edges, model.kvisc, work.pull)
    area_strain = model.kag * (area - model.total_area0) / model.total_area0
    pressure = -model.kv * (volume - model.volume0) / model.volume0
    kernels.node_forces(
        x, t.faces, t.face_edges, work.normal, work.pull, model.area0, model.kal, area_strain, pressure, force
    )
    return volume, area
