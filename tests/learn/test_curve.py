import csv
import dataclasses
import json

import numpy as np
import pytest

from bridge.command import run_command
from bridge.records import DatasetError
from learn.curve import draw_fold, main, pretrained
from learn.data import load_cells
from learn.folds import draw
from learn.models import flatten
from learn.trainer import Trainer


@pytest.fixture
def pair(dataset, save):
    """Few cells of which each is a surprise, and many that show the rule."""
    rng = np.random.default_rng(0)
    noisy = dataset(count=120, seed=1, source="experimental")
    noisy.table["transition_time"] += rng.normal(0, 0.004, 120)
    return [save(noisy, name="real.h5"), save(dataset(count=200), name="sim.h5")]


def test_draws_are_nested_stratified_and_without_the_test_cells(pair, configure):
    config = configure()
    cells = load_cells(pair, config)
    folds = {size: draw_fold(cells, size, 3, config) for size in (10, 20, 50)}
    tests = [fold.test.tolist() for _, fold in folds.values()]
    assert tests[0] == tests[1] == tests[2]
    chosen = {size: set(own) | set(fold.validation) for size, (own, fold) in folds.items()}
    assert chosen[10] < chosen[20] < chosen[50]
    for size, (own, fold) in folds.items():
        assert len(chosen[size]) == size
        assert not chosen[size] & set(fold.test)
        assert np.bincount(cells.labels[list(chosen[size])]).tolist() == [size // 2] * 2
        assert not cells.simulated[np.concatenate([own, fold.validation, fold.test])].any()
        assert set(own) < set(fold.train)
        assert cells.simulated[fold.train].sum() == 200
    assert draw_fold(cells, 10, 4, config)[1].test.tolist() != tests[0]


def test_too_few_cells_are_refused(pair, configure):
    cells = load_cells(pair, configure())
    rows = np.arange(20)
    with pytest.raises(DatasetError, match="21 cells to train on are asked for, 20 are left"):
        draw(cells, rows, 21, np.random.default_rng(0))
    with pytest.raises(DatasetError, match="2 cells to train on hold 1 of class"):
        draw(cells, rows, 2, np.random.default_rng(0))


def test_cells_that_show_the_rule_help_where_there_are_few(tmp_path, pair, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = ["features_only", "--dataset", "real.h5", "--synthetic", "sim.h5", "--out", "c", "--epochs", "40"]
    assert main([*words, "--sizes", "8", "60", "--resamples", "4", "--json"]) == 0
    said = capsys.readouterr()
    report = json.loads(said.out)
    few, many = report["sizes"]
    assert few["difference"]["value"] > 0.02
    assert many["difference"]["value"] < few["difference"]["value"]
    assert few["difference"]["low"] < few["difference"]["value"] < few["difference"]["high"]
    rows = list(csv.DictReader((tmp_path / "c" / "curve.csv").open()))
    gains = [float(row["with"]) - float(row["without"]) for row in rows if row["cells"] == "8"]
    assert np.mean(gains) == pytest.approx(few["difference"]["value"])
    assert (tmp_path / "c" / "curve.png").stat().st_size > 10_000


def test_simulated_cells_may_train_once_before(tmp_path, pair, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = ["features_only", "--dataset", "real.h5", "--synthetic", "sim.h5", "--out", "c", "--epochs", "40"]
    assert main([*words, "--pretrain", "--align", "rank", "--sizes", "8", "60", "--resamples", "3", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["schedule"] == "pretrain"
    assert report["sizes"][0]["difference"]["value"] > 0.02


def test_a_pretrained_model_is_gone_on_from_with_its_last_layer(pair, configure):
    config = configure(epochs=30)
    cells = load_cells(pair, config)
    trainer = Trainer(config, 2)
    before = pretrained(cells, config)
    start = flatten(trainer.start(5, before.weights, before.last).parameters)
    assert all(start[name].tobytes() == before.weights[name].tobytes() for name in start)
    # It has seen none but simulated cells.
    features = np.where(cells.simulated[:, None], cells.features, 9.0)
    again = pretrained(dataclasses.replace(cells, features=features), config)
    assert all(again.weights[name].tobytes() == array.tobytes() for name, array in before.weights.items())
    groups = np.where(np.isin(np.arange(len(cells)), [0, 150]), "day 1", cells.groups)
    with pytest.raises(DatasetError, match="'day 1' stands in both kinds"):
        pretrained(dataclasses.replace(cells, groups=groups), config)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--dataset", "real.h5"], "no --synthetic dataset given"),
        (["--dataset", "real.h5", "--synthetic", "sim.h5", "--sizes", "3"], "from 4 cells upwards"),
        (["--dataset", "real.h5", "--synthetic", "sim.h5", "--sizes", "4"], "--sizes 4 is too few: give more"),
        (["--dataset", "real.h5", "--synthetic", "sim.h5", "--sizes", "500"], "500 cells to train on are asked for"),
        (["--dataset", "real.h5", "--synthetic", "sim.h5", "--resamples", "1"], "at least two, better ten"),
    ],
)
def test_bad_input_leaves_nothing(tmp_path, pair, monkeypatch, capsys, words, expected):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as caught:
        run_command(main, ["features_only", "--out", "c", *words])
    assert caught.value.code == 2
    assert expected in capsys.readouterr().err
    assert not (tmp_path / "c").exists()


def test_weights_of_pretraining_are_those_of_the_simulated_datasets(pair, configure, monkeypatch):
    seen = []
    monkeypatch.setattr("learn.train.train_fold", lambda trainer, *rest: seen.append(trainer.config.weights) or 1 / 0)
    config = configure(weights=(1.0, 0.1))
    with pytest.raises(ZeroDivisionError):
        pretrained(load_cells(pair, config), config)
    assert seen == [(0.1,)]


def test_the_datasets_own_test_is_left_alone_unless_asked_for(pair, configure):
    cells = load_cells(pair, configure())
    own = np.flatnonzero(~cells.simulated)
    split = np.array(["train"] * len(cells), dtype=object)
    split[own[:10]] = "test"
    cells = dataclasses.replace(cells, split=split)
    used = {}
    for which in ("dataset", "new"):
        drawn = [draw_fold(cells, 8, turn, configure(split=which)) for turn in range(5)]
        used[which] = {row for chosen, fold in drawn for row in (*chosen, *fold.validation, *fold.test)}
    assert not used["dataset"] & set(own[:10])
    assert used["new"] & set(own[:10])
