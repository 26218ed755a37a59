import json

import h5py
import numpy as np
import pytest

from sim.command import InputError
from sim.runfolder import run_path, write_run
from sim.trace import COLUMNS, header, read_trace


@pytest.fixture(scope="module")
def folder(small_trace, tmp_path_factory):
    folder = run_path(tmp_path_factory.mktemp("runs"), small_trace.config)
    write_run(folder, lambda: small_trace, "checks")
    return folder


def test_the_folder_holds_what_it_should(folder, small_trace):
    names = {"config.toml", "trace.csv", "features.json", "result.h5", "summary.png", "log.txt", "provenance.json"}
    assert {p.name for p in folder.iterdir()} == names
    assert folder.name == f"small-{small_trace.config.digest()}"


def test_trace_round_trip(folder, small_trace):
    trace = read_trace(folder)
    assert trace.config == small_trace.config
    assert trace.outcome is small_trace.outcome
    assert trace.flow == pytest.approx(small_trace.flow)
    assert all(np.array_equal(trace[name], small_trace[name]) for name in COLUMNS)
    assert np.array_equal(trace.snapshots, small_trace.snapshots)


def test_csv_holds_the_same_numbers_with_units(folder, small_trace):
    lines = (folder / "trace.csv").read_text().splitlines()
    assert lines[0].split(",")[:4] == ["time_s", "x_m", "y_m", "vx_m_per_s"]
    values = np.array([[float(v) for v in line.split(",")] for line in lines[1:]])
    assert np.array_equal(values[:, 1], small_trace["x"])
    assert len({header(name) for name in COLUMNS}) == len(COLUMNS)


def test_same_run_same_bytes(folder, small_trace, tmp_path):
    other = run_path(tmp_path, small_trace.config)
    write_run(other, lambda: small_trace, "checks")
    for name in ("config.toml", "trace.csv", "features.json", "result.h5", "summary.png"):
        assert (other / name).read_bytes() == (folder / name).read_bytes(), name


def test_features_have_units(folder):
    result = json.loads((folder / "features.json").read_text())
    assert result["features"]["transition_time"]["unit"] == "s"
    assert result["features"]["max_velocity"]["value"] > 0
    assert result["drift"]["slip"] < 0.02


def test_vtk_opens_the_membrane_as_a_time_series(folder, small_trace):
    vtk = pytest.importorskip("vtk")
    from vtk.util.numpy_support import vtk_to_numpy

    reader = vtk.vtkHDFReader()
    reader.SetFileName(str(folder / "result.h5"))
    reader.UpdateInformation()
    assert reader.GetNumberOfSteps() == len(small_trace.snapshots)
    for step in (0, len(small_trace.snapshots) - 1):
        reader.SetStep(step)
        reader.Update()
        points = vtk_to_numpy(reader.GetOutput().GetPoints().GetData())
        assert points[:, :2] == pytest.approx(small_trace.snapshots[step].astype(np.float32))
        assert reader.GetOutput().GetNumberOfLines() == small_trace.snapshots.shape[1]


def test_a_failed_run_leaves_nothing(tmp_path):
    def fails():
        raise RuntimeError("broke down")

    with pytest.raises(RuntimeError):
        write_run(tmp_path / "run", fails, "checks")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", ["truncate", "foreign", "missing", "link"])
def test_a_damaged_run_is_named(folder, tmp_path, damage):
    import shutil

    copy = tmp_path / folder.name
    shutil.copytree(folder, copy)
    result = copy / "result.h5"
    if damage == "truncate":
        result.write_bytes(result.read_bytes()[:5000])
    elif damage == "foreign":
        result.unlink()
        with h5py.File(result, "w") as file:
            file["other"] = 1
    elif damage == "link":
        with h5py.File(result, "r+") as file:
            del file["trace/time"]
            file["trace/time"] = h5py.ExternalLink("elsewhere.h5", "/time")
    else:
        result.unlink()
    with pytest.raises(InputError, match=folder.name):
        read_trace(copy)
