import csv
import json

import learn.ablation
from learn.ablation import NETWORKS, main


def test_networks_are_compared(tmp_path, save, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    # Three of the ten, since each is compiled.
    few = {name: NETWORKS[name] for name in ("M1", "M7", "M9")}
    monkeypatch.setattr(learn.ablation, "NETWORKS", few)
    save(count=40)
    words = ["--dataset", "cells.h5", "--out", "a", "--folds", "2", "--epochs", "2", "--json"]
    assert main(words) == 0
    said = capsys.readouterr()
    report = json.loads(said.out)
    assert [row["network"] for row in report["networks"]] == list(few)
    assert "M7   32-16" in said.err
    rows = list(csv.DictReader((tmp_path / "a" / "ablation.csv").open()))
    for row, facts in zip(rows, report["networks"], strict=True):
        assert (float(row["fold_0"]) + float(row["fold_1"])) / 2 == float(row["accuracy"])
        assert facts["parameters"] == int(row["parameters"])
    chosen = report["networks"][1]
    assert (chosen["difference"], chosen["p"]) == (0, 1)
    assert (tmp_path / "a" / "ablation.png").stat().st_size > 10_000
