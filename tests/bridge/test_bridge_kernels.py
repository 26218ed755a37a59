"""The compiled loops of the pictures against their slow twins."""

import naive_pictures
import numpy as np
import pytest
import trimesh

from bridge.kernels import add_power, cast_rays, closed_path, cover, expose, scatter, stamp, torsion_root, weighted_sums

RNG = np.random.default_rng(5)


def test_rays_through_a_mesh():
    mesh = trimesh.creation.icosphere(subdivisions=1)
    place = mesh.vertices * (6.3, 4.2, 2.0) + (8.13, 6.31, 0.0)
    faces = np.asarray(mesh.faces)
    through, hit = np.zeros((13, 17)), np.zeros((13, 17), bool)
    cast_rays(place, faces.astype(np.int64), through, hit)
    slow, slow_hit = naive_pictures.cast_rays(place, faces, 13, 17)
    np.testing.assert_allclose(through, slow, atol=1e-9)
    np.testing.assert_array_equal(hit, slow_hit)


@pytest.mark.parametrize(
    "middle", [(5.0, 4.0), (0.7, 4.2), (10.4, 3.9), (5.3, 0.2), (4.0, 8.0), (-20.0, 3.0), (30.0, 3.0)]
)
@pytest.mark.parametrize("turn", [1, -1])
def test_what_a_polygon_covers(middle, turn):
    angle = np.linspace(0, 2 * np.pi, 7, endpoint=False)[::turn] + 0.3
    x, y = (m + 3.7 * f(angle) for m, f in zip(middle, (np.cos, np.sin), strict=True))
    covered = np.zeros((8, 12))
    cover(x, y, covered)
    np.testing.assert_allclose(covered[:, :-1], naive_pictures.cover(x, y, (8, 11)), atol=1e-12)


def test_a_square_on_the_pixels_and_a_slit_between_them():
    covered = np.zeros((4, 6))
    cover(np.array([1.0, 4.0, 4.0, 1.0]), np.array([1.0, 1.0, 2.0, 2.0]), covered)
    np.testing.assert_array_equal(covered.sum(axis=0), [0, 1, 1, 1, 0, 0])
    covered = np.zeros((4, 6))
    cover(np.array([2.3, 2.5, 2.5, 2.3]), np.array([-3.0, -3.0, 9.0, 9.0]), covered)
    np.testing.assert_allclose(covered, np.outer(np.ones(4), [0, 0, 0.2, 0, 0, 0]), atol=1e-12)


def test_weighted_sums():
    rng = np.random.default_rng(4)
    weight, basis, sums = rng.normal(size=(7, 2)), rng.normal(size=(7, 50)), np.full((2, 50), np.nan)
    weighted_sums(weight, basis, sums)
    np.testing.assert_allclose(sums, weight.T @ basis, rtol=1e-12, atol=1e-12)


def test_granules():
    x, y = RNG.uniform(-3, 20, 15), RNG.uniform(-3, 14, 15)
    sigma, peak = RNG.uniform(0.5, 2, 15), RNG.normal(0, 1, 15)
    path = np.ones((12, 18))
    stamp(x, y, sigma, peak, 3.5, path)
    np.testing.assert_allclose(path, 1 + naive_pictures.stamp(x, y, sigma, peak, 3.5, path.shape), atol=1e-12)


def test_scattered_values():
    x, y, value = RNG.uniform(0, 8, 20), RNG.uniform(0, 6, 20), RNG.normal(0, 1, 20)
    sums = np.zeros((2, 7, 9))
    scatter(x, y, value, sums[0], sums[1])
    np.testing.assert_allclose(sums, naive_pictures.scatter(x, y, value, (7, 9)), atol=1e-12)


def test_torsion_function():
    x, y = np.linspace(-1, 1, 9), np.linspace(-0.8, 0.8, 7)
    harmonic, profile = RNG.normal(0, 0.3, 5) + 1j * RNG.normal(0, 0.3, 5), RNG.uniform(0, 1, (7, 9)).round()
    expected = naive_pictures.torsion_root(x, y, harmonic, profile)
    torsion_root(x, y, harmonic, profile)
    np.testing.assert_allclose(profile, expected, atol=1e-12)


def test_power_of_waves():
    waves = (RNG.normal(0, 1, (3, 2, 4, 5)) + 1j * RNG.normal(0, 1, (3, 2, 4, 5))).astype(np.complex64)
    intensity = np.ones((2, 4, 5), np.float32)
    add_power(waves, intensity)
    np.testing.assert_allclose(intensity, 1 + (np.abs(waves) ** 2).sum(axis=0), rtol=1e-5)


@pytest.mark.parametrize(("shot", "levels", "kind"), [(1, 255, np.uint8), (0, 4095, np.uint16)])
def test_grey_values(shot, levels, kind):
    light, noise = RNG.uniform(-0.2, 1.6, (9, 11)), RNG.normal(0, 1, (9, 11))
    grey = np.zeros(light.shape, kind)
    values = (0.1, 2000.0, shot, 170.0, levels / 2900, levels)
    expose(light.astype(np.float32), noise.astype(np.float32), *map(np.float32, values), grey)
    slow = naive_pictures.expose(light, noise, *values)
    assert (slow == levels).any()
    assert np.abs(grey - slow).max() <= 1  # single precision may round the other way
    assert (grey == slow).mean() > 0.9


def test_closed_path_gains_the_most_and_closes():
    for _ in range(5):
        gain = RNG.uniform(0, 1, (24, 9)) ** 3
        path = closed_path(gain, 0.4)
        jumps = np.abs(np.diff(np.append(path, path[0])))
        assert jumps.max() <= 2
        found = gain[np.arange(24), path].sum() - 0.1 * (jumps**2).sum()
        assert abs(found - naive_pictures.best_closed_gain(gain, 0.4)) < 1e-9
