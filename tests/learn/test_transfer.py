import csv
import dataclasses
import json

import numpy as np
import pytest

import learn.run
from bridge.command import run_command
from bridge.records import DatasetError
from learn.data import load_cells
from learn.folds import split_cells
from learn.models import flatten
from learn.train import train_fold
from learn.trainer import Trainer
from learn.transfer import draw_fold, main


def test_training_goes_on_from_the_weights_but_for_the_last_layer(save, configure):
    config = configure(epochs=1)
    cells = load_cells([save()], config)
    fold = split_cells(cells, config).folds[0]
    trainer = Trainer(config, 2)
    first = train_fold(trainer, cells, fold, 0)
    start = trainer.start(1, first.weights)
    for name, array in flatten(start.parameters).items():
        assert np.array_equal(array, first.weights[name]) != name.startswith("output."), name
    wrong = {**first.weights, "branch.layers.0.kernel": np.zeros((3, 8), np.float32)}
    with pytest.raises(ValueError, match=r"branch.layers.0.kernel is \(3, 8\)"):
        trainer.start(1, wrong)


def test_few_cells_train_all_others_of_other_groups_test(save, configure):
    config = configure()
    cells = load_cells([save(groups=20)], config)
    fold = draw_fold(cells, 10, 0, config)
    chosen = np.concatenate([fold.train, fold.validation])
    assert len(chosen) == 10
    assert not set(cells.groups[fold.test]) & set(cells.groups[chosen])
    assert np.bincount(cells.labels[chosen]).tolist() == [5, 5]


def test_command_compares_three_ways(tmp_path, dataset, save, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    save(count=120)
    new = dataset(count=80, seed=1)
    new.table["label"] = new.table["label"].replace("wbc", "stiff")
    save(new, name="new.h5")
    words = ["features_only", "--dataset", "cells.h5", "--workdir", "w", "--folds", "1", "--epochs", "60", "--quiet"]
    assert learn.run.main(words) == 0
    words = ["w", "--dataset", "new.h5", "--out", "t", "--cells", "16", "--seeds", "3", "--epochs", "10"]
    assert main([*words, "--json"]) == 0
    said = capsys.readouterr()
    report = json.loads(said.out)
    assert report["classes"] == ["hct116", "stiff"]
    # The new classes differ as the old ones did: the trained model has an advantage, and its last layer is enough.
    assert report["accuracy"]["probe"]["value"] > 0.95
    assert report["accuracy"]["transfer"]["value"] > report["accuracy"]["scratch"]["value"]
    rows = list(csv.DictReader((tmp_path / "t" / "transfer.csv").open()))
    gains = [float(row["transfer"]) - float(row["scratch"]) for row in rows]
    assert np.mean(gains) == pytest.approx(report["transfer_minus"]["scratch"]["value"])
    assert (tmp_path / "t" / "transfer.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("words", "expected"),
    [(["none"], "no model.json"), (["w", "--seeds", "1"], "at least two, better five")],
)
def test_bad_input_leaves_nothing(tmp_path, save, monkeypatch, capsys, words, expected):
    monkeypatch.chdir(tmp_path)
    save(count=20)
    with pytest.raises(SystemExit) as caught:
        run_command(main, [*words, "--dataset", "cells.h5", "--out", "t"])
    assert caught.value.code == 2
    assert expected in capsys.readouterr().err
    assert not (tmp_path / "t").exists()


def test_cells_in_other_units_are_refused(tmp_path, save, dataset, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    save(count=40)
    words = ["features_only", "--dataset", "cells.h5", "--workdir", "w", "--folds", "1", "--epochs", "2", "--quiet"]
    assert learn.run.main(words) == 0
    film = dataset(count=40, seed=1)
    save(dataclasses.replace(film, units={**film.units, "max_velocity": "px/frame"}), name="film.h5")
    with pytest.raises(DatasetError, match="in 'px/frame', the model was trained on 'm/s'"):
        main(["w", "--dataset", "film.h5", "--out", "t", "--cells", "16"])
    save(film, name="new.h5")
    with pytest.raises(DatasetError, match="--cells 4 are too few"):
        main(["w", "--dataset", "new.h5", "--out", "t", "--cells", "4"])
