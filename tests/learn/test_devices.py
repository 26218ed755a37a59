"""Several devices: the cells of a step are shared among them, and the loss is that of one."""

import json
import os
import subprocess
import sys

import pytest

from bridge.command import InputError
from learn.experiment import _trainer
from learn.trainer import Trainer

SCRIPT = """
import json, sys
import jax, jax.numpy as jnp, numpy as np
from learn.batches import cell_weights
from learn.config import TrainConfig
from learn.runtime import prepare
from learn.train import train_fold
from learn.trainer import Trainer
from learn.data import load_cells
from learn.folds import split_cells
from learn.models import flatten

prepare()
config = TrainConfig.model_validate(json.loads(sys.argv[2]))
cells = load_cells([sys.argv[1]], config)
fold = split_cells(cells, config).folds[0]
told = {"devices": jax.device_count()}
for devices in (1, 4):
    trainer = Trainer(config, 2, devices)
    trained = train_fold(trainer, cells, fold, 0)
    told[f"loss {devices}"] = [record["train_loss"] for record in trained.history]
    arrays = *trained.scaler.apply(cells), cells.labels, cell_weights(cells, fold.train, config)
    data = trainer.placed(tuple(jnp.asarray(array) for array in arrays))
    rows, keys = fold.train[:16].reshape(1, 16), np.array([[1, 2]], dtype=np.uint32)
    state, _ = trainer.epoch(trainer.start(0), data, (rows,), keys, 1.0, lambda done: None)
    statistics = flatten(state.statistics[0]).values()
    told[f"statistics {devices}"] = [value for array in statistics for value in np.ravel(array).tolist()]
    logits = trainer.predict(trainer.start(0).parameters, state.statistics[0], data, fold.validation)
    told[f"logits {devices}"] = logits.ravel().tolist()
state = trainer.start(0)
rows = trainer._divide(np.arange(16).reshape(1, 16))
told["places"] = sorted(str(part.index) for part in rows.addressable_shards)
told["weights"] = len(state.parameters["output"]["kernel"][...].addressable_shards)
print(json.dumps(told))
"""


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["features_only", "miml"])
def test_loss_on_four_devices_is_that_on_one(save, configure, preset):
    config = configure(preset, folds=1, epochs=3, batch=16, learning_rate=1e-3)
    environment = os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=4"}
    call = [sys.executable, "-c", SCRIPT, str(save()), config.model_dump_json()]
    done = subprocess.run(call, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["devices"] == told["weights"] == 4
    assert len(set(told["places"])) == 4
    assert told["loss 4"] == pytest.approx(told["loss 1"], rel=1e-4)
    # After the first step only: Adam makes full steps of gradients that are nothing but rounding, which running
    # statistics then lag behind.
    assert told["statistics 4"] == pytest.approx(told["statistics 1"], rel=1e-4, abs=1e-6)
    assert told["logits 4"] == pytest.approx(told["logits 1"], rel=1e-4, abs=1e-5)


def test_more_devices_than_there_are_are_refused(configure):
    with pytest.raises(InputError, match="--devices 64: this machine has"):
        Trainer(configure(), 2, 64)


def test_steps_that_devices_cannot_share_are_refused(configure):
    with pytest.raises(InputError, match="--devices 3 cannot share 16 cells of a step"):
        _trainer(configure(), 2, 3)
