import numpy as np
import pytest
from bridge_runs import UM, circle, squeezed_length, stadium

from bridge.body import Grid, coverage, draw_body, material_map, outline_area, thickness
from bridge.looks import CellOptics
from bridge.path import Pose, carried_field, optical_path

RADIUS = 7.1 * UM
GRID = Grid.centred(0.3 * UM, -0.2 * UM, UM / 6, (120, 256))
REST = circle(RADIUS)
EDGES = np.stack([np.arange(len(REST)), np.roll(np.arange(len(REST)), -1)], axis=1)
AT_REST = Pose(REST, REST, EDGES)
SQUEEZED = stadium(squeezed_length(2 * RADIUS, 4.9 * UM), 4.9 * UM)


def texture(mapping, body):
    return carried_field(mapping(body.points), body.fluctuation, GRID)


@pytest.mark.parametrize("outline", [REST, SQUEEZED, REST[::-1], circle(0.4 * UM, 7) + 0.13 * UM])
def test_coverage_has_the_area_of_the_outline(outline):
    covered = coverage(outline, GRID)
    assert covered.sum() * GRID.pixel_size**2 == pytest.approx(outline_area(outline), rel=1e-9)
    assert covered.min() >= 0
    assert covered.max() <= 1


def test_coverage_of_a_shifted_square_is_exact():
    grid = Grid(0.0, 0.0, 1.0, (4, 5))
    square = np.array([[1.25, 0.5], [3.25, 0.5], [3.25, 2.75], [1.25, 2.75]])
    expected = np.outer([0.5, 1, 0.75, 0], [0, 0.75, 1, 0.25, 0])
    np.testing.assert_allclose(coverage(square, grid), expected, atol=1e-12)


def test_coverage_moves_with_a_tenth_of_a_pixel():
    columns = np.arange(GRID.shape[1])
    before, after = (coverage(REST + np.array([shift * GRID.pixel_size, 0]), GRID) for shift in (0.0, 0.1))
    shift = [(a.sum(axis=0) * columns).sum() / a.sum() for a in (before, after)]
    assert shift[1] - shift[0] == pytest.approx(0.1, abs=1e-3)


def test_polygon_beyond_the_grid_covers_it():
    np.testing.assert_allclose(coverage(circle(1e-3, 8), GRID), 1.0, atol=1e-9)


def test_circle_is_a_sphere():
    x, y = GRID.axes()
    r2 = x**2 + y[:, None] ** 2
    exact = 2 * np.sqrt(np.maximum(RADIUS**2 - r2, 0))
    got = thickness(REST, GRID, 4 / 3 * np.pi * RADIUS**3)
    inner = r2 < (0.95 * RADIUS) ** 2
    assert np.abs(got - exact)[inner].max() < 0.01 * 2 * RADIUS


def test_ellipse_is_an_ellipsoid():
    a, b = 12 * UM, 4 * UM
    x, y = GRID.axes()
    rho2 = (x / a) ** 2 + (y[:, None] / b) ** 2
    volume = 800 * UM**3
    exact = 1.5 * volume / (np.pi * a * b) * np.sqrt(np.maximum(1 - rho2, 0))
    got = thickness(circle(1.0) * (a, b), GRID, volume)
    assert np.abs(got - exact)[rho2 < 0.9].max() < 0.01 * exact.max()


def test_squeezed_body_keeps_its_volume_and_ends_at_its_outline():
    volume = 4 / 3 * np.pi * RADIUS**3
    got = thickness(SQUEEZED, GRID, volume)
    assert got.sum() * GRID.pixel_size**2 == pytest.approx(volume)
    assert (got[coverage(SQUEEZED, GRID) == 0] == 0).all()
    assert got.min() >= 0


def test_material_map_takes_the_membrane_where_it_went():
    mapping = material_map(REST, SQUEEZED)
    nodes = (REST @ [1, 1j]) / RADIUS
    assert np.abs(mapping(nodes) - SQUEEZED @ [1, 1j]).max() < 0.3 * UM


