import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from learn.ablation import NETWORKS
from learn.config import load_config
from learn.models import Block, abstract, flatten, initialise, parameter_count

PAPER = 11_240_994


@pytest.mark.parametrize(
    ("preset", "count"),
    [
        ("miml", PAPER),
        ("image_only", 11_170_240 + 512 * 2 + 2),
        ("features_only", 3 * 32 + 32 + 32 * 16 + 16 + 16 * 2 + 2),
        ("miml_small", 191_110),
    ],
)
def test_parameter_count_of_the_paper(preset, count):
    _, parameters, _ = abstract(load_config(preset), 2)
    assert parameter_count(parameters) == count


def test_masks_add_a_flag_for_each_feature_and_one_for_the_picture():
    _, parameters, _ = abstract(load_config("miml").model_copy(update={"masks": True}), 2)
    assert parameter_count(parameters) == PAPER + 3 * 32 + 128


@pytest.mark.parametrize(("name", "network"), NETWORKS.items())
def test_ablation_networks_have_the_layers_of_the_papers_table(name, network):
    hidden, _ = network
    _, parameters, _ = abstract(load_config("features_only").model_copy(update={"hidden": hidden}), 2)
    sizes = [3, *hidden, 2]
    assert parameter_count(parameters) == sum((a + 1) * b for a, b in itertools.pairwise(sizes)), name


def test_layer_shapes_of_the_fused_head():
    _, parameters, statistics = abstract(load_config("miml"), 2)
    shapes = {name: array.shape for name, array in flatten(initialise(parameters, np.random.default_rng(0))).items()}
    assert shapes["linear2.kernel"] == (528, 128)
    assert shapes["linear3.kernel"] == (128, 16)
    assert shapes["output.kernel"] == (16, 2)
    assert shapes["encoder.conv.kernel"] == (7, 7, 1, 64)
    assert sum(name.endswith("shortcut.layers.0.kernel") for name in shapes) == 3
    assert sum("conv" in name or "shortcut.layers.0" in name for name in shapes) == 20
    assert not any("bias" in name and "conv" in name for name in shapes)
    assert len(flatten(initialise(statistics, np.random.default_rng(0)))) == 2 * 22


def small_model(configure, preset, classes=3, **values):
    config = configure(preset, **values)
    graph, parameters, statistics = abstract(config, classes)
    rng = np.random.default_rng(1)
    return nnx.merge(graph, initialise(parameters, rng), initialise(statistics, rng))


@pytest.mark.parametrize("preset", ["miml", "image_only", "features_only"])
def test_logits_have_one_column_a_class(configure, preset):
    model = small_model(configure, preset)
    model.eval()
    logits = jax.jit(model)(jnp.ones((5, 3)), jnp.ones((5, 2, 16, 16)))
    assert logits.shape == (5, 3)
    assert bool(jnp.isfinite(logits).all())


def test_views_share_one_encoder_and_are_averaged(configure):
    model = small_model(configure, "image_only")
    model.eval()
    images = jnp.asarray(np.random.default_rng(0).normal(size=(4, 2, 16, 16)), jnp.float32)
    vectors = jax.jit(model.encoder.views)
    both, swapped = vectors(images), vectors(images[:, ::-1])
    first, second = vectors(images[:, [0, 0]]), vectors(images[:, [1, 1]])
    assert float(jnp.abs(first - second).max()) > 0.01
    np.testing.assert_allclose(both, swapped, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(both, (first + second) / 2, rtol=1e-5, atol=1e-6)


def test_start_keeps_the_variance_and_follows_the_seed():
    _, parameters, _ = abstract(load_config("features_only").model_copy(update={"features": tuple("abcdefgh")}), 2)
    one, same, other = (flatten(initialise(parameters, np.random.default_rng(seed))) for seed in (0, 0, 1))
    assert all(np.array_equal(one[name], same[name]) for name in one)
    assert not np.array_equal(one["branch.layers.1.kernel"], other["branch.layers.1.kernel"])
    assert one["branch.layers.1.kernel"].var() == pytest.approx(2 / 32, rel=0.25)
    assert not one["branch.layers.0.bias"].any()


def test_what_is_missing_has_no_say(configure):
    model = small_model(configure, "miml", masks=True)
    model.eval()
    rng = np.random.default_rng(0)
    features = jnp.asarray(rng.normal(size=(4, 3)), jnp.float32)
    images = jnp.asarray(rng.normal(size=(4, 2, 16, 16)), jnp.float32)
    forward = jax.jit(model)
    whole = forward(features, images)
    blind = forward(features, images.at[0].set(jnp.nan))
    mute = forward(features.at[0, 1].set(jnp.nan), images)
    for part in (blind, mute):
        assert bool(jnp.isfinite(part).all())
        assert float(jnp.abs(part[0] - whole[0]).max()) > 1e-3
        np.testing.assert_allclose(part[1:], whole[1:], rtol=1e-5, atol=1e-5)
    # A feature at 0 is not a missing one.
    zero = forward(features.at[0, 1].set(0.0), images)
    assert float(jnp.abs(zero[0] - mute[0]).max()) > 1e-3


def test_batch_norm_does_not_look_at_missing_pictures(configure):
    rng = np.random.default_rng(0)
    maps = jnp.asarray(rng.normal(size=(6, 4, 4, 3)), jnp.float32)
    shapes = nnx.split(nnx.eval_shape(lambda: Block(3, 4, 2, nnx.Rngs(0))), nnx.Param, nnx.BatchStat)

    def statistics(x, seen):
        block = nnx.merge(shapes[0], *(initialise(part, np.random.default_rng(1)) for part in shapes[1:]))
        block.train()
        nnx.jit(lambda block, x, mask: block(x, mask))(block, x, seen[:, None, None, None])
        return flatten(nnx.state(block, nnx.BatchStat))

    some = statistics(maps.at[4:].set(9.0), jnp.arange(6) < 4)
    only = statistics(maps[:4], jnp.ones(4, bool))
    assert len(only) == 6
    for name, array in only.items():
        np.testing.assert_allclose(some[name], array, rtol=1e-4, atol=1e-5, err_msg=name)
