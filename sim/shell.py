"""The membrane of a three-dimensional cell: constants, forces, energies and strains of a closed mesh.

Any consistent set of units will do; nothing here converts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

import numpy as np

from sim import mesh
from sim.command import InputError
from sim.kernels import shell as kernels

Law = Literal["spring", "neo-hookean", "skalak"]
LAWS = {"spring": kernels.SPRING, "neo-hookean": kernels.NEO_HOOKEAN, "skalak": kernels.SKALAK}
SHEAR_OF_KS = np.sqrt(3) / 4
"""Gs = √3/4 ks of a regular triangular network of springs (Seung & Nelson 1988)."""
RIGIDITY_OF_KB = np.sqrt(3) / 2
"""κ = √3/2 kb of a regular triangular network of hinges (Seung & Nelson 1988)."""

TORN, COLLAPSED = 9.0, 0.01
"""Area of a triangle over its area at rest beyond which the mesh is no membrane any more."""


@dataclass(frozen=True)
class Shell:
    """An elastic, closed, triangulated membrane; energies in `sim.kernels.shell`.

    Attributes
    ----------
    topology
        Faces, edges and hinges.
    length0, theta0, area0
        Edge lengths (E,), hinge angles (E,; positive where convex) and face areas (F,) at rest.
    total_area0, volume0
        Area and volume at rest.
    ks, kb, ka_local, ka_global, kv
        Stretching (force per length), bending (energy), area (force per length) and volume (pressure) constant.
    viscosity
        Shear viscosity of the membrane (force times time per length).
    law
        Of the stretching; `ks` stands for the shear modulus √3/4 ks in all of them.
    skalak_c
        C of Skalak's law.
    edge_rest, face_rest
        What the kernels read: l0, cos θ0, sin θ0 (E, 3); A0 and the cotangents at rest (F, 4).
    """

    topology: mesh.Topology = field(repr=False)
    length0: np.ndarray = field(repr=False)
    theta0: np.ndarray = field(repr=False)
    area0: np.ndarray = field(repr=False)
    total_area0: float
    volume0: float
    ks: float
    kb: float
    ka_local: float
    ka_global: float
    kv: float
    viscosity: float
    law: Law
    skalak_c: float
    edge_rest: np.ndarray = field(repr=False)
    face_rest: np.ndarray = field(repr=False)

    @property
    def shear_modulus(self) -> float:
        """Gs = √3/4 ks (force per length)."""
        return float(SHEAR_OF_KS * self.ks)

    @property
    def area_modulus(self) -> float:
        """K at small strain: 2 Gs (spring), 3 Gs (neo-Hookean), (1 + 2 C) Gs (Skalak), plus the area constants."""
        factor = {"spring": 2.0, "neo-hookean": 3.0, "skalak": 1 + 2 * self.skalak_c}[self.law]
        return factor * self.shear_modulus + self.ka_local + self.ka_global

    @property
    def bending_rigidity(self) -> float:
        """κ = √3/2 kb (energy)."""
        return float(RIGIDITY_OF_KB * self.kb)


class Surface(Protocol):
    """A membrane of any law, as far as its mesh is concerned."""

    @property
    def topology(self) -> mesh.Topology:
        """Faces, edges and hinges."""
        ...

    @property
    def area0(self) -> np.ndarray:
        """Areas of the faces at rest (F,)."""
        ...


class Workspace:
    """Memory of `shell_forces` and of `sim.oif.oif_forces`, written anew by each call.

    Attributes
    ----------
    normal
        Unit normal and 1/(2 A) of each face (F, 4).
    pull
        Half the spring's and dashpot's tension over length, and dE/dθ over length, of each edge (E, 2).
    plane
        dW/dI1 and isotropic tension of each face (F, 2).
    area
        Vector and size of the area of each node (V, 4), for `sim.kernels.shell.kink_velocity`.
    """

    def __init__(self, shell: Surface) -> None:
        self.normal = np.zeros((len(shell.topology.faces), 4))
        self.pull = np.zeros((len(shell.topology.edges), 2))
        self.plane = np.zeros((len(shell.topology.faces), 2))
        self.area = np.zeros((int(shell.topology.faces.max()) + 1, 4))


class Energies(NamedTuple):
    """Energy of each term."""

    stretching: float
    bending: float
    area: float
    volume: float


class Measures(NamedTuple):
    """Geometry of a closed surface: what a membrane at rest in this shape remembers.

    Attributes
    ----------
    topology
        Faces, edges and hinges.
    length, theta
        Lengths and hinge angles of the edges (E,).
    area, cotangent
        Areas of the faces (F,) and cotangents of their angles (F, 3).
    total_area, volume
        Of the whole surface.
    """

    topology: mesh.Topology
    length: np.ndarray
    theta: np.ndarray
    area: np.ndarray
    cotangent: np.ndarray
    total_area: float
    volume: float


def measure(nodes: np.ndarray, faces: np.ndarray) -> Measures:
    """Return the geometry of a closed surface of nodes (V, 3) and outward-wound faces (F, 3).

    Raises
    ------
    InputError
        If it is not closed, or winds inwards.
    """
    topology = mesh.topology(faces)
    x = np.ascontiguousarray(nodes, dtype=float)
    volume = mesh.volume(mesh.Mesh(x, topology.faces))
    if volume <= 0:
        raise InputError("the faces wind inwards: reverse the order of their nodes")
    doubled, cotangent = _angles(topology, x)
    area = 0.5 * doubled
    return Measures(
        topology, edge_lengths(topology, x), hinge_angles(topology, x), area, cotangent, float(area.sum()), volume
    )


def make_shell(
    rest_nodes: np.ndarray,
    faces: np.ndarray,
    *,
    ks: float,
    kb: float,
    ka_local: float = 0.0,
    ka_global: float = 0.0,
    kv: float = 0.0,
    viscosity: float = 0.0,
    law: Law = "spring",
    skalak_c: float = 1.0,
    inflation: float = 1.0,
) -> Shell:
    """Return the membrane that is at rest in a given shape.

    Parameters
    ----------
    rest_nodes, faces
        Positions (V, 3) and outward-wound node indices (F, 3).
    ks, kb, ka_local, ka_global, kv, viscosity, law, skalak_c
        As of `Shell`.
    inflation
        Start radius over radius at rest: lengths at rest are those of `rest_nodes` divided by it, the volume is
        that of `rest_nodes`, which is where the cell starts.

    Raises
    ------
    InputError
        If the mesh is not closed, or winds inwards.
    """
    rest = measure(rest_nodes, faces)
    length0, area0 = rest.length / inflation, rest.area / inflation**2
    return Shell(
        topology=rest.topology,
        length0=length0,
        theta0=rest.theta,
        area0=area0,
        total_area0=rest.total_area / inflation**2,
        volume0=rest.volume,
        ks=ks,
        kb=kb,
        ka_local=ka_local,
        ka_global=ka_global,
        kv=kv,
        viscosity=viscosity,
        law=law,
        skalak_c=skalak_c,
        edge_rest=np.column_stack([length0, np.cos(rest.theta), np.sin(rest.theta)]),
        face_rest=np.column_stack([area0, rest.cotangent]),
    )


def shell_forces(
    shell: Shell, x: np.ndarray, velocity: np.ndarray, multiplier: float, force: np.ndarray, work: Workspace
) -> tuple[float, float]:
    """Write the forces of a membrane on its nodes; return its volume and area.

    Parameters
    ----------
    shell
        Constants.
    x, velocity
        Positions and velocities of the nodes (V, 3) float64, C-ordered; the velocity is read only where there is
        membrane viscosity.
    multiplier
        λ of the volume constraint.
    force
        Output (V, 3) float64.
    work
        Of this shell.
    """
    t = shell.topology
    volume, area = kernels.face_geometry(x, t.faces, work.normal)
    spring = shell.ks if shell.law == "spring" else 0.0
    kernels.edge_moments(x, t.edges, t.edge_faces, work.normal, shell.edge_rest, spring, shell.kb, work.pull)
    if shell.viscosity:
        dashpot = shell.viscosity / SHEAR_OF_KS
        kernels.add_dashpots(x, velocity, t.edges, dashpot, work.pull)
    tension = shell.ka_global * (area - shell.total_area0) / shell.total_area0
    in_plane = shell.law != "spring" or shell.ka_local != 0 or tension != 0
    if in_plane:
        kernels.face_tensions(
            x,
            t.faces,
            work.normal,
            shell.face_rest,
            LAWS[shell.law],
            shell.shear_modulus,
            shell.skalak_c,
            shell.ka_local,
            tension,
            work.plane,
        )
    pressure = -shell.kv * (volume - shell.volume0) / shell.volume0 - multiplier
    kernels.node_forces(
        x, t.faces, t.face_edges, work.normal, work.pull, in_plane, work.plane, shell.face_rest, pressure, force
    )
    return volume, area


def shell_energy(shell: Shell, x: np.ndarray) -> Energies:
    """Return the energies of a membrane with nodes at `x` (V, 3), without that of the multiplier."""
    t = shell.topology
    doubled, _ = _angles(t, x)
    ratio = 0.5 * doubled / shell.area0
    area, volume = 0.5 * doubled.sum(), mesh.volume(mesh.Mesh(x, t.faces))
    if shell.law == "spring":
        stretching = 0.5 * shell.ks * ((edge_lengths(t, x) - shell.length0) ** 2).sum()
    else:
        i1, i2 = first_invariant(shell, x), ratio**2 - 1
        if shell.law == "neo-hookean":
            density = 0.5 * (i1 - 1 + 1 / (i2 + 1))
        else:
            density = 0.25 * (i1**2 + 2 * i1 - 2 * i2 + shell.skalak_c * i2**2)
        stretching = shell.shear_modulus * (shell.area0 * density).sum()
    local = 0.5 * shell.ka_local * (shell.area0 * (ratio - 1) ** 2).sum()
    whole = 0.5 * shell.ka_global * (area - shell.total_area0) ** 2 / shell.total_area0
    return Energies(
        stretching=float(stretching),
        # |cos| takes θ - θ0 to within ±π
        bending=float(4 * shell.kb * (1 - abs(np.cos((hinge_angles(t, x) - shell.theta0) / 2))).sum()),
        area=float(local + whole),
        volume=float(0.5 * shell.kv * (volume - shell.volume0) ** 2 / shell.volume0),
    )


def broken_face(shell: Surface, work: Workspace, folds: bool = True) -> str | None:
    """Say which face is torn, collapsed or upside down among its neighbours; None if the mesh is sound.

    Parameters
    ----------
    shell, work
        Membrane, and its workspace as the last computation of its forces left it.
    folds
        Whether collapsed and inverted faces count.
    """
    t, worst = shell.topology, np.empty(3)
    stretched, shrunk, folded = kernels.find_extremes(t.edge_faces, t.face_edges, work.normal, shell.area0, worst)
    if not np.isfinite(worst).all():
        return f"triangle {stretched} has no finite area"
    if worst[0] > TORN:
        return f"triangle {stretched} is torn: {worst[0]:.3g} times its area at rest (at most {TORN:g})"
    if folds and worst[1] < COLLAPSED:
        return f"triangle {shrunk} has collapsed: {worst[1]:.2g} times its area at rest (at least {COLLAPSED:g})"
    if folds and worst[2] < mesh.FOLDED:
        angle = np.degrees(np.arccos(max(-1.0, worst[2])))
        return f"triangle {folded} is inverted: {angle:.0f}° or more to two of its neighbours (at most 120°)"
    return None


def areal_strain(shell: Surface, x: np.ndarray) -> np.ndarray:
    """Return A/A0 - 1 of each face (F,)."""
    return 0.5 * _angles(shell.topology, x)[0] / shell.area0 - 1


def mean_tension(shell: Shell, x: np.ndarray) -> np.ndarray:
    """Return the mean of the two principal tensions of each face (F,), force per length, without viscosity.

    Notes
    -----
    Half the trace of the virial stress: σ + Σ t_k l_k²/(2 A) over the edges, with σ and t_k of
    `sim.kernels.shell`; an edge's spring acts half in either face.
    """
    t = shell.topology
    doubled, _ = _angles(t, x)
    area = 0.5 * doubled
    ratio = area / shell.area0
    tension = shell.ka_local * (ratio - 1) + shell.ka_global * (area.sum() / shell.total_area0 - 1)
    if shell.law == "spring":
        length = edge_lengths(t, x)
        pull = 0.5 * shell.ks * (length - shell.length0) * length
        return tension + 0.5 * pull[t.face_edges].sum(axis=1) / area
    i1, i2 = first_invariant(shell, x), ratio**2 - 1
    if shell.law == "neo-hookean":
        slope, isotropic = 0.5, -1 / ratio**3
    else:
        slope, isotropic = 0.5 * (i1 + 1), ratio * (shell.skalak_c * i2 - 1)
    return tension + shell.shear_modulus * (isotropic + slope * (i1 + 2) / ratio)


def edge_lengths(topology: mesh.Topology, x: np.ndarray) -> np.ndarray:
    """Return the lengths of the edges (E,)."""
    return np.linalg.norm(x[topology.edges[:, 1]] - x[topology.edges[:, 0]], axis=1)


def hinge_angles(topology: mesh.Topology, x: np.ndarray) -> np.ndarray:
    """Return the angles between the normals of the two faces of each edge (E,), positive where convex, rad."""
    a, b, c, d = (x[topology.hinges[:, k]] for k in range(4))
    edge = b - a
    first, second = np.cross(edge, c - a), np.cross(d - a, edge)
    sine = np.einsum("ed,ed->e", np.cross(first, second), edge) / np.linalg.norm(edge, axis=1)
    return np.arctan2(sine, np.einsum("ed,ed->e", first, second))


def first_invariant(shell: Shell, x: np.ndarray) -> np.ndarray:
    """Return I1 = λ1² + λ2² - 2 of each face (F,)."""
    faces = shell.topology.faces
    sides = x[np.roll(faces, -2, axis=1)] - x[np.roll(faces, -1, axis=1)]
    squares = np.einsum("fkd,fkd->fk", sides, sides)
    return 0.5 * (shell.face_rest[:, 1:] * squares).sum(axis=1) / shell.area0 - 2


def _angles(topology: mesh.Topology, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return twice the area (F,) of the faces and the cotangents of their angles (F, 3)."""
    corner = x[topology.faces]
    sides = np.roll(corner, -2, axis=1) - np.roll(corner, -1, axis=1)
    doubled = np.linalg.norm(np.cross(sides[:, 0], sides[:, 1]), axis=1)
    dots = np.einsum("fkd,fkd->fk", np.roll(sides, -1, axis=1), np.roll(sides, -2, axis=1))
    return doubled, -dots / doubled[:, None]
