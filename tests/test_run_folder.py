"""Run folders that are damaged, of another configuration, or made twice at once."""

import json
import shutil
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

sys.path.append(str(Path(__file__).parent / "bridge"))
from bridge_runs import make_config, make_trace, write_run

from sim import runfolder
from sim.command import InputError
from sim.trace import read_trace


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("runs"), make_trace(make_config()))


@pytest.fixture
def folder(good, tmp_path):
    return Path(shutil.copytree(good, tmp_path / "run"))


def replace(name, value):
    def change(folder):
        with h5py.File(folder / "result.h5", "a") as file:
            del file[name]
            file[name] = value

    return change


def attribute(name, value):
    def change(folder):
        with h5py.File(folder / "result.h5", "a") as file:
            file.attrs[name] = value

    return change


def truncate(folder):
    data = (folder / "result.h5").read_bytes()
    (folder / "result.h5").write_bytes(data[: len(data) // 2])


def other_configuration(folder):
    (folder / "config.toml").write_text(make_config(ks=5e-3).to_toml())


DAMAGE = {
    "truncated": (truncate, "truncated"),
    "column of another length": (replace("trace/x", np.zeros(3)), "differ in length"),
    "column of text": (replace("trace/x", "text"), "result.h5"),
    "no outlines": (replace("snapshots/vertices", np.zeros((3, 3))), "(3, 3) are no outlines"),
    "no numbers": (replace("snapshots/vertices", np.full((60, 120, 2), np.nan)), "vertices holds NaN"),
    "unknown outcome": (attribute("outcome", "LOST"), "LOST"),
    "flow": (attribute("flow", "{"), "result.h5"),
    "configuration of another run": (other_configuration, "config.toml"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_run_is_one_message(folder, name):
    change, word = DAMAGE[name]
    assert len(read_trace(folder).snapshots) == 60
    change(folder)
    with pytest.raises(InputError, match="run it again") as caught:
        read_trace(folder)
    assert word in str(caught.value)


@pytest.mark.parametrize("name", ["config.toml", "result.h5", "provenance.json"])
def test_a_run_without_one_of_its_files_is_not_finished(folder, name):
    (folder / name).unlink()
    with pytest.raises(InputError, match="not a finished run"):
        read_trace(folder)
    with pytest.raises(InputError, match="no finished run"):
        runfolder.existing(folder)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"outcome": "LOST", "advice": "", "features": {}}'])
def test_damaged_features_are_one_message(folder, text):
    (folder / "features.json").write_text(text)
    with pytest.raises(InputError, match="missing or damaged"):
        runfolder.existing(folder)


def test_the_first_of_two_processes_keeps_its_folder(good, tmp_path, monkeypatch):
    result = {"outcome": "EXITED", "advice": "", "features": {}}

    def other_process(target):
        shutil.copytree(good, target)
        (target / "features.json").write_text(json.dumps(result))

    def simulate():
        other_process(tmp_path / "runs" / "one")
        return make_trace(make_config())

    monkeypatch.setattr(runfolder, "_features", lambda trace: {"features": {}})
    monkeypatch.setattr(runfolder, "_write_summary", lambda path, trace: None)
    assert runfolder.write_run(tmp_path / "runs" / "one", simulate, "") == result
    assert [p.name for p in (tmp_path / "runs").iterdir()] == ["one"]
