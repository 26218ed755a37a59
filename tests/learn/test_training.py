import dataclasses

import numpy as np
import pytest

import learn.train
from learn.batches import batches
from learn.config import Diverged
from learn.data import load_cells
from learn.folds import split_cells
from learn.train import train_fold
from learn.trainer import Trainer


def prepare(save, configure, count=80, preset="features_only", labels=None, **values):
    config = configure(preset, folds=1, **values)
    cells = load_cells([save(count=count)], config)
    if labels is not None:
        cells = dataclasses.replace(cells, labels=labels(cells.labels))
    return cells, split_cells(cells, config).folds[0], Trainer(config, 2)


def same(one, other):
    return one.keys() == other.keys() and all(one[name].tobytes() == other[name].tobytes() for name in one)


def test_batches_are_the_training_cells_in_a_new_order():
    rows = np.arange(100, 135)
    order = batches(rows, 8, np.random.default_rng(0))
    assert order.shape == (4, 8)
    assert len(np.unique(order)) == 32
    assert set(order.ravel()) <= set(rows)
    assert not np.array_equal(order, batches(rows, 8, np.random.default_rng(1)))
    assert batches(rows, 64, np.random.default_rng(0)).shape == (1, 35)


def test_same_seed_same_bytes(save, configure):
    cells, fold, trainer = prepare(save, configure)
    one, again = (train_fold(trainer, cells, fold, 0).weights for _ in range(2))
    assert same(one, again)
    assert not same(one, train_fold(trainer, cells, fold, 1).weights)


@pytest.mark.parametrize("preset", ["features_only", "miml"])
def test_resumed_training_is_the_uninterrupted_one_bit_for_bit(save, configure, tmp_path, monkeypatch, preset):
    monkeypatch.setattr(learn.train, "CHECKPOINT_SECONDS", 0.0)
    cells, fold, trainer = prepare(save, configure, preset=preset, epochs=5)
    whole = train_fold(trainer, cells, fold, 0)
    seen = []

    def stop(record):
        seen.append(record)
        if record["epoch"] == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_fold(trainer, cells, fold, 0, tmp_path / "c.safetensors", stop)
    resumed = train_fold(trainer, cells, fold, 0, tmp_path / "c.safetensors", seen.append)
    # The checkpoint of epoch 2 is the last: epoch 3 was stopped before its own, and is run again.
    assert [record["epoch"] for record in seen] == [1, 2, 3, 3, 4, 5]
    assert seen[2] == seen[3]
    assert resumed.history == whole.history
    assert same(resumed.weights, whole.weights)
    assert resumed.probabilities.tobytes() == whole.probabilities.tobytes()


def test_validation_and_test_cells_do_not_touch_the_weights(save, configure):
    cells, fold, trainer = prepare(save, configure, preset="miml", epochs=1)
    features, images = cells.features.copy(), cells.images.copy()
    held = np.concatenate([fold.validation, fold.test])
    features[held], images[held] = features[held] * 3, 1 - images[held]
    changed = dataclasses.replace(cells, features=features, images=images)
    # One epoch: there is nothing to choose, so validation cells have no say at all.
    assert same(train_fold(trainer, cells, fold, 0).weights, train_fold(trainer, changed, fold, 0).weights)


def test_real_labels_are_learned_and_shuffled_ones_are_not(save, configure):
    def accuracy(labels):
        cells, fold, trainer = prepare(save, configure, 400, labels=labels, epochs=30)
        chances = train_fold(trainer, cells, fold, 0).probabilities
        return (chances[fold.test].argmax(axis=1) == cells.labels[fold.test]).mean()

    assert accuracy(lambda labels: labels) > 0.9
    # 80 test cells: chance is 0.5 with a standard deviation of 0.056.
    assert abs(accuracy(np.random.default_rng(3).permutation) - 0.5) < 0.17


def test_pictures_are_learned_where_features_say_nothing(save, configure):
    # The sizes are those of the other tests, whose compiled programs it shares.
    cells, fold, trainer = prepare(save, configure, preset="miml", epochs=40)
    cells = dataclasses.replace(cells, features=np.ones_like(cells.features))
    chances = train_fold(trainer, cells, fold, 0).probabilities
    assert (chances[fold.test].argmax(axis=1) == cells.labels[fold.test]).mean() > 0.85


@pytest.mark.slow
def test_pictures_alone_are_learned(save, configure):
    cells, fold, trainer = prepare(save, configure, 160, preset="image_only", epochs=6, learning_rate=3e-3)
    chances = train_fold(trainer, cells, fold, 0).probabilities
    assert (chances[fold.test].argmax(axis=1) == cells.labels[fold.test]).mean() > 0.85


def test_training_stops_early_and_keeps_the_best_epoch(save, configure):
    cells, fold, trainer = prepare(save, configure, epochs=200, patience=3, learning_rate=0.1)
    trained = train_fold(trainer, cells, fold, 0)
    losses = [record["validation_loss"] for record in trained.history]
    assert len(losses) < 200
    assert len(losses) == trained.best_epoch + 3
    chances = trained.probabilities[fold.validation]
    kept = -np.log(chances[np.arange(len(chances)), cells.labels[fold.validation]]).mean()
    assert kept == pytest.approx(min(losses), rel=1e-6)


def test_divergence_is_an_error_not_a_model(save, configure, monkeypatch):
    cells, fold, trainer = prepare(save, configure)
    monkeypatch.setattr(trainer, "epoch", lambda state, *rest: (state, float("nan")))
    with pytest.raises(Diverged, match="epoch 1: lower --learning-rate"):
        train_fold(trainer, cells, fold, 0)
