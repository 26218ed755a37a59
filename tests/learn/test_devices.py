"""Several devices: the cells of a step are shared among them, and the loss is that of one."""

import json
import os
import subprocess
import sys

import pytest

from bridge.command import InputError
from learn.trainer import Trainer

SCRIPT = """
import json, sys
import jax, numpy as np
from learn.batches import make_order
from learn.config import TrainConfig
from learn.runtime import prepare
from learn.train import train_fold
from learn.trainer import Trainer
from learn.data import load_cells
from learn.folds import split_cells

prepare()
config = TrainConfig.model_validate(json.loads(sys.argv[2]))
cells = load_cells([sys.argv[1]], config)
fold = split_cells(cells, config).folds[0]
told = {"devices": jax.device_count()}
for devices in (1, 4):
    trainer = Trainer(config, 2, devices)
    trained = train_fold(trainer, cells, fold, 0)
    told[f"loss {devices}"] = [record["train_loss"] for record in trained.history]
    told[f"validation {devices}"] = [record["validation_loss"] for record in trained.history]
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
    assert told["validation 4"] == pytest.approx(told["validation 1"], rel=1e-4)


def test_more_devices_than_there_are_are_refused(configure):
    with pytest.raises(InputError, match="--devices 64: this machine has"):
        Trainer(configure(), 2, 64)
