"""Cells given by a triangle mesh: the ellipsoid's thickness is known exactly."""

import numpy as np
import pytest
import trimesh
from bridge_runs import UM, make_config, make_solid_trace

from bridge.body import Grid, draw_body
from bridge.looks import CellOptics
from bridge.microscope import Microscope
from bridge.path import Pose, optical_path, radius_of, silhouette
from bridge.scene import draw_scene
from bridge.solid import enclosed, mesh_columns, seen_outline, solid_map
from bridge.views import FIELD, crop, moment
from sim.features import deformation_index

AXES = np.array([9.0, 6.0, 4.0]) * UM
GRID = Grid.centred(0.03 * UM, -0.02 * UM, UM / 6, (128, 160))
BALL = trimesh.creation.icosphere(subdivisions=4)
NODES, FACES = BALL.vertices * AXES, BALL.faces


def test_thickness_of_an_ellipsoid():
    through, covered = mesh_columns(NODES, FACES, GRID)
    x, y = GRID.axes()
    inside = 1 - (x / AXES[0]) ** 2 - (y[:, None] / AXES[1]) ** 2
    exact = 2 * AXES[2] * np.sqrt(np.maximum(inside, 0))
    assert np.abs(through - exact)[inside > 0.1].max() < 0.02 * 2 * AXES[2]
    assert through.sum() * GRID.pixel_size**2 == pytest.approx(enclosed(NODES, FACES)[0], rel=1e-3)
    assert covered.sum() * GRID.pixel_size**2 == pytest.approx(np.pi * AXES[0] * AXES[1], rel=3e-3)
    assert (through[covered == 0] == 0).all()


def test_every_ray_meets_a_closed_mesh_an_even_number_of_times_even_through_nodes_and_edges():
    box = trimesh.creation.box((8 * UM, 4 * UM, 3 * UM))
    grid = Grid(-5 * UM, -5 * UM, 1 * UM, (10, 10))  # rays at quarters of a µm; the box's edges pass none, its
    shifted = box.vertices + 0.25 * UM  # shifted copy's edges and diagonals pass through many
    for nodes in (box.vertices, shifted):
        through, _ = mesh_columns(nodes, box.faces, grid)
        samples = np.unique(np.round(through / (3 * UM) * 4, 9))
        assert set(samples) <= {0.0, 1.0, 2.0, 3.0, 4.0}
        assert through.sum() * grid.pixel_size**2 == pytest.approx(96 * UM**3, rel=1e-9)


def test_turned_faces_and_a_mesh_beyond_the_grid_do_not_matter():
    through, _ = mesh_columns(NODES, FACES[:, ::-1], GRID)
    np.testing.assert_array_equal(through, mesh_columns(NODES, FACES, GRID)[0])
    part = Grid(GRID.x0 + 60 * GRID.pixel_size, GRID.y0 + 40 * GRID.pixel_size, GRID.pixel_size, (30, 40))
    np.testing.assert_allclose(mesh_columns(NODES, FACES, part)[0], through[40:70, 60:100], rtol=1e-6)


def test_volume_radius_and_centroid():
    volume, centre = enclosed(NODES + 3 * UM, FACES)
    assert volume == pytest.approx(4 / 3 * np.pi * AXES.prod(), rel=0.01)
    np.testing.assert_allclose(centre, 3 * UM, rtol=1e-9)
    assert radius_of(BALL.vertices * 7 * UM, FACES) == pytest.approx(7 * UM, rel=0.003)


def test_outline_seen_along_the_axis():
    outline = seen_outline(NODES, FACES)
    np.testing.assert_allclose(np.ptp(outline, axis=0), 2 * AXES[:2], rtol=5e-3)
    assert np.abs((outline / AXES[:2]) ** 2 @ [1, 1] - 1).max() < 0.02


def test_material_goes_where_the_membrane_takes_it():
    mapping = solid_map(BALL.vertices * 7 * UM, NODES + 2 * UM)
    point = np.array([[0, 0, 0], [0.5, 0, 0], [0.3, -0.4, 0], [0, 1, 0], [0.2, 0.1, 0.7]])
    expected = point[:, 0] * AXES[0] + 1j * point[:, 1] * AXES[1] + (2 + 2j) * UM
    np.testing.assert_allclose(mapping(point), expected, atol=0.01 * UM)


def test_path_through_a_cell_of_one_index_is_its_thickness():
    plain = Microscope()
    body = draw_body(make_plain_optics(), 7 * UM, np.random.default_rng(0))
    path = optical_path(body, Pose(NODES, BALL.vertices * 7 * UM, FACES), GRID, plain.medium_index)
    through, _ = mesh_columns(NODES, FACES, GRID)
    np.testing.assert_allclose(path, 0.03 * through, atol=1e-12)


def make_plain_optics():
    return CellOptics(
        cytoplasm=1.366, nucleus=1.366, index_spread=0.0, fluctuation=0.0, granule_density=0.0, granule_index=0.0
    )


def test_views_of_a_solid_run():
    trace = make_solid_trace(make_config(), samples=30)
    scope = Microscope()
    scene = draw_scene(trace, scope, 0)
    for which in ("first", "squeezed"):
        view, index = crop(trace, which, scene, scope, 256), moment(trace, which)
        extent = np.ptp(np.argwhere(view.mask > 0), axis=0) + 1
        nodes = np.ptp(trace.snapshots[index], axis=0)
        assert deformation_index(extent[1], extent[0]) == pytest.approx(deformation_index(*nodes[:2]), abs=0.01)
        exact = silhouette(
            trace.snapshots[index] - trace.snapshots[index].mean(axis=0),
            trace.faces,
            Grid.centred(0, 0, FIELD / 256, (256, 256)),
        )
        assert (view.mask > 0).sum() == pytest.approx(exact.sum(), rel=0.02)
        assert view.image[view.mask > 0].std() > 2 * view.image[view.mask == 0][:500].std()
