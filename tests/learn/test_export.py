import json
import sys

import jax
import numpy as np
import onnxruntime
import pytest

import learn.export
import learn.run
from bridge.command import InputError, run_command
from learn.apply import read_cells
from learn.calibration import Calibration
from learn.data import load_cells
from learn.export import draw_inputs, main
from learn.model import Model, open_model
from learn.models import abstract, flatten, initialise
from learn.onnx_graph import make_onnx
from learn.scaling import Scaler
from learn.stream import Classifier


@pytest.fixture
def untrained(configure):
    """A model of drawn weights; its batch norms have statistics that make a difference."""

    def make(preset, **values):
        config = configure(preset, classes=("a", "b", "c"), **values)
        rng = np.random.default_rng(0)
        weights = {}
        for shapes in abstract(config, 3)[1:]:
            weights |= flatten(initialise(shapes, rng))
        for name, array in weights.items():
            if name.endswith(("bias", "mean")):
                weights[name] = rng.normal(0, 0.3, array.shape).astype(np.float32)
            elif name.endswith(("scale", "var")):
                weights[name] = rng.uniform(0.5, 1.5, array.shape).astype(np.float32)
        ends = ((0.6, 1e-3, 0.01), (0.8, 3e-3, 0.04)) if config.uses_features else ((), ())
        scaler = Scaler(*ends, 0.4, 0.1)
        features = [{"name": name, "unit": "1"} for name in config.features] if config.uses_features else []
        return Model(
            config, scaler, Calibration(1.3, (0.1, 0.2, 0.5)), weights, {"features": features, "aligned": None}
        )

    return make


@pytest.mark.parametrize(
    ("preset", "values"),
    [
        ("features_only", {}),
        ("features_only", {"masks": True, "hidden": (8, 8, 8)}),
        ("image_only", {"views": ("first",)}),
        ("miml", {}),
        ("miml", {"masks": True}),
    ],
)
def test_onnx_runtime_says_what_the_model_says(untrained, preset, values):
    model = untrained(preset, **values)
    session = onnxruntime.InferenceSession(make_onnx(model), providers=["CPUExecutionProvider"])
    forward = jax.jit(model.forward())
    for batch in (1, 5):
        features, images = draw_inputs(model, batch, np.random.default_rng(batch))
        given = {"features": features, "images": images}
        (found,) = session.run(None, {part.name: given[part.name] for part in session.get_inputs()})
        expected = np.asarray(forward(features, images))
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
        assert np.ptp(expected, axis=1).min() > 1e-3


def test_a_forgotten_batch_norm_would_be_noticed(untrained, tmp_path):
    model = untrained("image_only")
    changed = {
        name: array * (0 if name == "encoder.blocks.2.norm2.mean" else 1) for name, array in model.weights.items()
    }
    other = Model(model.config, model.scaler, model.calibration, changed, model.card)
    session = onnxruntime.InferenceSession(make_onnx(other), providers=["CPUExecutionProvider"])
    features, images = draw_inputs(model, 4, np.random.default_rng(0))
    (found,) = session.run(None, {"images": images})
    assert np.abs(found - np.asarray(jax.jit(model.forward())(features, images))).max() > 1e-4


SMALL = ["--image-size", "16", "--width", "4", "--blocks", "1", "1", "1", "1", "--batch", "16", "--epochs", "2"]


