import csv
import json

import numpy as np
import pytest

import learn.explain_scores
import learn.run
from bridge.command import run_command
from learn.explain import main

SMALL = ["--image-size", "16", "--width", "4", "--blocks", "1", "1", "1", "1", "--batch", "16"]


def rows(path):
    with path.open() as stream:
        return list(csv.DictReader(stream))


@pytest.fixture
def trained(tmp_path, save, monkeypatch):
    def train(preset, *words):
        monkeypatch.chdir(tmp_path)
        save(count=60)
        line = [preset, "--dataset", "cells.h5", "--workdir", "w", "--quiet", *SMALL, *words]
        monkeypatch.setattr(learn.explain_scores, "RESAMPLES", 50)
        assert learn.run.main(line) == 0
        return json.loads((tmp_path / "w" / "report.json").read_text())

    return train


@pytest.mark.slow
def test_both_branches_are_explained(tmp_path, trained, capsys):
    report = trained("miml", "--folds", "2", "--epochs", "6")
    assert main(["w", "--out", "e", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    names = (
        "abstention attribution calibration confusion density first_layer folds grad_cam history latent roc samples "
        "violins"
    )
    left = {path.name for path in (tmp_path / "e").iterdir()}
    assert left == {f"{name}.{end}" for name in names.split() for end in ("png", "csv")} | {
        "report.json",
        "provenance.json",
    }
    # What is told here is what was told after the training, for the same held-out cells.
    assert found["confusion"]["test"] == report["held_out"]["confusion"]
    assert found["folds"]["test"] == pytest.approx(report["mean_accuracy"])
    assert found["roc"]["hct116"]["test"] == pytest.approx(report["held_out"]["auc"]["value"])
    counts = [int(row["count"]) for row in rows(tmp_path / "e" / "confusion.csv") if row["cells"] == "test"]
    assert sum(counts) == 60
    band = rows(tmp_path / "e" / "roc.csv")
    assert all(float(row["low"]) <= float(row["high"]) for row in band)
    decided = rows(tmp_path / "e" / "attribution.csv")
    assert len(decided) == 30
    assert 0 < found["attribution"]["picture_share"] < 1
    assert len(rows(tmp_path / "e" / "latent.csv")) == 60


def test_features_alone_are_explained_from_a_dataset_that_moved(tmp_path, trained, capsys):
    trained("features_only", "--folds", "1", "--epochs", "20")
    (tmp_path / "cells.h5").rename(tmp_path / "moved.h5")
    with pytest.raises(SystemExit):
        run_command(main, ["w"])
    assert "say where it is with --dataset" in capsys.readouterr().err
    assert main(["w", "--dataset", "moved.h5", "--json", "--quiet"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["out"] == "w/explain"
    assert "grad_cam" not in found
    assert 0 <= found["abstention"]["abstained"] <= 1
    coverage = [float(row["covered"]) for row in rows(tmp_path / "w" / "explain" / "abstention.csv")]
    assert np.all(np.diff(coverage) <= 0)


def test_what_cannot_be_explained_is_refused(tmp_path, trained, save, dataset, capsys):
    trained("features_only", "--folds", "1", "--epochs", "1")
    save(dataset(count=60, seed=9), name="other.h5")

    def message(*words):
        with pytest.raises(SystemExit) as caught:
            run_command(main, list(words))
        assert caught.value.code == 2
        return capsys.readouterr().err

    assert "other cells than those of the training" in message("w", "--dataset", "other.h5")
    assert "must lie between 0 and 1" in message("w", "--risk", "1.5")
    assert "no config.toml" in message("elsewhere")
    (tmp_path / "w" / "report.json").unlink()
    assert "not finished" in message("w")
    assert not (tmp_path / "w" / "explain").exists()
