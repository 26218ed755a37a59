import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from learn.config import load_config
from learn.models import abstract, flatten, initialise, parameter_count

PAPER = 11_240_994


@pytest.mark.parametrize(
    ("preset", "count"),
    [
        ("miml", PAPER),
        ("image_only", 11_170_240 + 512 * 2 + 2),
        ("features_only", 3 * 32 + 32 + 32 * 16 + 16 + 16 * 2 + 2),
    ],
)
def test_parameter_count_of_the_paper(preset, count):
    _, parameters, _ = abstract(load_config(preset), 2)
    assert parameter_count(parameters) == count


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


def small_model(configure, preset, classes=3):
    config = configure(preset)
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
    assert not np.array_equal(one["branch.linear2.kernel"], other["branch.linear2.kernel"])
    assert one["branch.linear2.kernel"].var() == pytest.approx(2 / 32, rel=0.25)
    assert not one["branch.linear1.bias"].any()