@pytest.fixture
def trained(tmp_path, save, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save(count=40)
    assert learn.run.main(["miml", "--dataset", "cells.h5", "--workdir", "w", "--quiet", *SMALL]) == 0
    return tmp_path / "w"


@pytest.mark.slow
def test_command_writes_checks_and_times_every_form(trained, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(learn.export, "CALLS", 5)
    monkeypatch.setattr(learn.export, "BATCHES", (1, 3))
    assert main(["w", "--out", "e", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["pass"]
    assert set(report["differences"]) == set(report["single_cell_ms"]) == {"model.stablehlo", "model.onnx"}
    assert max(report["differences"].values()) <= 1e-5
    names = {"model.json", "model.onnx", "model.safetensors", "model.stablehlo", "provenance.json", "report.json"}
    assert {path.name for path in (tmp_path / "e").iterdir()} == names
    # What was exported opens like what was trained.
    assert open_model(tmp_path / "e").calibration == open_model(trained).calibration
    # A program that differs fails the check.
    make = learn.export.make_stablehlo
    monkeypatch.setattr(learn.export, "make_stablehlo", lambda model: make(_other(model)))
    assert main(["w", "--out", "f", "--quiet"]) == 1
    capsys.readouterr()
    with pytest.raises(SystemExit):
        run_command(main, ["w", "--out", "e"])
    assert "there already" in capsys.readouterr().err


def _other(model):
    weights = {name: array * (1.5 if name == "output.kernel" else 1) for name, array in model.weights.items()}
    return Model(model.config, model.scaler, model.calibration, weights, model.card)


@pytest.mark.parametrize("engine", ["onnx", "xla"])
def test_stream_says_what_apply_says_and_never_compiles_again(trained, tmp_path, dataset, monkeypatch, engine):
    if engine == "xla":
        monkeypatch.setitem(sys.modules, "learn.onnx_program", None)  # as where ONNX Runtime is not installed
    model = open_model(trained)
    data = dataset(count=40)
    classifier = Classifier(trained, risk=0.2)
    expected = model.classify(read_cells(tmp_path / "cells.h5", model))
    compiled = []
    jax.monitoring.register_event_duration_secs_listener(lambda name, *rest, **more: compiled.append(name))
    for row in range(6):
        features = data.table.iloc[row][list(model.config.features)].to_dict()
        pictures = {"first": data.images[row, 0], "squeezed": data.images[row, 1]}
        answer = classifier(features, pictures)
        np.testing.assert_allclose(list(answer.probabilities.values()), expected[row], atol=1e-5)
        sets = model.calibration.sets(expected[row : row + 1], 0.2)[0]
        assert answer.left_open == tuple(np.array(model.config.classes)[sets])
        assert answer.label == (answer.left_open[0] if sets.sum() == 1 else None)
    assert not [name for name in compiled if "compil" in name]
    # A picture from 0 to 1, one view, and another size are taken too.
    both = classifier(features, {"first": data.images[5, 0], "squeezed": data.images[5, 0]}).probabilities
    for picture, tolerance in (
        (data.images[5, 0] / 255, 1e-5),
        (np.kron(data.images[5, 0], np.ones((2, 2)) / 255), 0.02),
    ):
        assert classifier(features, {"first": picture}).probabilities == pytest.approx(both, abs=tolerance)
    with pytest.raises(InputError, match="transition_time: not given"):
        classifier({"deformation_index": 0.7, "max_velocity": 2e-3}, pictures)
    with pytest.raises(InputError, match="no picture given"):
        classifier(features)
    with pytest.raises(InputError, match="must be grey"):
        classifier(features, {"first": np.zeros((4, 4, 3), np.uint8)})


def test_aligned_models_are_not_exported(untrained):
    model = untrained("features_only")
    knots = (((0.0, 1.0),) * 3,) * 2
    scaler = Scaler(model.scaler.low, model.scaler.high, 0.0, 1.0, knots)
    with pytest.raises(InputError, match="train it with --align no"):
        make_onnx(Model(model.config, scaler, model.calibration, model.weights, model.card))


def test_made_up_cells_miss_something_where_a_model_allows_it(untrained):
    features, images = draw_inputs(untrained("miml", masks=True), 3, np.random.default_rng(0))
    assert np.isnan(features[0, 0])
    assert np.isnan(images[2]).all()


def test_unlabelled_cells_keep_their_order(trained, tmp_path):
    model = open_model(trained)
    cells = read_cells(tmp_path / "cells.h5", model)
    assert cells.ids.tolist() == load_cells([tmp_path / "cells.h5"], model.config).ids.tolist()
