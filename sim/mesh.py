"""Meshes of a cell at rest: a ring in 2-D, closed triangulated surfaces in 3-D."""

from __future__ import annotations

import contextlib
import io
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sim.command import InputError
from sim.config import METRES
from sim.files import cache_dir, read_arrays, replacing

EVANS_FUNG = (0.81, 7.83, -4.39)
"""Thickness of a red cell of 7.82 µm at 300 mOsm, in µm: c0, c2, c4 (Evans & Fung 1972, table 4; recalled)."""
EVANS_FUNG_DIAMETER = 7.82
READ_BY_TRIMESH = (".stl", ".obj", ".ply")
READ_BY_MESHIO = (".vtk", ".vtu")

EQUAL_EDGES = 60
"""Iterations that make the edges of an ellipse equal: to 1e-12 at an axis ratio of 0.2."""
FOLDED = -0.5
"""Cosine between the normals of a triangle and two of its neighbours below which it lies upside down."""


class Mesh(NamedTuple):
    """A triangulated surface.

    Attributes
    ----------
    nodes
        Positions (V, 3) float64.
    faces
        Node indices (F, 3) int32, counter-clockwise seen from outside.
    """

    nodes: np.ndarray
    faces: np.ndarray


class Topology(NamedTuple):
    """What is next to what in a closed mesh; all int32.

    Attributes
    ----------
    faces
        Node indices (F, 3).
    edges
        End nodes (E, 2), in the order in which face 0 of the edge runs through them.
    hinges
        End nodes, third node of face 0, third node of face 1 (E, 4).
    edge_faces
        The two faces of an edge (E, 2).
    face_edges
        Edge opposite to each node of a face (F, 3).
    """

    faces: np.ndarray
    edges: np.ndarray
    hinges: np.ndarray
    edge_faces: np.ndarray
    face_edges: np.ndarray


def ring(diameter: float, spacing: float, angle: float = 0.0) -> np.ndarray:
    """Return a ring of nodes (V, 2), counter-clockwise about the origin.

    Parameters
    ----------
    diameter
        Of the circle whose area the polygon encloses, m.
    spacing
        Wanted distance of neighbours, m.
    angle
        Turns the ring, rad.

    Notes
    -----
    The nodes lie a little outside the circle, so that the area is the circle's at any number of nodes.
    """
    count = ring_count(diameter, spacing)
    radius = diameter / 2 * np.sqrt(np.pi / (count / 2 * np.sin(2 * np.pi / count)))
    phi = angle + 2 * np.pi * np.arange(count) / count
    return radius * np.stack([np.cos(phi), np.sin(phi)], axis=1)


def ring_count(diameter: float, spacing: float) -> int:
    """Return the number of nodes of `ring`."""
    return max(12, round(np.pi * diameter / spacing))


def ellipse(diameters: tuple[float, float], spacing: float, angle: float = 0.0) -> np.ndarray:
    """Return a ring of nodes (V, 2) on an ellipse about the origin, counter-clockwise, its edges all of one length.

    Parameters
    ----------
    diameters
        Along x and y before it is turned; the polygon encloses the area of this ellipse.
    spacing
        Wanted distance of neighbours, in the same unit.
    angle
        Turns the ring, rad.
    """
    half = np.asarray(diameters) / 2

    def points(t: np.ndarray) -> np.ndarray:
        return half * np.stack([np.cos(t), np.sin(t)], axis=1)

    def edges(x: np.ndarray) -> np.ndarray:
        return np.linalg.norm(np.roll(x, -1, axis=0) - x, axis=1)

    count = max(12, round(edges(points(np.linspace(0, 2 * np.pi, 5000, endpoint=False))).sum() / spacing))
    t = 2 * np.pi * np.arange(count) / count
    for _ in range(EQUAL_EDGES):
        along = np.concatenate([[0.0], np.cumsum(edges(points(t)))])
        t = np.interp(along[-1] * np.arange(count) / count, along, np.append(t, 2 * np.pi))
    x = points(t)
    nxt = np.roll(x, -1, axis=0)
    enclosed = 0.5 * float((x[:, 0] * nxt[:, 1] - nxt[:, 0] * x[:, 1]).sum())
    x *= np.sqrt(np.pi * half.prod() / enclosed)
    return x @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])