def test_material_map_of_a_strain_is_that_strain():
    strain = np.array([[1.5, 0.2], [0.1, 0.6]])
    mapping = material_map(REST, REST @ strain.T)
    points = np.array([[0.3, 0.4], [-0.5, 0.2], [0.0, 0.0]])
    expected = (RADIUS * points @ strain.T) @ [1, 1j]
    np.testing.assert_allclose(mapping(points @ [1, 1j]), expected, atol=0.03 * UM)


def test_texture_is_carried_by_the_material():
    body = draw_body(CellOptics(fluctuation_length=1.0 * UM), RADIUS, np.random.default_rng(1))
    shift = np.array([5 * GRID.pixel_size, -3 * GRID.pixel_size])
    still = texture(material_map(REST, REST), body)
    moved = texture(material_map(REST, REST + shift), body)
    np.testing.assert_allclose(np.roll(still, (-3, 5), axis=(0, 1)), moved, atol=1e-6)


def test_texture_shears_with_the_cell():
    body = draw_body(CellOptics(fluctuation_length=0.8 * UM), RADIUS, np.random.default_rng(1))
    mapping = material_map(REST, REST * (1.8, 0.55))
    still = texture(material_map(REST, REST), body)
    strained = texture(mapping, body)
    points = body.points[np.abs(body.points) < 0.7]

    def sample(field: np.ndarray, at: np.ndarray) -> np.ndarray:
        column = np.rint((np.real(at) - GRID.x0) / GRID.pixel_size - 0.5).astype(int)
        row = np.rint((np.imag(at) - GRID.y0) / GRID.pixel_size - 0.5).astype(int)
        return field[row, column]

    before = sample(still, material_map(REST, REST)(points))
    assert np.corrcoef(before, sample(strained, mapping(points)))[0, 1] > 0.95
    assert np.corrcoef(before, sample(strained, material_map(REST, REST)(points)))[0, 1] < 0.6


def test_texture_has_its_variance_in_either_shape():
    body = draw_body(CellOptics(fluctuation_length=0.6 * UM), RADIUS, np.random.default_rng(2))
    for outline in (REST, SQUEEZED):
        inside = coverage(outline, GRID) == 1
        assert texture(material_map(REST, outline), body)[inside].std() == pytest.approx(1.0, abs=0.25)


def test_path_is_that_of_a_uniform_sphere_without_inner_structure():
    plain = CellOptics(nucleus=1.368, index_spread=0, fluctuation=0, granule_density=0)
    body = draw_body(plain, RADIUS, np.random.default_rng(0))
    path = optical_path(body, AT_REST, GRID, 1.336)
    assert path.max() == pytest.approx(0.032 * 2 * RADIUS, rel=0.01)
    assert (path[coverage(REST, GRID) == 0] == 0).all()


def test_nucleus_of_lower_index_shortens_the_path():
    optics = CellOptics(index_spread=0, fluctuation=0, granule_density=0)
    with_nucleus, without = (
        optical_path(draw_body(kind, RADIUS, np.random.default_rng(0)), AT_REST, GRID, 1.336)
        for kind in (optics, CellOptics(nucleus=1.368, index_spread=0, fluctuation=0, granule_density=0))
    )
    deficit = (without - with_nucleus).sum() * GRID.pixel_size**2
    ratio = draw_body(optics, RADIUS, np.random.default_rng(0)).nucleus_ratio
    assert deficit == pytest.approx(0.008 * 4 / 3 * np.pi * (ratio * RADIUS) ** 3, rel=0.01)


def test_same_seed_same_body():
    bodies = [draw_body(CellOptics(), RADIUS, np.random.default_rng(seed)) for seed in (4, 4, 5)]
    assert bodies[0].granules.tobytes() == bodies[1].granules.tobytes()
    assert bodies[0].fluctuation.tobytes() == bodies[1].fluctuation.tobytes()
    assert bodies[0].fluctuation.tobytes() != bodies[2].fluctuation.tobytes()
