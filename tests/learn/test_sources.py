"""Simulated and experimental cells trained together: who is held out, at which weight, in which order and scale."""

import dataclasses

import numpy as np
import pytest

from bridge.records import DatasetError
from learn.batches import cell_weights, stage_rows, step_size
from learn.checkpoint import load_model, save_model
from learn.data import load_cells
from learn.folds import resampled, split_cells
from learn.scaling import Scaler
from learn.train import train_fold
from learn.trainer import Trainer


@pytest.fixture
def pair(dataset, save):
    """Paths of simulated cells and of experimental ones, whose time is counted in frames."""
    film = dataset(count=60, seed=1, source="experimental")
    film.table["transition_time"] = (film.table["transition_time"] * 5000).round()
    film = dataclasses.replace(film, units={**film.units, "transition_time": "frame"})
    return [save(dataset(count=80), name="sim.h5"), save(film, name="real.h5")]


def test_held_out_cells_are_experimental_unless_asked_otherwise(pair, configure):
    config = configure(folds=3, align="rank")
    cells = load_cells(pair, config)
    splits = split_cells(cells, config)
    assert "80 simulated cells train, 60 experimental ones" in splits.notes[0]
    for fold in splits.folds:
        assert not cells.simulated[np.concatenate([fold.validation, fold.test])].any()
        assert cells.simulated[fold.train].sum() == 80
    assert sorted(np.concatenate([fold.test for fold in splits.folds])) == list(range(80, 140))
    anyone = split_cells(cells, configure(folds=3, align="rank", held_out="all"))
    assert cells.simulated[np.concatenate([fold.test for fold in anyone.folds])].sum() == 80


def test_simulated_cells_of_a_held_out_group_do_not_train(dataset, save, configure):
    film = dataset(count=60, seed=1, source="experimental", groups=12)
    twin = dataset(count=80, groups=12)
    config = configure(folds=1)
    cells = load_cells([save(twin, name="sim.h5"), save(film, name="real.h5")], config)
    fold = split_cells(cells, config).folds[0]
    held = np.concatenate([fold.validation, fold.test])
    assert 0 < cells.simulated[fold.train].sum() < 80
    assert not set(cells.groups[held]) & set(cells.groups[fold.train])


def test_own_split_of_the_simulated_cells_does_not_matter(dataset, save, configure):
    film = dataset(count=60, seed=1, source="experimental", split=["test"] * 20 + ["train"] * 40)
    config = configure(folds=1)
    cells = load_cells([save(name="sim.h5"), save(film, name="real.h5")], config)
    assert split_cells(cells, config).folds[0].test.tolist() == list(range(80, 100))


@pytest.mark.parametrize("align", ["rank", "minmax"])
def test_each_dataset_is_scaled_on_its_own_training_cells(pair, configure, align):
    cells = load_cells(pair, configure(align=align))
    assert cells.units[2] == "s or frame"
    rows = np.concatenate([np.arange(40), np.arange(80, 110)])
    scaler = Scaler.fit(cells, rows, align)
    scaled, _ = scaler.apply(cells)
    for source in (0, 1):
        own = scaled[rows][cells.source[rows] == source]
        # With ranks equal values share the middle of theirs, which at an end lies a little inside.
        np.testing.assert_allclose(own.min(axis=0), 0, atol=0.05)
        np.testing.assert_allclose(own.max(axis=0), 1, atol=0.05)
        order = np.argsort(cells.features[cells.source == source][:, 2], kind="stable")
        assert (np.diff(scaled[cells.source == source][order, 2]) >= 0).all()
    features = cells.features.copy()
    features[np.setdiff1d(np.arange(140), rows)] *= 100
    assert Scaler.fit(dataclasses.replace(cells, features=features), rows, align) == scaler


def test_ranks_do_not_depend_on_the_unit_or_any_rising_map(pair, configure):
    cells = load_cells(pair, configure(align="rank"))
    logged = dataclasses.replace(cells, features=np.log(cells.features))
    rows = np.arange(140)
    one, other = (Scaler.fit(part, rows, "rank").apply(part)[0] for part in (cells, logged))
    # Between two knots the map is linear in the value, so that agreement is that of the knots' spacing.
    np.testing.assert_allclose(one, other, atol=0.02)


def test_equal_values_share_the_middle_of_their_ranks(dataset, save, configure):
    ties = [0.0] * 40 + [1.0] * 40
    cells = load_cells([save(dataset(transition_time=ties))], configure(align="rank"))
    scaled = Scaler.fit(cells, np.arange(80), "rank").apply(cells)[0][:, 2]
    assert scaled[:40] == pytest.approx(0.245, abs=0.01)
    assert scaled[40:] == pytest.approx(0.755, abs=0.01)


def test_alignment_is_kept_with_the_model(tmp_path, pair, configure):
    config = configure(align="rank")
    cells = load_cells(pair, config)
    scaler = Scaler.fit(cells, np.arange(140), "rank")
    save_model(tmp_path, config, cells, scaler, {"a": np.zeros(2, np.float32)}, {})
    _, again, _, card = load_model(tmp_path)
    assert again == scaler
    assert list(card["aligned"]) == ["sim", "real"]