def icosphere_level(diameter: float, spacing: float) -> int:
    """Return the level of the icosphere whose mean edge is nearest (in ratio) to `spacing`; 1 to 7.

    Notes
    -----
    Level n has 10·4ⁿ + 2 nodes and 30·4ⁿ edges; its 20·4ⁿ triangles of area √3/4 l² cover π d².
    """
    level = 0.5 * np.log2(np.pi * diameter**2 / (5 * np.sqrt(3) * spacing**2))
    return int(np.clip(round(level), 1, 7))


def icosphere(level: int, diameter: float, rotation: np.ndarray | np.random.Generator | None = None) -> Mesh:
    """Return a sphere about the origin with 10·4ˡᵉᵛᵉˡ + 2 nodes.

    Parameters
    ----------
    level
        Subdivisions of the icosahedron.
    diameter
        Of the sphere whose volume the mesh encloses, any unit.
    rotation
        Matrix (3, 3), or a generator that draws one; none when omitted.
    """
    return ellipsoid(level, (diameter, diameter, diameter), rotation)


def ellipsoid(
    level: int, diameters: tuple[float, float, float], rotation: np.ndarray | np.random.Generator | None = None
) -> Mesh:
    """Return an ellipsoid about the origin whose mesh encloses π/6 times the product of the three diameters.

    Parameters
    ----------
    level
        Subdivisions of the icosahedron it is mapped from.
    diameters
        Along x, y and z before the rotation, any unit.
    rotation
        As of `icosphere`.
    """
    unit = _unit_sphere(level)
    radius = (4 * np.pi / 3 / volume(unit)) ** (1 / 3)
    return _turned(unit.nodes * (radius * np.asarray(diameters) / 2), unit.faces, rotation)


def biconcave(level: int, diameter: float, rotation: np.ndarray | np.random.Generator | None = None) -> Mesh:
    """Return a red cell's resting shape about the origin, its axis along z, reduced volume 0.64.

    Parameters
    ----------
    level
        Subdivisions of the icosahedron it is mapped from.
    diameter
        Largest diameter, any unit.
    rotation
        As of `icosphere`.

    Notes
    -----
    Thickness √(1 - ρ²) (c0 + c2 ρ² + c4 ρ⁴), ρ = 2 r / diameter (Evans & Fung 1972, eq. 1), in proportion to
    the diameter.
    """
    unit = _unit_sphere(level)
    x, y, z = unit.nodes.T
    rho = x**2 + y**2
    c0, c2, c4 = EVANS_FUNG
    half = 0.5 * z * (c0 + c2 * rho + c4 * rho**2) / EVANS_FUNG_DIAMETER
    return _turned(diameter * np.column_stack([x / 2, y / 2, half]), unit.faces, rotation)


def volume(mesh: Mesh) -> float:
    """Return the enclosed volume; negative when the faces wind inwards."""
    a, b, c = (mesh.nodes[mesh.faces[:, k]] - mesh.nodes[0] for k in range(3))
    return float(np.einsum("fd,fd->", a, np.cross(b, c)) / 6)


def area(mesh: Mesh) -> float:
    """Return the area of the surface."""
    return float(np.linalg.norm(_normals(mesh), axis=1).sum() / 2)


