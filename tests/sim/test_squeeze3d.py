"""A small cell squeezed in three dimensions."""

import numpy as np
import pytest

from sim.config import SimulationConfig
from sim.runfolder import write_run
from sim.simulation import simulate
from sim.trace import columns, read_trace


def solid(config, **changes):
    values = config.model_dump(exclude_none=True)
    values["numerics"] |= {"dimension": 3, "threads": 2}
    values["channel"]["depth"] = 10.4e-6
    values["cell"] |= {"ka_local": 2e-3}
    for name, value in changes.items():
        section, _, key = name.rpartition("__")
        values[section][key] = value
    return SimulationConfig.model_validate(values)


@pytest.fixture(scope="module")
def trace(small):
    return simulate(solid(small))


def test_it_comes_through(trace):
    assert trace.outcome.passed
    assert set(trace.samples) == set(columns(3))
    assert trace["di"].max() > 0.2
    assert trace["rear_x"][-1] > trace.config.channel.x_exit
    assert abs(trace["di"][-1]) < 0.1


def test_volume_is_kept_and_nothing_enters_a_wall(trace):
    assert trace["volume"] == pytest.approx(trace["volume"][0], rel=2e-3)
    assert trace["wall_distance"].min() > 0
    assert trace["slip"].max() < 0.05


def test_it_stays_in_the_middle_of_a_symmetric_channel(trace):
    assert abs(trace["y"]).max() < 0.1 * trace.config.numerics.dx
    assert abs(trace["z"]).max() < 0.1 * trace.config.numerics.dx


def test_the_membrane_stretches_to_pass(trace):
    # A sphere has the least area of all shapes of its volume.
    assert trace["areal_strain"].min() > -1e-3
    assert trace["areal_strain"].max() > 0.05
    assert (trace["largest_areal_strain"] >= trace["areal_strain"] - 1e-12).all()
    assert trace["tension"].max() > 0


@pytest.mark.slow
def test_same_bytes_on_any_number_of_threads(small, trace):
    alone = simulate(solid(small, numerics__threads=1))
    assert all(np.array_equal(alone[name], trace[name]) for name in columns(3))
    assert np.array_equal(alone.snapshots, trace.snapshots)


def test_the_run_folder_holds_it_and_shows_three_views(trace, tmp_path):
    write_run(tmp_path / "run", lambda: trace, "report")
    again = read_trace(tmp_path / "run")
    assert all(np.array_equal(again[name], trace[name]) for name in columns(3))
    assert again.snapshots.shape[2] == 3
    assert again.faces.shape[1] == 3
    header = (tmp_path / "run" / "trace.csv").read_text().splitlines()[0]
    assert "volume_m3" in header
    assert "tension_n_per_m" in header
    assert (tmp_path / "run" / "summary.png").stat().st_size > 50_000


def test_the_membrane_series_opens_in_vtk(trace, tmp_path):
    vtk = pytest.importorskip("vtkmodules.vtkIOHDF")
    write_run(tmp_path / "run", lambda: trace, "report")
    reader = vtk.vtkHDFReader()
    reader.SetFileName(str(tmp_path / "run" / "result.h5"))
    reader.Update()
    surface = reader.GetOutputDataObject(0)
    assert surface.GetNumberOfPoints() == trace.snapshots.shape[1]
    assert surface.GetNumberOfCells() == len(trace.faces)