def test_a_dataset_that_does_not_train_cannot_be_aligned(pair, configure):
    cells = load_cells(pair, configure(align="rank"))
    with pytest.raises(DatasetError, match="real: no cell of this dataset is trained on"):
        Scaler.fit(cells, np.arange(80), "rank")
    with pytest.raises(DatasetError, match=r"align them \(--align rank or minmax\)"):
        load_cells(pair, configure())


def test_weights_are_those_of_dataset_and_class(pair, configure):
    cells = load_cells(pair, configure(align="rank"))
    config = configure(align="rank", weights=(0.5, 2.0))
    weights = cell_weights(cells, np.arange(140), config)
    assert np.unique(weights[:80]) == 0.5
    assert np.unique(weights[80:]) == 2.0
    rows = np.concatenate([np.arange(0, 80, 2), np.arange(1, 20, 2)])
    balanced = cell_weights(cells, rows, configure(balance=True))
    assert balanced[rows][cells.labels[rows] == 0].sum() == pytest.approx(25, rel=1e-6)
    assert balanced[rows][cells.labels[rows] == 1].sum() == pytest.approx(25, rel=1e-6)
    with pytest.raises(DatasetError, match="give one for each of 2 datasets"):
        load_cells(pair, configure(align="rank", weights=(1.0,)))


def test_cells_of_hardly_any_weight_hardly_train(pair, configure):
    # The experimental labels are turned round: with all weight on either dataset the model follows that one.
    def agreement(weights):
        config = configure(align="rank", weights=weights, epochs=60)
        cells = load_cells(pair, config)
        cells = dataclasses.replace(cells, labels=np.where(cells.simulated, cells.labels, 1 - cells.labels))
        fold = split_cells(cells, config).folds[0]
        heavy = fold.train[cells.simulated[fold.train] == (weights[0] > weights[1])]
        whole = dataclasses.replace(fold, validation=heavy)
        chances = train_fold(Trainer(config, 2), cells, whole, 0).probabilities
        return (chances[80:].argmax(axis=1) == cells.labels[80:]).mean()

    assert agreement((1e-3, 1.0)) > 0.9
    assert agreement((1.0, 1e-3)) < 0.1


def test_stages_are_simulated_then_all_then_experimental(pair, configure):
    config = configure(align="rank", schedule="staged", epochs=10, stages=(0.3, 0.6))
    cells = load_cells(pair, config)
    kinds = [set(cells.simulated[stage_rows(cells, np.arange(140), epoch, config)]) for epoch in range(10)]
    assert kinds == [{True}] * 3 + [{True, False}] * 3 + [{False}] * 4
    fold = split_cells(cells, config).folds[0]
    trained = train_fold(Trainer(config.model_copy(update={"patience": 1}), 2), cells, fold, 0)
    # Patience of one epoch begins when the last stage has.
    assert len(trained.history) >= 7
    with pytest.raises(DatasetError, match="all cells are simulated, so that there are no stages"):
        split_cells(load_cells(pair[:1], configure()), config)


def test_step_becomes_a_tenth_on_each_plateau(configure):
    losses = [1.0, 0.9, 0.95, 0.95, 0.95, 0.95, 0.8, 0.85]
    history = [{"validation_loss": loss} for loss in losses]
    config = configure(plateau=2)
    rates = [step_size(history[:count], config) for count in range(len(losses) + 1)]
    assert rates == pytest.approx([1, 1, 1, 1, 0.1, 0.1, 0.01, 0.01, 0.01])
    assert step_size(history, configure()) == 1


def test_a_rate_of_zero_changes_nothing_and_a_tenth_a_tenth(save, configure):
    config = configure(epochs=1)
    cells = load_cells([save()], config)
    trainer = Trainer(config, 2)
    fold = split_cells(cells, config).folds[0]
    arrays = *Scaler.fit(cells, fold.train).apply(cells), cells.labels, np.ones(80, np.float32)
    keys = np.zeros((1, 2), np.uint32)

    def moved(rate):
        start = trainer.start(0)
        before = np.asarray(start.best_parameters["output"]["kernel"][...])
        state, _ = trainer.epoch(start, arrays, (np.arange(16)[None],), keys, rate, lambda part: None)
        return np.asarray(state.parameters["output"]["kernel"][...]) - before

    assert not moved(0.0).any()
    np.testing.assert_allclose(moved(0.1) * 10, moved(1.0), rtol=1e-3, atol=1e-6)


def test_labels_that_differ_in_case_are_one_class(pair, configure, dataset, save):
    labels = np.array(["HCT116", "WBC"])[np.arange(40) % 2]
    real = save(dataset(count=40, seed=2, label=labels), name="upper.h5")
    cells = load_cells([real, pair[0]], configure())
    assert cells.classes == ("HCT116", "WBC")
    assert np.bincount(cells.labels).tolist() == [60, 60]
    assert load_cells([real], configure(classes=("wbc", "hct116"))).classes == ("wbc", "hct116")


def test_simulated_cells_that_always_train_are_not_resampled(pair, configure):
    config = configure(folds=3, align="rank")
    cells = load_cells(pair, config)
    real = int((~cells.simulated).sum())
    for fold in split_cells(cells, config).folds:
        assert resampled(cells, fold) == real - len(fold.test)
    config = configure(folds=3, align="rank", held_out="all")
    fold = split_cells(cells, config).folds[0]
    assert resampled(cells, fold) == len(cells) - len(fold.test)
