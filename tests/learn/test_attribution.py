import jax.numpy as jnp
import numpy as np
import pytest

from learn.attribution import Network, _log_odds, first_maps, grad_cam, shares
from learn.models import flatten, initialise
from learn.trainer import Trainer


@pytest.fixture
def network(configure):
    def make(preset="miml", **values):
        trainer = Trainer(configure(preset, **values), 3)
        rng = np.random.default_rng(0)
        states = initialise(trainer.parameter_shapes, rng), initialise(trainer.statistic_shapes, rng)
        weights = {name: array for state in states for name, array in flatten(state).items()}
        return Network(trainer, weights), weights

    return make


def inputs(count=6, seed=0):
    rng = np.random.default_rng(seed)
    return rng.random((count, 3)).astype(np.float32), rng.normal(size=(count, 2, 16, 16)).astype(np.float32)


def log_odds(network, features, images):
    logits = np.asarray(network.compiled(lambda model, a, b: model(a, b))(features, images), float)
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return np.log(chances / (1 - chances))


def test_evidence_at_the_last_stage_is_the_weighted_sum_of_its_maps(network):
    one, weights = network("image_only")
    features, images = inputs()
    classes = np.array([0, 1, 2, 0, 1, 2])
    found = grad_cam(one, features, images, classes, 3)
    flat = jnp.asarray(images.reshape(12, 16, 16, 1))
    maps = np.asarray(one.compiled(lambda model, x: model.encoder.until(model.encoder.pooled(x), 3))(flat))
    # The class's logit is the mean over places and views of maps times kernel.
    slope = weights["output.kernel"][:, np.repeat(classes, 2)].T / (maps.shape[1] * maps.shape[2] * 2)
    expected = np.maximum(np.einsum("nijc,nc->nij", maps, slope), 0).reshape(6, 2, *maps.shape[1:3])
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("stage", [2, 3])
def test_evidence_of_the_fused_network_has_the_size_of_the_stage(network, stage):
    one, _ = network(image_size=64)
    features, images = inputs()
    images = np.repeat(np.repeat(images, 4, axis=2), 4, axis=3)
    found = grad_cam(one, features, images, np.zeros(6, int), stage)
    assert found.shape == (6, 2, *{2: (4, 4), 3: (2, 2)}[stage])
    assert (found >= 0).all()
    assert found.max() > 0


def test_maps_of_the_first_layer_are_those_of_its_kernel(network):
    one, weights = network()
    kernel = np.zeros_like(weights["encoder.conv.kernel"])
    kernel[3, 3, 0, 0], kernel[3, 3, 0, 1], kernel[3, 4, 0, 2] = 1, -1, 2
    one = Network(one.trainer, {**weights, "encoder.conv.kernel": kernel})
    picture = inputs()[1][0, 0]
    maps = first_maps(one, picture)
    scale = 1 / np.sqrt(1 + 1e-5)
    np.testing.assert_allclose(maps[0], np.maximum(picture[::2, ::2], 0) * scale, rtol=1e-5)
    np.testing.assert_allclose(maps[1], np.maximum(-picture[::2, ::2], 0) * scale, rtol=1e-5)
    np.testing.assert_allclose(maps[2], 2 * np.maximum(picture[::2, 1::2], 0) * scale, rtol=1e-5)


@pytest.mark.parametrize("masks", [False, True])
def test_shares_and_base_add_up_to_the_decision(network, masks):
    one, _ = network(masks=masks)
    features, images = inputs()
    found = shares(one, features, images, np.arange(4), np.random.default_rng(0))
    expected = log_odds(one, features, images).max(axis=1)
    np.testing.assert_allclose(found["picture"] + found["mechanics"] + found["base"], expected, rtol=1e-3, atol=1e-4)


def test_a_branch_that_is_the_same_for_all_cells_has_no_share(network):
    one, _ = network()
    features, images = inputs()
    same_picture = np.broadcast_to(images[:1], images.shape)
    found = shares(one, features, same_picture, np.arange(6), np.random.default_rng(0))
    np.testing.assert_allclose(found["picture"], 0, atol=1e-4)
    assert np.abs(found["mechanics"]).max() > 1e-2
    same_features = np.broadcast_to(features[:1], features.shape)
    found = shares(one, same_features, images, np.arange(6), np.random.default_rng(0))
    np.testing.assert_allclose(found["mechanics"], 0, atol=1e-4)
    assert np.abs(found["picture"]).max() > 1e-2


def test_log_odds_of_sure_cells_grow_with_the_logits():
    gaps = np.array([1.0, 15.0, 17.0, 40.0], np.float32)
    found = np.asarray(_log_odds(jnp.asarray(np.stack([gaps, np.zeros(4), np.full(4, -100.0)], axis=1))))
    np.testing.assert_allclose(found[:, 0], gaps, rtol=1e-5)
    np.testing.assert_allclose(found[:, 1], -gaps, rtol=1e-5)
