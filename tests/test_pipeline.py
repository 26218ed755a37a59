"""The whole path as a user walks it, at its smallest: runs, pictures, check, classifier."""

import contextlib
import csv
import importlib
import io
import json

import pytest
from tiny import TINY

from bridge.command import run_command
from bridge.records import read_dataset

CELLS = {"soft": ("3e-3", "3.3e-3", "3.6e-3", "4e-3"), "stiff": ("1e-2", "1.1e-2", "1.2e-2", "1.3e-2")}
SPLIT = ("--test-fraction", "0.5", "--validation-fraction", "0.5", "--epochs", "3")


def call(module, *words):
    """Run a command in this process; return exit code, JSON and text for people."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as leaving:
        run_command(importlib.import_module(module).main, [*map(str, words), "--json"])
    assert out.getvalue(), err.getvalue()
    return leaving.value.code, json.loads(out.getvalue()), err.getvalue()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with four simulated cells of each class in ``runs``."""
    folder = tmp_path_factory.mktemp("path")
    (folder / "cell.toml").write_text(TINY)
    common = ("--quality", "draft", "--out", folder / "runs", "--quiet")
    for label, stiffnesses in CELLS.items():
        times = []
        for ks in stiffnesses:
            code, run, text = call("sim.run", folder / "cell.toml", "--name", label, "--cell.ks", ks, *common)
            assert (code, text) == (0, ""), run
            assert run["outcome"] in ("EXITED", "OUTLET")
            times.append(run["features"]["transition_time"]["value"])
        assert times == sorted(times)
    return folder


@pytest.fixture(scope="module")
def cells(place):
    """The dataset of these cells."""
    code, built, _ = call("bridge.build", place / "runs", "--out", place / "cells.h5", "--size", "16")
    assert code == 0
    assert (built["cells"], built["views_missing"], built["skipped"]) == (8, 0, [])
    assert built["labels"] == {"soft": 4, "stiff": 4}
    return place / "cells.h5"


def test_the_dataset_is_sound(cells):
    code, checked, _ = call("bridge.check", cells)
    assert (code, checked["errors"], checked["distinct_pictures"]) == (0, 0, 16)


def test_every_picture_can_be_traced_back_to_its_run(place, cells):
    dataset = read_dataset(cells)
    for _, cell in dataset.table.iterrows():
        folder = place / "runs" / cell["run"]
        assert folder.name == f"{cell['label']}-{cell['sim_digest']}"
        features = json.loads((folder / "features.json").read_text())["features"]
        for name, feature in features.items():
            assert cell[name] == feature["value"]
            assert dataset.units[name] == feature["unit"]


def test_the_small_network_is_trained_and_found_again(place, cells):
    words = ("features_only", "--dataset", cells, "--workdir", place / "w", "--folds", "1", *SPLIT)
    code, report, text = call("learn.run", *words)
    assert code == 0, text
    assert report["cells"] == {"soft": 4, "stiff": 4}
    assert report["features"]["transition_time"] == "s"
    assert {"accuracy", "precision", "recall", "f1", "auc"} <= report["held_out"].keys()
    with (place / "w" / "predictions.csv").open() as stream:
        predicted = [row["cell_id"] for row in csv.DictReader(stream)]
    assert len(predicted) == report["held_out"]["cells"] == 4
    assert set(predicted) <= set(read_dataset(cells).table["cell_id"])
    before = {path: path.stat().st_mtime_ns for path in place.rglob("*")}
    again = call("learn.run", *words)
    assert again[:2] == (0, report)
    assert "finished already" in again[2]
    assert {path: path.stat().st_mtime_ns for path in place.rglob("*")} == before


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["miml", "image_only"])
def test_the_networks_with_pictures_are_trained(place, cells, preset):
    small = ("--image-size", "16", "--width", "4", "--blocks", "1", "1", "1", "1", "--batch", "4")
    code, report, text = call("learn.run", preset, "--dataset", cells, "--workdir", place / preset, *SPLIT, *small)
    assert code == 0, text
    assert report["held_out"]["cells"] == 4
    assert (place / preset / "summary.png").stat().st_size > 10_000
