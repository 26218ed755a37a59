import csv
import dataclasses
import io

import numpy as np
import pytest

from learn.data import load_cells
from learn.folds import split_cells
from learn.plots import write_summary
from learn.summary import describe, make_report, predictions_table


@pytest.fixture
def finished(dataset, save, configure):
    """A cross-validation with cells set aside, whose predictions are wrong for one test cell of each fold."""
    config = configure(folds=3)
    split = ["test"] * 20 + ["train"] * 60
    cells = load_cells([save(dataset(split=split))], config)
    splits = split_cells(cells, config)
    results = []
    for fold in splits.folds:
        sure = np.eye(2)[cells.labels] * 0.8 + 0.1
        sure[fold.test[0]] = sure[fold.test[0], ::-1]
        epoch = {"epoch": 1, "train_loss": 0.5, "validation_loss": 0.4, "validation_accuracy": 1.0}
        accuracy = 1 - 1 / len(fold.test)
        held, aside = sure[fold.test].tolist(), sure[splits.aside].tolist()
        results.append(
            {
                "accuracy": accuracy,
                "best_epoch": 1,
                "parameters": 9,
                "test": held,
                "aside": aside,
                "alone": {},
                "history": [epoch, {**epoch, "epoch": 2, "validation_loss": 0.6}],
            }
        )
    return config, cells, splits, results


def test_report_counts_held_out_cells_once(finished):
    report = make_report(*finished)
    assert report["held_out"]["cells"] == 60
    assert report["held_out"]["accuracy"]["value"] == pytest.approx(57 / 60)
    assert report["mean_accuracy"] == pytest.approx(0.95)
    assert report["test"]["cells"] == 20
    assert report["test"]["accuracy"]["value"] == 1.0
    assert report["feature_auc"]["transition_time"] > 0.95 > 0.7 > report["feature_auc"]["max_velocity"]
    # The test cells set aside are all taken for what they are, of those held out three are not.
    assert [row["aside"]["recall"]["value"] for row in report["shift"]] == [1, 1]
    assert sum((1 - row["held_out"]["recall"]["value"]) * row["held_out"]["cells"] for row in report["shift"]) == (
        pytest.approx(3)
    )
    text = describe(report)
    assert "accuracy 0.9500 (mean of 3 folds, sd 0.0000)" in text
    assert "test cells set aside (20)" in text


def test_predictions_name_every_cell_once(finished):
    _, cells, splits, results = finished
    rows = list(csv.DictReader(io.StringIO(predictions_table(cells, splits, results))))
    assert sorted(row["cell_id"] for row in rows) == sorted(cells.ids)
    assert sum(row["label"] != row["predicted"] for row in rows) == 3
    assert sum(row["fold"] == "-1" for row in rows) == 20


def test_summary_picture_is_the_same_again(finished, tmp_path):
    report = make_report(*finished)
    for name in ("a.png", "b.png"):
        write_summary(tmp_path / name, report, *finished[1:])
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert (tmp_path / "a.png").read_bytes()[:4] == b"\x89PNG"


def test_a_single_class_set_aside_is_told_by_its_recall_and_its_scores(finished):
    config, cells, splits, results = finished
    own = np.flatnonzero(cells.labels[splits.aside] == 0)
    results = [{**result, "aside": [result["aside"][row] for row in own]} for result in results]
    report = make_report(config, cells, dataclasses.replace(splits, aside=splits.aside[own]), results)
    assert "test" not in report
    assert [(row["class"], row["aside"]["cells"]) for row in report["shift"]] == [("hct116", 10)]
    assert "hct116: recall" in describe(report)