def topology(faces: np.ndarray) -> Topology:
    """Return the neighbours in a closed, consistently wound mesh.

    Parameters
    ----------
    faces
        Node indices (F, 3).

    Raises
    ------
    InputError
        If an edge has not exactly two faces, or both run through it in the same direction.
    """
    count = len(faces)
    faces = np.ascontiguousarray(faces, dtype=np.int32)
    # The half edge k of a face is opposite to its node k.
    start, end = np.roll(faces, -1, axis=1).ravel(), np.roll(faces, -2, axis=1).ravel()
    low, high = np.minimum(start, end), np.maximum(start, end)
    order = np.lexsort((high, low))
    first, second = order[0::2], order[1::2]
    _check_edges(np.column_stack([low, high]))
    if (start[first] == start[second]).any():
        wrong = int((start[first] == start[second]).sum())
        raise InputError(f"{wrong} edges have faces of opposite winding: repair the mesh (trimesh.repair.fix_winding)")
    edges = np.column_stack([start[first], end[first]])
    apex = faces.ravel()
    face_edges = np.empty(3 * count, dtype=np.int32)
    face_edges[first] = face_edges[second] = np.arange(len(edges), dtype=np.int32)
    return Topology(
        faces=faces,
        edges=edges,
        hinges=np.column_stack([edges, apex[first], apex[second]]),
        edge_faces=np.column_stack([first // 3, second // 3]).astype(np.int32),
        face_edges=face_edges.reshape(count, 3),
    )


def load_mesh(path: Path, unit: str) -> Mesh:
    """Read a closed surface and return it in m, its winding repaired.

    Parameters
    ----------
    path
        STL, OBJ, PLY, VTK or VTU file with triangles.
    unit
        Of the file's numbers: m, mm or um.

    Raises
    ------
    InputError
        If the file cannot be read, or the surface is open, non-manifold, in several pieces or folded over.
    """
    if unit not in METRES:
        raise InputError(f"{path}: unit {unit!r} is unknown; give one of {', '.join(METRES)}")
    nodes, faces = _read(Path(path))
    if len(faces) == 0 or not np.isfinite(nodes).all():
        raise InputError(
            f"{path}: {len(faces)} triangles with {len(nodes)} nodes, not all finite; export the surface anew"
        )
    try:
        return _repaired(nodes, faces, METRES[unit])
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return nodes and triangles of a file as they stand there."""
    suffix = path.suffix.lower()
    if suffix not in READ_BY_TRIMESH + READ_BY_MESHIO:
        known = ", ".join(READ_BY_TRIMESH + READ_BY_MESHIO)
        raise InputError(f"{path}: a mesh is read from {known}; convert the file (meshio convert)")
    try:
        content = path.read_bytes()
        if suffix in READ_BY_MESHIO:
            import meshio

            read = meshio.read(path)
            return np.asarray(read.points, dtype=float), np.asarray(read.get_cells_type("triangle"), dtype=int)
        import trimesh

        solid: Any = trimesh.load(io.BytesIO(content), file_type=suffix[1:], force="mesh", process=False)
        return np.asarray(solid.vertices, dtype=float), np.asarray(solid.faces, dtype=int)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    except (Exception, SystemExit) as error:  # the parsers raise whatever they meet; meshio even leaves
        raise InputError(f"{path}: not a {suffix[1:].upper()} file of triangles ({error}); export it again") from error


def _repaired(nodes: np.ndarray, faces: np.ndarray, metres: float) -> Mesh:
    """Return a mesh without unused or double nodes, wound outwards, in m; refuse what encloses no volume."""
    import trimesh

    solid = trimesh.Trimesh(nodes, faces, process=False)
    solid.merge_vertices(merge_tex=True, merge_norm=True)
    distinct = (solid.faces != np.roll(solid.faces, 1, axis=1)).all(axis=1)  # no triangle shrunk to an edge
    solid.update_faces(distinct & solid.unique_faces())
    solid.remove_unreferenced_vertices()
    _check_edges(np.sort(solid.faces[:, [1, 2, 2, 0, 0, 1]].reshape(-1, 2), axis=1))
    if solid.body_count > 1:
        raise InputError(f"the surface has {solid.body_count} pieces, a cell has one: keep the largest (trimesh.split)")
    trimesh.repair.fix_winding(solid)
    mesh = Mesh(np.array(solid.vertices) * metres, np.array(solid.faces, dtype=np.int32))
    if volume(mesh) < 0:
        mesh = Mesh(mesh.nodes, np.ascontiguousarray(mesh.faces[:, ::-1]))
    _check_folds(mesh)
    return mesh


def _check_edges(ends: np.ndarray) -> None:
    """Refuse an open or branching surface; `ends` (3 F, 2) are the ends of the half edges, the lower first."""
    _, count = np.unique(ends.astype(np.int64) @ [1 << 32, 1], return_counts=True)
    single, many = int((count == 1).sum()), int((count > 2).sum())
    if many:
        raise InputError(f"the surface branches: {many} edges have more than two faces; make it manifold")
    if single:
        raise InputError(f"the surface is open: {single} edges have one face; fill the holes (trimesh.repair)")


def _check_folds(mesh: Mesh) -> None:
    """Refuse triangles without area, and those that lie upside down against two of their neighbours."""
    normal = _normals(mesh)
    size = np.linalg.norm(normal, axis=1)
    flat = int((size <= 1e-9 * size.mean()).sum())
    if flat:
        raise InputError(f"{flat} triangles have no area: mesh the surface anew")
    normal /= size[:, None]
    t = topology(mesh.faces)
    cosine = np.einsum("ed,ed->e", normal[t.edge_faces[:, 0]], normal[t.edge_faces[:, 1]])
    middle = np.median(cosine[t.face_edges], axis=1)
    if (middle < FOLDED).any():
        raise InputError(
            f"{int((middle < FOLDED).sum())} triangles are folded over, triangle {int(middle.argmin())} the most:"
            " smooth the surface or mesh it anew"
        )


def _normals(mesh: Mesh) -> np.ndarray:
    """Return the normals (F, 3), twice the area long."""
    a, b, c = (mesh.nodes[mesh.faces[:, k]] for k in range(3))
    return np.cross(b - a, c - a)


def _unit_sphere(level: int) -> Mesh:
    """Return the icosphere of radius 1, numbered so that neighbours are near each other in memory.

    It is kept in the user's cache: trimesh and what it imports take a second, and 40 MB as long as a run lasts.
    """
    path = cache_dir("meshes") / f"icosphere-{level}-trimesh-{version('trimesh')}.npz"
    stored = read_arrays(path) or {}
    if {"nodes", "faces"} <= stored.keys():
        return Mesh(stored["nodes"], stored["faces"])
    import trimesh

    sphere = trimesh.creation.icosphere(subdivisions=level)
    mesh = renumbered(Mesh(np.array(sphere.vertices), np.array(sphere.faces, dtype=np.int32)))
    with contextlib.suppress(OSError), replacing(path) as part:  # a cache that cannot be written costs that second
        np.savez(part, nodes=mesh.nodes, faces=mesh.faces)
    return mesh


def renumbered(mesh: Mesh) -> Mesh:
    """Return the mesh with nodes in reverse Cuthill–McKee order and faces in the order of their nodes."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import reverse_cuthill_mckee

    ends = mesh.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    size = len(mesh.nodes)
    graph = coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(size, size)).tocsr()
    order = reverse_cuthill_mckee(graph + graph.T, symmetric_mode=True)
    place = np.empty(size, dtype=np.int32)
    place[order] = np.arange(size)
    faces = place[mesh.faces]
    rank = np.lexsort(np.sort(faces, axis=1).T[::-1])
    return Mesh(mesh.nodes[order], np.ascontiguousarray(faces[rank]))


def turned(mesh: Mesh, rotation: np.ndarray | np.random.Generator | None) -> Mesh:
    """Return a mesh turned about the origin; `rotation` as of `icosphere`."""
    return _turned(mesh.nodes, mesh.faces, rotation)


def centroid(mesh: Mesh) -> np.ndarray:
    """Return the centroid of the enclosed volume (3,)."""
    origin = mesh.nodes.mean(axis=0)
    a, b, c = (mesh.nodes[mesh.faces[:, k]] - origin for k in range(3))
    parts = np.einsum("fd,fd->f", a, np.cross(b, c))
    return origin + parts @ (a + b + c) / (4 * parts.sum())


def _turned(nodes: np.ndarray, faces: np.ndarray, rotation: np.ndarray | np.random.Generator | None) -> Mesh:
    if rotation is None:
        return Mesh(np.ascontiguousarray(nodes), faces)
    if isinstance(rotation, np.random.Generator):
        from scipy.spatial.transform import Rotation

        rotation = Rotation.from_quat(rotation.standard_normal(4)).as_matrix()
    return Mesh(np.ascontiguousarray(nodes @ np.asarray(rotation).T), faces)
