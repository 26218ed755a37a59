"""Event files for TensorBoard say what metrics.jsonl says."""

import builtins
import json
import struct

import pytest

import learn.run
from bridge.command import run_command
from learn.board import Board

WORDS = ["features_only", "--dataset", "cells.h5", "--workdir", "w", "--folds", "2", "--epochs", "3", "--quiet"]


def events(folder):
    """Return (step, name, value) of every scalar in the event files of a folder."""
    from tensorboardX.proto.event_pb2 import Event

    found = []
    for path in sorted(folder.glob("events.*")):
        content, place = path.read_bytes(), 0
        while place < len(content):
            (size,) = struct.unpack_from("<Q", content, place)
            event = Event.FromString(content[place + 12 : place + 12 + size])
            found += [(event.step, value.tag, value.simple_value) for value in event.summary.value]
            place += 16 + size
    return found


def test_every_epoch_of_every_fold_is_logged(tmp_path, save, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save(count=40)
    assert learn.run.main([*WORDS, "--tensorboard"]) == 0
    records = [json.loads(line) for line in (tmp_path / "w" / "metrics.jsonl").read_text().splitlines()]
    for fold in (0, 1):
        told = {(step, name): value for step, name, value in events(tmp_path / "w" / "tensorboard" / f"fold-{fold}")}
        own = [record for record in records if record["fold"] == fold]
        assert len(told) == 3 * len(own)
        for record in own:
            for name in ("train_loss", "validation_loss", "validation_accuracy"):
                assert told[record["epoch"], name] == pytest.approx(record[name], rel=1e-6)


def test_a_training_that_goes_on_replaces_the_events_of_the_first_attempt(tmp_path):
    first = Board(tmp_path)
    for epoch in (1, 2, 3):
        first.log({"fold": 0, "epoch": epoch, "train_loss": 9.0})
    first.close()
    second = Board(tmp_path, [{"fold": 0, "epoch": 1, "train_loss": 1.0}])
    second.log({"fold": 0, "epoch": 2, "train_loss": 0.5})
    second.close()
    assert events(tmp_path / "tensorboard" / "fold-0") == [(1, "train_loss", 1.0), (2, "train_loss", 0.5)]


def test_the_missing_package_is_named(tmp_path, save, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    save(count=40)
    real = builtins.__import__

    def without(name, *rest, **more):
        if name == "tensorboardX":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(SystemExit) as caught:
        run_command(learn.run.main, [*WORDS, "--tensorboard"])
    assert caught.value.code == 2
    assert "pip install 'mimlab[tensorboard]'" in capsys.readouterr().err
    assert not (tmp_path / "w").exists()
