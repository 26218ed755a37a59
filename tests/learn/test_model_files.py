import json

import numpy as np
import pytest

from learn.checkpoint import ModelError, load_model, load_tree, save_model, save_tree
from learn.data import load_cells
from learn.scaling import Scaler


def test_tree_round_trip_keeps_bytes_and_notes(tmp_path):
    rng = np.random.default_rng(0)
    tree = {"a": rng.normal(size=(3, 2)).astype(np.float32), "b": [np.int32(7), np.zeros(0, np.float32)]}
    notes = [{"loss": rng.random()}]
    save_tree(tmp_path / "t.safetensors", tree, notes)
    back, read = load_tree(tmp_path / "t.safetensors", tree)
    assert read == notes
    assert back["a"].tobytes() == tree["a"].tobytes()
    assert back["b"][0] == 7
    assert [path.name for path in tmp_path.iterdir()] == ["t.safetensors"]


def test_damaged_or_foreign_checkpoints_are_refused(tmp_path):
    path = tmp_path / "t.safetensors"
    save_tree(path, {"a": np.zeros(3)}, [])
    with pytest.raises(ModelError, match=r"\['b'\]"):
        load_tree(path, {"b": np.zeros(3)})
    with pytest.raises(ModelError, match=r"expected \(4,\)"):
        load_tree(path, {"a": np.zeros(4)})
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(ModelError, match="damaged"):
        load_tree(path, {"a": np.zeros(3)})


def test_model_round_trip(tmp_path, save, configure):
    config = configure("miml")
    cells = load_cells([save(count=10)], config)
    scaler = Scaler.fit(cells, np.arange(6))
    weights = {"branch.kernel": np.arange(6, dtype=np.float32).reshape(3, 2)}
    save_model(tmp_path, config, cells, scaler, weights, {"parameters": 6})
    read_config, read_scaler, read_weights, card = load_model(tmp_path)
    assert (read_config, read_scaler) == (config, scaler)
    assert read_weights["branch.kernel"].tobytes() == weights["branch.kernel"].tobytes()
    assert card["classes"] == ["hct116", "wbc"]
    assert [(f["name"], f["unit"]) for f in card["features"]][2] == ("transition_time", "s")
    assert card["picture"]["size"] == 16


def test_missing_and_damaged_models_are_refused(tmp_path, save, configure):
    with pytest.raises(ModelError, match=r"no model\.json"):
        load_model(tmp_path)
    cells = load_cells([save(count=10)], configure())
    save_model(tmp_path, configure(), cells, Scaler.fit(cells, np.arange(6)), {"a": np.zeros(2)}, {})
    card = json.loads((tmp_path / "model.json").read_text())
    (tmp_path / "model.json").write_text(json.dumps(card | {"format_version": 99}))
    with pytest.raises(ModelError, match="version 99"):
        load_model(tmp_path)
    (tmp_path / "model.json").write_text(json.dumps(card)[:50])
    with pytest.raises(ModelError, match="damaged model"):
        load_model(tmp_path)
