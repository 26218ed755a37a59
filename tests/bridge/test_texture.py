"""What is inside a cell moves with its material: granules against barycentric coordinates of the membrane."""

from dataclasses import replace

import numpy as np
import pytest
from bridge_runs import UM, circle, make_config, make_solid_trace, make_trace

from bridge.body import Grid, draw_body
from bridge.looks import CellOptics
from bridge.path import Pose, carried_field, optical_path

RADIUS = 7.0 * UM
SHEAR = np.array([[1.0, 0.7, 0.0], [0.0, 0.8, 0.0], [0.1, 0.0, 1.25]])
GRID = Grid.centred(0.0, 0.0, UM / 6, (150, 260))


def ring() -> tuple[np.ndarray, np.ndarray]:
    nodes = circle(RADIUS)
    return nodes, np.stack([np.arange(len(nodes)), np.roll(np.arange(len(nodes)), -1)], axis=1)


def ball() -> tuple[np.ndarray, np.ndarray]:
    import trimesh

    mesh = trimesh.creation.icosphere(subdivisions=3)
    return mesh.vertices * RADIUS, np.asarray(mesh.faces)


def one_granule(point: np.ndarray, radius: float = RADIUS):
    """A cell that holds a single granule and nothing else that could be seen."""
    plain = CellOptics(fluctuation=0, granule_density=0, index_spread=0, nucleus=1.368)
    body = draw_body(plain, radius, np.random.default_rng(0))
    return replace(body, granules=point[None], granule_sigma=np.array([0.25 * UM]), granule_index=np.array([0.08]))


def seen_at(body, cell: Pose, grid: Grid) -> np.ndarray:
    """Where the picture of the path shows the granule (m)."""
    nothing = replace(body, granules=np.zeros((0, 3)), granule_sigma=np.zeros(0), granule_index=np.zeros(0))
    spot = optical_path(body, cell, grid, 1.336) - optical_path(nothing, cell, grid, 1.336)
    x, y = grid.axes()
    return np.array([(spot * x).sum(), (spot * y[:, None]).sum()]) / spot.sum()


def barycentric(point: np.ndarray, rest: np.ndarray, faces: np.ndarray, now: np.ndarray) -> np.ndarray:
    """Slow twin: where a point goes that keeps its weights in the simplex of its face and the cell's centre."""
    middle = rest.mean(axis=0)
    for face in faces:
        edges = (rest[face] - middle).T
        weights = np.linalg.solve(edges, point - middle)
        if (weights >= -1e-12).all() and weights.sum() <= 1 + 1e-12:
            return now.mean(axis=0) + (now[face] - now.mean(axis=0)).T @ weights
    raise AssertionError("the point lies outside")


@pytest.mark.parametrize("make", [ring, ball])
@pytest.mark.parametrize("point", [(0.3, 0.5, 0.1), (-0.6, 0.2, -0.4), (0.1, -0.85, 0.2)])
def test_a_granule_follows_the_material_when_the_cell_is_sheared(make, point):
    rest, faces = make()
    d = rest.shape[1]
    material = np.array(point)
    if d == 2:
        material[2] = 0.0
    now = rest @ SHEAR[:d, :d].T + np.array([1.0, -0.5, 0.3])[:d] * UM
    expected = barycentric(material[:d] * RADIUS, rest, faces, now)[:2]
    found = seen_at(one_granule(material), Pose(now, rest, faces), GRID)
    np.testing.assert_allclose(found, expected, atol=0.03 * UM)
    assert np.linalg.norm(found - material[:2] * RADIUS) > 1 * UM


@pytest.mark.parametrize("make", [make_trace, make_solid_trace])
def test_a_granule_under_the_membrane_stays_there_through_the_squeeze(make):
    trace = make(make_config(), samples=24)
    rest, faces = trace.snapshots[0], trace.faces
    middle, d = rest.mean(axis=0), rest.shape[1]
    radius = make_config().cell.diameter / 2
    body = one_granule(np.array([0.52, 0.74, 0.0]), radius)
    apart, moved = [], []
    for now in trace.snapshots:
        x, y = now.mean(axis=0)[:2]
        grid = Grid.centred(x, y, UM / 6, (120, 200))
        expected = barycentric(middle + body.granules[0][:d] * radius, rest, faces, now)[:2]
        found = seen_at(body, Pose(now, rest, faces), grid)
        apart.append(np.linalg.norm(found - expected))
        moved.append(np.linalg.norm(found - (x, y) - body.granules[0][:2] * radius))
    assert max(apart) < 0.1 * radius  # the map inside is smooth, that of the twin has kinks
    assert max(moved) > 0.3 * radius


@pytest.mark.parametrize("make", [ring, ball])
def test_fluctuations_are_sheared_with_the_cell(make):
    """The value at a material point stays the same; its place is that of the barycentric coordinates."""
    rest, faces = make()
    d = rest.shape[1]
    body = draw_body(CellOptics(fluctuation_length=0.8 * UM), RADIUS, np.random.default_rng(1))
    now = rest @ SHEAR[:d, :d].T
    known = np.flatnonzero(np.abs(body.points) < 0.7)[::40]
    points = np.stack([np.real(body.points[known]), np.imag(body.points[known]), np.zeros(len(known))], axis=1)[:, :d]
    values = []
    for nodes in (rest, now):
        if d == 2:
            from bridge.body import material_map

            place = material_map(rest, nodes)(body.points)
        else:
            from bridge.solid import solid_map

            flat = np.stack([np.real(body.points), np.imag(body.points), np.zeros(len(body.points))], axis=1)
            place = solid_map(rest, nodes)(flat)
        field = carried_field(place, body.fluctuation, GRID)
        at = np.array([barycentric(p * RADIUS, rest, faces, nodes)[:2] for p in points])
        column, row = np.rint((at - (GRID.x0, GRID.y0)) / GRID.pixel_size - 0.5).astype(int).T
        values.append(field[row, column])
    assert np.corrcoef(*values)[0, 1] > 0.95
