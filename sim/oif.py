"""ESPResSo's object-in-fluid membrane, force by force; any consistent units.

The model of the papers of Cimrák, Jančigová and co-workers; formulas in `sim.kernels.oif`. Constants depend on the
mesh: kb is a force per rad. The nodes' mass, their friction with the fluid and the walls are in `sim.inertial`.
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
    Walls are added by `sim.softsphere.repel`. ESPResSo 4.1.2 takes a hinge whose normals
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


def oif_energy(model: Oif, x: np.ndarray) -> shell.Energies:
    """Return the energies of a membrane with nodes at `x` (V, 3).

    Notes
    -----
    Stretching and volume are what their forces do on the way from rest. The forces of bending and areas are no
    gradients: the energies are those of hinges ½ kb h (θ - θ0)², h the mean height of the two triangles, and of
    ½ (kal/2) (A - A0)²/A0 and ½ (kag/2) (S - S0)²/S0, which are as stiff at small strain.
    """
    t = model.topology
    ratio = shell.edge_lengths(t, x) / model.length0
    at, weight = np.polynomial.legendre.leggauss(12)
    way = 1 + (ratio[:, None] - 1) * (at + 1) / 2
    stiffening = (way**0.5 + way**-2.5) / (way + way**-3)
    pull = (model.ks * stiffening + model.kslin) * (way - 1)
    stretching = model.length0**2 * (ratio - 1) / 2 * (pull @ weight)
    height = model.area0[t.edge_faces].sum(axis=1) / model.length0
    bending = 0.5 * model.kb * height * (shell.hinge_angles(t, x) - model.theta0) ** 2
    area = model.area0 * (1 + shell.areal_strain(model, x))
    local = 0.25 * model.kal * ((area - model.area0) ** 2 / model.area0).sum()
    whole = 0.25 * model.kag * (area.sum() - model.total_area0) ** 2 / model.total_area0
    volume = mesh.volume(mesh.Mesh(x, t.faces))
    return shell.Energies(
        stretching=float(stretching.sum()),
        bending=float(bending.sum()),
        area=float(local + whole),
        volume=float(0.5 * model.kv * (volume - model.volume0) ** 2 / model.volume0),
    )


def oif_tension(model: Oif, x: np.ndarray) -> np.ndarray:
    """Return the mean of the two principal tensions of each face (F,), force per length, without viscosity.

    Notes
    -----
    Half the trace of the virial stress: of the edges as in `sim.shell.mean_tension`, of the areas -Σ F·(x - h)/(2 A).
    """
    t = model.topology
    length = shell.edge_lengths(t, x)
    ratio = length / model.length0
    stiffening = (ratio**0.5 + ratio**-2.5) / (ratio + ratio**-3)
    pull = 0.5 * (model.ks * stiffening + model.kslin) * (length - model.length0) * length
    strain = shell.areal_strain(model, x)
    area = model.area0 * (1 + strain)
    whole = area.sum() / model.total_area0 - 1
    return 0.5 * (model.kal * strain / (1 + strain) + model.kag * whole + pull[t.face_edges].sum(axis=1) / area)
