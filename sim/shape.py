"""What shape a cell has at rest, and how and where it lies at the start."""

from __future__ import annotations

import functools
import hashlib
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sim import mesh
from sim.config import METRES, CellConfig, ConfigError, NumericsConfig, SimulationConfig

LONGEST_EDGE = 2.0
"""In lattice spacings: the flow leaks between nodes farther apart."""
SHORTEST_EDGE = 0.5
"""Mean edge of a file's mesh in lattice spacings; shorter ones add nodes and stiffness that nothing resolves."""
SHAPE = {"diameter", "rest_shape", "axes", "mesh_file", "mesh_unit", "mesh_digest", "mesh_level"}
"""Fields of a cell that make its mesh."""
SAME_SIZE = 0.02
"""Largest deviation of `cell.diameter` from the extent of the file's surface."""


class Body(NamedTuple):
    """One membrane at the start.

    Attributes
    ----------
    cell
        Its constants, as of a cell of its own.
    nodes
        Positions about its centre (V, d), m.
    faces
        Node indices (F, 3); None of a ring.
    centre
        Of the cell (d,), m.
    """

    cell: CellConfig
    nodes: np.ndarray
    faces: np.ndarray | None
    centre: np.ndarray


def bodies(config: SimulationConfig) -> list[list[Body]]:
    """Return the membranes of each cell of a run at the start, from the outside to the inside.

    Raises
    ------
    ConfigError
        If a shape is not of the dimension, or its file is none.
    """
    rng = np.random.default_rng(config.seed)
    numerics = config.numerics
    make = _ring if numerics.dimension == 2 else _surface
    made = {}
    for number in start_order(config):
        made[number] = [make(part, numerics.dx, rng) for part in membranes(config.all_cells[number])]
    return [made[number] for number in range(len(made))]


def start_order(config: SimulationConfig) -> list[int]:
    """Return the numbers of the cells (from 0) by where they start, so that their order in the file changes nothing."""
    places = [(cell.start_x, cell.start_y, cell.start_z) for cell in config.all_cells]
    return sorted(range(len(places)), key=places.__getitem__)


def membranes(cell: CellConfig) -> list[CellConfig]:
    """Return the membranes of a cell from the outside to the inside, each as a cell of its own."""
    nucleus = cell.nucleus
    if nucleus is None:
        return [cell]
    round_one = {
        "nucleus": None,
        "inflation": 1.0,
        "rest_shape": "sphere",
        "axes": None,
        "mesh_file": None,
        "orientation": None,
    }
    return [cell, cell.model_copy(update=nucleus.model_dump() | round_one)]


def _ring(cell: CellConfig, dx: float, rng: np.random.Generator) -> Body:
    centre = np.array([cell.start_x, cell.start_y])
    if cell.mesh_file is not None or cell.rest_shape == "biconcave":
        what = "mesh_file" if cell.mesh_file else 'rest_shape = "biconcave"'
        raise ConfigError(
            f"cell.{what} is a surface in three dimensions: set numerics.dimension to 3 (--quality smoke), "
            'or cell.rest_shape to "ellipsoid"'
        )
    if cell.orientation is None:
        angle = float(rng.uniform(0, 2 * np.pi))
    elif cell.orientation[:2] == (0, 0):
        angle = float(np.radians(cell.orientation[2]))
    else:
        raise ConfigError(
            f"cell.orientation = {cell.orientation} ° turns the cell out of the plane of a two-dimensional run: "
            f"set it to 0,0,{cell.orientation[2]:g}"
        )
    if cell.axes is None:
        return Body(cell, mesh.ring(cell.diameter, dx, angle), None, centre)
    return Body(cell, mesh.ellipse(ellipse_diameters(cell), dx, angle), None, centre)


def ellipse_diameters(cell: CellConfig) -> tuple[float, float]:
    """Return the two diameters (m) of a 2-D cell before it is turned."""
    along, across, _ = cell.axes or (1.0, 1.0, 1.0)
    return cell.diameter * along, cell.diameter * across


def _surface(cell: CellConfig, dx: float, rng: np.random.Generator) -> Body:
    rotation: np.ndarray | np.random.Generator = rng
    if cell.orientation is not None:
        from scipy.spatial.transform import Rotation

        rotation = Rotation.from_euler("xyz", cell.orientation, degrees=True).as_matrix()
    turned = mesh.turned(rest_mesh(cell, dx), rotation)
    return Body(cell, turned.nodes, turned.faces.copy(), np.array([cell.start_x, cell.start_y, cell.start_z]))


def rest_mesh(cell: CellConfig, dx: float) -> mesh.Mesh:
    """Return a 3-D cell at rest about the origin, not turned, in m; not to be written to.

    Raises
    ------
    ConfigError
        If its file is no closed surface of the cell's diameter with edges that suit `dx` (m).
    """
    return _rest_mesh(cell.model_dump_json(include=SHAPE), dx)


