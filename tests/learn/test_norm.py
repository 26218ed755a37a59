"""Batch norm with statistics of simulated and of experimental cells apart."""

import numpy as np
import pytest

from bridge.records import DatasetError
from learn.batches import make_order
from learn.config import ConfigError, parse_config
from learn.data import load_cells
from learn.folds import split_cells
from learn.models import flatten
from learn.train import train_fold
from learn.trainer import Trainer


@pytest.fixture
def mixed(dataset, save, configure):
    """Return configuration and cells: 60 simulated, 40 experimental."""

    def make(**values):
        config = configure("miml", **({"norm": "separate"} | values))
        paths = [
            save(dataset(count=60), name="sim.h5"),
            save(dataset(count=40, seed=1, source="experimental"), name="r.h5"),
        ]
        return config, load_cells(paths, config)

    return make


def test_each_step_holds_half_of_either_kind_and_the_fewer_are_repeated(mixed):
    config, cells = mixed(batch=8)
    rows = np.concatenate([np.arange(60), np.arange(60, 70)])
    real, simulated = make_order(cells, rows, config, np.random.default_rng(0))
    assert real.shape == simulated.shape == (15, 4)
    assert len(np.unique(simulated)) == 60
    assert set(real.ravel()) == set(range(60, 70))
    assert (np.bincount(real.ravel())[60:] >= 5).all()
    # A stage with one kind of cells has no step of the other.
    none, stage = make_order(cells, np.arange(60), config, np.random.default_rng(0))
    assert (none.shape, stage.shape) == ((7, 0), (7, 8))


def statistics(trainer, cells, simulated_pictures):
    images = np.where(cells.simulated[:, None, None, None], simulated_pictures, cells.images)
    data = cells.features.astype(np.float32), images, cells.labels, np.ones(len(cells), np.float32)
    rows = np.arange(40, 80)
    order = make_order(cells, rows, trainer.config, np.random.default_rng(0))
    keys = np.zeros((len(order[0]), 2), np.uint32)
    state, _ = trainer.epoch(trainer.start(0), data, order, keys, 0.0, lambda part: None)
    return [flatten(found) for found in state.statistics]


def same(one, other):
    return all(one[name].tobytes() == other[name].tobytes() for name in one)


def test_statistics_of_experimental_cells_do_not_know_the_simulated_ones(mixed):
    config, cells = mixed()
    trainer = Trainer(config, 2)
    real, simulated = statistics(trainer, cells, cells.images)
    real_again, other = statistics(trainer, cells, 3 * cells.images + 1)
    assert same(real, real_again)
    assert not same(simulated, other)
    shared, cells = mixed(norm="shared")
    trainer = Trainer(shared, 2)
    assert not same(statistics(trainer, cells, cells.images)[0], statistics(trainer, cells, 3 * cells.images + 1)[0])


def test_the_model_that_is_kept_is_one_network_like_any_other(mixed):
    config, cells = mixed(epochs=2)
    trainer = Trainer(config, 2)
    trained = train_fold(trainer, cells, split_cells(cells, config).folds[0], 0)
    start = trainer.start(0)
    assert trained.weights.keys() == flatten(start.parameters).keys() | flatten(start.best_statistics).keys()
    assert np.isfinite(trained.probabilities).all()


def test_what_cannot_be_separated_is_refused(mixed, dataset, save, configure):
    config, _ = mixed()
    with pytest.raises(DatasetError, match="all cells are simulated, so that there is nothing to separate"):
        split_cells(load_cells([save(dataset(count=20), name="only.h5")], config), config)
    with pytest.raises(ConfigError, match="has no batch norm"):
        parse_config({"model": "features_only", "norm": "separate"}, "command line")
    with pytest.raises(ConfigError, match="holds out experimental cells"):
        parse_config({"norm": "separate", "held_out": "all"}, "command line")
