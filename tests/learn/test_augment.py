import jax
import jax.numpy as jnp
import numpy as np
import pytest

from learn.augment import LIGHT, SHIFT, _warp, augment, hide


def test_pictures_and_features_are_hidden_as_often_as_asked():
    features, images = jnp.ones((20_000, 3)), jnp.ones((20_000, 1, 2, 2))
    kept, seen = jax.jit(hide, static_argnums=3)(jax.random.key(0), features, images, 0.2)
    blind = np.isnan(seen[:, 0, 0, 0])
    gone = np.isnan(kept)
    assert blind.mean() == pytest.approx(0.2, abs=0.01)
    assert gone[blind].sum() == 0
    # All three at once: by that draw, or one by one.
    assert gone.all(axis=1).mean() == pytest.approx(0.2 + 0.6 * 0.2**3, abs=0.01)
    assert gone[:, 0].mean() == pytest.approx(0.2 + 0.6 * 0.2, abs=0.01)
    assert not (blind & gone.all(axis=1)).any()
    assert np.isnan(seen[blind]).all()


def test_no_cell_loses_all_that_is_known_of_it():
    features = jnp.ones((2000, 2)).at[:500].set(jnp.nan)
    images = jnp.ones((2000, 1, 2, 2)).at[500:1000].set(jnp.nan)
    kept, seen = hide(jax.random.key(1), features, images, 0.5)
    known = np.isfinite(kept).any(axis=1) | np.isfinite(seen[:, 0, 0, 0])
    assert known.all()
    kept, _ = hide(jax.random.key(2), jnp.ones((2000, 2)), jnp.zeros((2000, 0, 0, 0)), 0.5)
    assert np.isfinite(kept).any(axis=1).all()
    assert np.isnan(kept).mean() == pytest.approx(0.5 - 0.25, abs=0.03)


def ellipse(size=64, a=22.0, b=9.0, x0=0.0, y0=0.0):
    """A bright ellipse of half axes a along x and b along y."""
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    return 1 / (1 + np.exp(4 * (np.hypot((x - x0) / a, (y - y0) / b) - 1) * min(a, b) / 4))


def moments(picture):
    """Centre (y, x), and covariance of a bright body, rows first."""
    y, x = np.mgrid[: picture.shape[0], : picture.shape[1]]
    weights = (picture - picture.min()).ravel()
    places = np.stack([y.ravel(), x.ravel()])
    return np.average(places, axis=1, weights=weights), np.cov(places, aweights=weights)


def changed(picture, free, seed=0, count=200):
    images = jnp.broadcast_to(jnp.asarray(picture, jnp.float32), (count, 1, *picture.shape))
    return np.asarray(jax.jit(augment, static_argnums=2)(jax.random.key(seed), images, (free,)))[:, 0]


def test_squeezed_cell_keeps_its_deformation_index_and_its_direction():
    def index(picture):
        _, spread = moments(picture)
        axes = np.sqrt(np.diag(spread))
        return (axes[1] - axes[0]) / (axes[1] + axes[0]), spread[0, 1] / np.sqrt(np.prod(np.diag(spread)))

    before = index(ellipse())[0]
    found = np.array([index(picture) for picture in changed(ellipse(), False)])
    assert np.abs(found[:, 0] - before).max() < 0.02
    assert np.abs(found[:, 1]).max() < 0.02
    # What a free cell undergoes would change both, so that the measurement above can fail.
    loose = np.array([index(picture) for picture in changed(ellipse(), True)])
    assert np.abs(loose[:, 0] - before).max() > 0.05
    assert np.abs(loose[:, 1]).max() > 0.1


def test_squeezed_cell_is_mirrored_across_the_channel_only():
    # A cell in the lower part, at the exit: mirrored it is in the upper part, but still at the exit.
    places = np.array([moments(picture)[0] for picture in changed(ellipse(a=6, b=6, x0=12, y0=10), False)]) - 31.5
    assert (places[:, 1] > 8).all()
    assert 0.3 < (places[:, 0] < 0).mean() < 0.7
    assert np.abs(np.abs(places[:, 0]) - 10).max() < 10 * 0.02 + SHIFT * 64 + 0.5


def test_size_and_light_stay_near_what_they_were():
    areas = [(picture > (picture.max() + picture.min()) / 2).sum() for picture in changed(ellipse(a=14, b=14), True)]
    expected = (ellipse(a=14, b=14) > 0.5).sum()
    assert np.abs(np.array(areas) / expected - 1).max() < 0.12
    flat = changed(np.full((16, 16), 1.0), True)
    assert np.ptp(flat, axis=(1, 2)).max() < 1e-5
    assert flat.min() > np.exp(-LIGHT) - LIGHT
    assert flat.max() < np.exp(LIGHT) + LIGHT
    assert flat[:, 0, 0].std() > LIGHT / 4


def test_each_picture_is_changed_in_its_own_way_and_the_key_decides():
    one, same, other = (changed(ellipse(), True, seed, 4) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 0.1
    assert np.abs(one[0] - one[1]).max() > 0.1


def test_warp_is_exact_for_whole_pixels_and_quarter_turns():
    picture = jnp.asarray(np.random.default_rng(0).random((7, 7)), jnp.float32)
    np.testing.assert_allclose(_warp(picture, jnp.eye(2), jnp.zeros(2)), picture, atol=1e-6)
    moved = _warp(picture, jnp.eye(2), jnp.array([1.0, 0.0]))
    np.testing.assert_allclose(moved[:-1], picture[1:], atol=1e-6)
    np.testing.assert_allclose(moved[-1], picture[-1], atol=1e-6)
    turned = _warp(picture, jnp.array([[0.0, -1.0], [1.0, 0.0]]), jnp.zeros(2))
    assert any(np.allclose(turned, np.rot90(picture, k), atol=1e-5) for k in (1, 3))


def test_missing_pictures_stay_missing():
    images = jnp.ones((3, 2, 16, 16)).at[1].set(jnp.nan)
    after = augment(jax.random.key(0), images, (True, False))
    assert np.isnan(after[1]).all()
    assert np.isfinite(after[jnp.array([0, 2])]).all()


def test_a_cell_without_a_channel_is_turned_by_any_angle():
    images = jnp.broadcast_to(jnp.asarray(ellipse(), jnp.float32), (300, 1, 64, 64))

    def angles(turn):
        turned = np.asarray(augment(jax.random.key(0), images, (True,), turn))[:, 0]
        spreads = [moments(picture)[1] for picture in turned]
        return np.degrees([0.5 * np.arctan2(2 * s[0, 1], s[1, 1] - s[0, 0]) for s in spreads])

    assert np.abs(angles(10)).max() < 20
    assert np.histogram(angles(180), 6, (-90, 90))[0].min() > 25