@functools.lru_cache(maxsize=32)
def _rest_mesh(shape: str, dx: float) -> mesh.Mesh:
    cell = CellConfig.model_validate({"ks": 1.0, "kb": 0.0} | json.loads(shape))
    if cell.mesh_file is not None:
        surface = _from_file(cell, dx)
    elif cell.rest_shape == "biconcave":
        surface = mesh.biconcave(mesh_level(cell, dx), cell.diameter)
    else:
        surface = mesh.ellipsoid(mesh_level(cell, dx), _diameters(cell))
    surface.nodes.flags.writeable = surface.faces.flags.writeable = False
    return surface


def _diameters(cell: CellConfig) -> tuple[float, float, float]:
    along, across, deep = cell.axes or (1.0, 1.0, 1.0)
    return cell.diameter * along, cell.diameter * across, cell.diameter * deep


def mesh_level(cell: CellConfig, dx: float) -> int:
    """Return the level of the cell's icosphere: the one asked for, or that whose edges are about dx long."""
    diameter = cell.diameter
    if cell.rest_shape == "biconcave":
        diameter *= float(np.sqrt(mesh.area(mesh.biconcave(4, 1.0)) / np.pi))
    elif cell.axes is not None:
        diameter *= float(np.sqrt(mesh.area(mesh.ellipsoid(4, cell.axes)) / np.pi))
    return cell.mesh_level or mesh.icosphere_level(diameter, dx)


def node_count(cell: CellConfig, numerics: NumericsConfig) -> int:
    """Return the number of nodes of a cell's membrane."""
    if numerics.dimension == 3:
        return len(rest_mesh(cell, numerics.dx).nodes)
    if cell.axes is None:
        return mesh.ring_count(cell.diameter, numerics.dx)
    return len(mesh.ellipse(ellipse_diameters(cell), numerics.dx))


def node_size(cell: CellConfig, numerics: NumericsConfig) -> float:
    """Return the part of a cell's membrane that a node stands for: m² in 3-D, m in 2-D."""
    if numerics.dimension == 2:
        return numerics.dx
    if cell.rest_shape == "sphere" and cell.mesh_file is None:
        return float(np.pi * cell.diameter**2 / node_count(cell, numerics))
    return mesh.area(rest_mesh(cell, numerics.dx)) / node_count(cell, numerics)


def with_digest(cell: CellConfig) -> CellConfig:
    """Return the cell with the digest of its file, if it has one.

    Raises
    ------
    ConfigError
        If the file cannot be read, or is not what it was when the digest was taken.
    """
    if cell.mesh_file is None:
        return cell
    return cell.model_copy(update={"mesh_digest": file_digest(cell.mesh_file, cell.mesh_digest, "cell.mesh")})


def file_digest(path: str, recorded: str | None, name: str) -> str:
    """Return the SHA-256 of a file that a configuration names.

    Parameters
    ----------
    path
        The file.
    recorded
        Its digest when the configuration was resolved, if it was.
    name
        Of the fields: ``name`` with ``_file`` or ``.file`` and ``digest``.

    Raises
    ------
    ConfigError
        If the file cannot be read or has changed.
    """
    mark = "_" if name == "cell.mesh" else "."
    file, digest = (f"{name}{mark}{end}" for end in ("file", "digest"))
    try:
        found = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError as error:
        raise ConfigError(f"{file} = {path!r}: cannot be read ({error.strerror}); check the path") from error
    if recorded not in (None, found):
        raise ConfigError(
            f"{file} = {path!r} is not the file of this configuration any more; remove {digest} to use it as it is now"
        )
    return found


def _from_file(cell: CellConfig, dx: float) -> mesh.Mesh:
    if cell.mesh_unit is None:
        raise ConfigError(f"{cell.mesh_file} states no unit: set cell.mesh_unit to one of {', '.join(METRES)}")
    shape = mesh.load_mesh(Path(str(cell.mesh_file)), cell.mesh_unit)
    extent = _largest_extent(shape.nodes)
    if abs(extent - cell.diameter) > SAME_SIZE * cell.diameter:
        raise ConfigError(
            f"cell.diameter = {cell.diameter:g} m, but the surface of {cell.mesh_file} is {extent:.4g} m across at its "
            f"widest: set cell.diameter to {extent:.4g} m, or cell.mesh_unit to what it is"
        )
    edges = mesh.topology(shape.faces).edges
    length = np.linalg.norm(shape.nodes[edges[:, 1]] - shape.nodes[edges[:, 0]], axis=1) / dx
    if length.max() > LONGEST_EDGE or length.mean() < SHORTEST_EDGE:
        raise ConfigError(
            f"the edges of {cell.mesh_file} are {length.mean():.3g} lattice spacings (numerics.dx = {dx:g} m) long on "
            f"average, the longest {length.max():.3g}; they must be {SHORTEST_EDGE} or more on average, "
            f"none longer than {LONGEST_EDGE:g}: mesh the surface anew with edges of about {dx:.3g} m"
        )
    return mesh.renumbered(mesh.Mesh(shape.nodes - mesh.centroid(shape), shape.faces))


def _largest_extent(nodes: np.ndarray) -> float:
    """Return the largest distance of two nodes (V, 3)."""
    from scipy.spatial import ConvexHull
    from scipy.spatial.distance import pdist

    return float(pdist(nodes[ConvexHull(nodes / np.ptp(nodes)).vertices]).max())
