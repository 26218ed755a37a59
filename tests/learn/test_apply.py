import csv
import dataclasses
import hashlib
import json

import h5py
import numpy as np
import pytest

import learn.run
from bridge.command import run_command
from bridge.formats.miml_csv import write_miml
from bridge.formats.rtdc import read_rtdc
from bridge.ingest import read_source
from bridge.records import DatasetError, write_dataset
from learn.apply import main, score_names
from learn.checkpoint import ModelError
from learn.data import load_cells
from learn.model import open_model


@pytest.fixture
def trained(tmp_path, save, monkeypatch):
    """Folder of a small network trained on 80 cells."""
    monkeypatch.chdir(tmp_path)
    save()
    words = ["features_only", "--dataset", "cells.h5", "--workdir", "w", "--folds", "1", "--epochs", "40", "--quiet"]
    assert learn.run.main(words) == 0
    return tmp_path / "w"


def table(path):
    with path.open() as stream:
        return list(csv.DictReader(stream))


def fails(capsys, *words):
    with pytest.raises(SystemExit) as caught:
        run_command(main, list(map(str, words)))
    captured = capsys.readouterr()
    assert caught.value.code == 2
    assert "Traceback" not in captured.err
    return captured.err


def test_predictions_are_those_of_the_training_calibrated(trained, tmp_path, capsys):
    assert main(["w", "cells.h5", "--out", "p.csv", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    rows = {row["cell_id"]: row for row in table(tmp_path / "p.csv")}
    assert len(rows) == 80
    temperature = open_model(trained).calibration.temperature
    for told in table(trained / "predictions.csv"):
        odds = np.log(float(told["p_hct116"]) / float(told["p_wbc"])) / temperature
        assert float(rows[told["cell_id"]]["p_hct116"]) == pytest.approx(1 / (1 + np.exp(-odds)), abs=1e-4)
        assert rows[told["cell_id"]]["predicted"] == told["predicted"]
    assert facts["accuracy"] > 0.9
    assert sum(facts["answers"].values()) == facts["answered"]
    for row in rows.values():
        assert row["answer"] == (row["left_open"] if row["left_open"] in ("hct116", "wbc") else "")


def test_labels_are_not_needed_and_foreign_ones_do_no_harm(trained, tmp_path, dataset, capsys):
    labels = ["", "wbc", "erythrocyte", "HCT116"] * 5
    write_dataset("new.h5", dataset(count=20, seed=3, label=labels))
    assert main(["w", "new.h5", "--out", "p.csv", "--quiet"]) == 0
    assert [row["label"] for row in table(tmp_path / "p.csv")] == ["", "wbc", "", "hct116"] * 5


def test_little_risk_leaves_more_open(trained, capsys):
    answered = []
    for risk in (0.02, 0.2):
        assert main(["w", "cells.h5", "--out", "p.csv", "--risk", str(risk), "--json", "--quiet"]) == 0
        answered.append(json.loads(capsys.readouterr().out)["answered"])
    # 16 validation cells cannot promise 2 %.
    assert answered[0] == 0
    assert answered[1] > 50


def test_cells_in_other_units_or_without_a_feature_are_refused(trained, tmp_path, dataset, capsys):
    film = dataset(count=20, seed=1)
    write_dataset("film.h5", dataclasses.replace(film, units={**film.units, "transition_time": "frame"}))
    bare = dataclasses.replace(film, table=film.table.drop(columns="max_velocity"))
    write_dataset("bare.h5", bare)
    assert "in 'frame', the model was trained on 's'" in fails(capsys, "w", "film.h5", "--out", "p.csv")
    assert "no feature 'max_velocity'" in fails(capsys, "w", "bare.h5", "--out", "p.csv")
    assert "must end in .csv" in fails(capsys, "w", "cells.h5", "--out", "cells.h5")
    assert "no such folder" in fails(capsys, "elsewhere", "cells.h5", "--out", "p.csv")
    assert not (tmp_path / "p.csv").exists()


def test_model_of_aligned_datasets_asks_whose_scale_the_cells_have(tmp_path, save, dataset, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    film = dataset(count=60, seed=1, source="experimental")
    film.table["transition_time"] *= 5000
    save(dataclasses.replace(film, units={**film.units, "transition_time": "frame"}), name="real.h5")
    save(name="sim.h5")
    words = ["features_only", "--dataset", "real.h5", "--dataset", "sim.h5", "--align", "rank", "--folds", "1"]
    assert learn.run.main([*words, "--workdir", "w", "--epochs", "60", "--quiet"]) == 0
    assert "trained on real, sim; name one" in fails(capsys, "w", "real.h5", "--out", "p.csv")
    assert main(["w", "real.h5", "--out", "p.csv", "--aligned-as", "real", "--quiet", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["accuracy"] > 0.9
    assert "in 's', the model was trained on 'frame'" in fails(
        capsys, "w", "sim.h5", "--out", "q.csv", "--aligned-as", "real"
    )


def test_aligned_datasets_of_one_name_are_refused(tmp_path, save, dataset, configure):
    paths = []
    for seed, folder in enumerate(("a", "b")):
        (tmp_path / folder).mkdir()
        paths.append(tmp_path / folder / "cells.h5")
        write_dataset(paths[-1], dataset(count=20, seed=seed))
    assert len(load_cells(paths, configure())) == 40
    with pytest.raises(DatasetError, match="told apart by their files' names"):
        load_cells(paths, configure(align="rank"))


def test_a_model_with_masks_reads_what_lacks_a_feature(tmp_path, save, dataset, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    save()
    words = ["features_only", "--dataset", "cells.h5", "--workdir", "w", "--masks", "--folds", "1", "--epochs", "3"]
    assert learn.run.main([*words, "--quiet"]) == 0
    film = dataset(count=20, seed=1)
    write_dataset("bare.h5", dataclasses.replace(film, table=film.table.drop(columns="max_velocity")))
    assert main(["w", "bare.h5", "--out", "p.csv", "--quiet"]) == 0
    assert len(table(tmp_path / "p.csv")) == 20
    write_dataset("film.h5", dataclasses.replace(film, units={**film.units, "transition_time": "frame"}))
    assert "in 'frame', the model was trained on 's'" in fails(capsys, "w", "film.h5", "--out", "p.csv")


def test_tampered_and_foreign_models_are_refused(trained, capsys):
    weights, card = trained / "model.safetensors", trained / "model.json"
    content, told = weights.read_bytes(), json.loads(card.read_text())

    def refused(new, text):
        weights.write_bytes(new)
        card.write_text(json.dumps(text))
        return fails(capsys, "w", "cells.h5", "--out", "p.csv")

    def signed(new, **changes):
        return told | changes | {"sha256": {"model.safetensors": hashlib.sha256(new).hexdigest()}}

    changed = content[:-4] + b"\0\0\0\0"
    assert "its SHA-256 differs" in refused(changed, told)
    assert "damaged model" in refused(b"\x80\x04pickle", signed(b"\x80\x04pickle"))
    assert "format 'other'" in refused(content, told | {"format": "other"})
    other = told["config"] | {"hidden": [8, 8]}
    assert "the weights are not those of model 'features_only'" in refused(content, signed(content, config=other))
    unsound = content[:-4] + np.float32(np.nan).tobytes()
    assert "holds values that are no numbers" in refused(unsound, signed(unsound))
    assert "damaged model" in refused(content, {"format": "mimlab-model"})
    assert "damaged model" in refused(content, [1, 2])
    refusal = refused(content, {key: value for key, value in told.items() if key != "calibration"})
    assert "are not those of model" in refusal
    weights.unlink()
    with pytest.raises((ModelError, OSError)):
        open_model(trained)


def test_folder_of_folds_says_which_to_name(tmp_path, trained, capsys):
    (tmp_path / "k").mkdir()
    trained.rename(tmp_path / "k" / "fold-0")
    assert "name one of them, such as k/fold-0" in fails(capsys, "k", "cells.h5", "--out", "p.csv")


def rtdc(path, count=12, seed=0):
    """Events with a deformation that tells two classes apart, without pictures."""
    rng = np.random.default_rng(seed)
    values = np.where(np.arange(count) % 2, 0.12, 0.05) + rng.normal(0, 0.005, count)
    with h5py.File(path, "w") as file:
        file.attrs.update({"experiment:event count": count, "imaging:pixel size": 0.34, "setup:channel width": 20.0})
        for name, column in {
            "deform": values,
            "area_um": rng.normal(60, 5, count),
            "area_ratio": np.ones(count),
        }.items():
            file.create_dataset(f"events/{name}", data=column)
    return path


def test_events_are_classified_and_dclab_reads_the_scores(tmp_path, dataset, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    events = read_rtdc(rtdc(tmp_path / "train.rtdc", 120), pictures=False)
    labels = np.array(["hct116", "hct116 stiffened"])[np.arange(120) % 2]
    write_dataset("train.h5", dataclasses.replace(events, table=events.table.assign(label=labels)))
    words = ["features_only", "--dataset", "train.h5", "--features", "deform", "area_convex", "--folds", "1"]
    assert learn.run.main([*words, "--workdir", "w", "--epochs", "60", "--quiet"]) == 0
    rtdc(tmp_path / "new.rtdc", 12, 1)
    words = ["w", "new.rtdc", "--out", "p.csv"]
    assert main([*words, "--scores", "scored.rtdc", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["scores"] == {"hct116": "ml_score_hct", "hct116 stiffened": "ml_score_hc1"}
    rows = table(tmp_path / "p.csv")
    with h5py.File(tmp_path / "scored.rtdc") as file:
        scores = file["events/ml_score_hc1"][()]
    np.testing.assert_allclose(scores, [float(row["p_hct116 stiffened"]) for row in rows], atol=1e-8)
    assert ((scores > 0.5) == (np.arange(12) % 2 == 1)).all()
    assert "is no .rtdc file to copy" in fails(capsys, "w", "train.h5", "--out", "p.csv", "--scores", "s.rtdc")
    assert "must end in .rtdc" in fails(capsys, *words, "--scores", "s.h5")


def test_folder_of_pictures_and_tables_is_classified(tmp_path, dataset, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_miml(tmp_path / "folder", dataset(count=40))
    write_dataset("cells.h5", read_source(tmp_path / "folder"))
    words = ["features_only", "--dataset", "cells.h5", "--workdir", "w", "--folds", "1", "--epochs", "40", "--quiet"]
    assert learn.run.main(words) == 0
    assert main(["w", "folder", "--out", "p.csv", "--json", "--quiet"]) == 0
    assert json.loads(capsys.readouterr().out)["accuracy"] > 0.9
    assert len(table(tmp_path / "p.csv")) == 40


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        (("hct116", "wbc"), ("hct", "wbc")),
        (("hct116", "hct116_stiffened", "hct115"), ("hct", "hc1", "hc5")),
        (("T4", "T8"), ("t40", "t80")),
        (("Ä", "Ö"), ("000", "001")),
    ],
)
def test_names_of_scores_are_three_letters_or_digits_and_differ(classes, expected):
    assert score_names(classes) == {name: f"ml_score_{code}" for name, code in zip(classes, expected, strict=True)}
