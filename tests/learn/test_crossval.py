import csv
import json

import numpy as np
import pytest

from bridge.command import run_command
from learn.crossval import main
from learn.statistics import corrected_t_test

WORDS = ["--dataset", "cells.h5", "--out", "c", "--folds", "3", "--epochs", "20"]


@pytest.fixture
def place(tmp_path, save, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save(count=60)
    # A second model that sees one feature, which says nothing.
    (tmp_path / "one.toml").write_text(
        'name = "one"\nmodel = "features_only"\nfeatures = ["deformation_index"]\nlearning_rate = 0.01\n'
    )
    return tmp_path


def test_scores_significance_and_table(place, capsys):
    assert main(["features_only", "one.toml", *WORDS, "--json"]) == 0
    said = capsys.readouterr()
    report = json.loads(said.out)
    both, one = report["models"]
    assert both["held_out"]["accuracy"]["value"] > one["held_out"]["accuracy"]["value"] + 0.2
    differences = np.array(both["by_fold"]["accuracy"]) - np.array(one["by_fold"]["accuracy"])
    t, p = corrected_t_test(differences, 40, 20)
    assert report["comparison"] == [
        {"one": "features_only", "other": "one", "difference": pytest.approx(differences.mean()), "t": t, "p": p}
    ]
    assert "features_only - one" in said.err
    rows = list(csv.DictReader((place / "c" / "table.csv").open()))
    assert [row["score"] for row in rows[:4]] == ["0.942", "0.605", "0.983", "0.963"]
    assert {row["model"] for row in rows[4:]} == {"features_only", "one"}
    assert len(list(csv.DictReader((place / "c" / "metrics.csv").open()))) == 6
    assert (place / "c" / "metrics.png").stat().st_size > 10_000
    # Run again, nothing is trained anew.
    before = {path: path.stat().st_mtime_ns for path in (place / "c").glob("*/*")}
    assert main(["features_only", "one.toml", *WORDS, "--quiet"]) == 0
    assert {path: path.stat().st_mtime_ns for path in (place / "c").glob("*/*")} == before


@pytest.mark.parametrize(
    ("presets", "words", "expected"),
    [
        (["features_only", "features_only"], [], "a name stands twice"),
        (["features_only", "nothing"], [], "unknown preset 'nothing'"),
        (["features_only", "seed.toml"], [], "not tested on the same cells fold by fold"),
        (["features_only"], ["--out", "taken"], "holds 'thesis.tex'"),
    ],
)
def test_what_cannot_be_compared_is_refused(place, capsys, presets, words, expected):
    (place / "taken").mkdir()
    (place / "taken" / "thesis.tex").touch()
    (place / "seed.toml").write_text('name = "seed"\nmodel = "features_only"\nseed = 1\n')
    few = ["--epochs", "1"]
    with pytest.raises(SystemExit) as caught:
        run_command(main, [*presets, *WORDS, *few, *words])
    assert caught.value.code == 2
    assert expected in capsys.readouterr().err
