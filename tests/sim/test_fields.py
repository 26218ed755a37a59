"""Fields of the flow on request."""

import os
import signal
import subprocess
import sys
import time
import tomllib
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
from tiny import TINY

from sim.command import InputError
from sim.config import SimulationConfig
from sim.fields import FieldKeeper, sample
from sim.runfolder import checkpoint_path, fields_path, write_run
from sim.simulation import build, init, simulate

UM = 1e-6


def asked_for(config, every=4, dimension=2, **more):
    values = config.model_dump(exclude_none=True)
    values["output"] |= {"fluid_fields": every} | more.pop("output", {})
    values["numerics"] |= {"dimension": dimension, **more}
    values["channel"]["depth"] = 10.4 * UM
    return SimulationConfig.model_validate(values)


def run(config, folder):
    return write_run(folder, lambda: simulate(config, fields=fields_path(folder)), "report", picture=False)


@pytest.fixture(scope="module")
def folder(small, tmp_path_factory):
    path = tmp_path_factory.mktemp("fields") / "run"
    run(asked_for(small), path)
    return path


@pytest.mark.parametrize("dimension", [2, 3])
def test_the_empty_channel_has_the_flow_it_was_given(small, dimension):
    """Pressure falls by the whole drop; the flow rate is the same everywhere and the velocity zero in the walls."""
    model = build(asked_for(small, dimension=dimension))
    state = init(model)
    for force in state.fluid.force:
        force[:] = 0  # as if the cell were not there
    field = sample(model, state)
    if dimension == 2:
        field = field[None]
    assert field.shape == (*(1, *model.channel.grid.interior[::-1])[-3:], 4)
    fluid = ~np.isnan(field[..., 3])
    assert fluid.sum() == model.channel.grid.fluid.sum()
    assert not field[~fluid][:, :3].any()
    pressure = np.nanmean(field[..., 3], axis=(0, 1))
    dx = model.channel.dx
    # A node lies half a spacing within either end.
    drop = pressure[0] - pressure[-1] + (pressure[0] - pressure[1] + pressure[-2] - pressure[-1]) / 2
    assert drop == pytest.approx(2e3, rel=1e-3)
    rate = field[..., 0].sum(axis=(0, 1)) * dx ** (dimension - 1)
    # The lattice is compressible: what is conserved is the flow of mass.
    assert rate == pytest.approx(rate.mean(), rel=0.5 * model.flight.numbers["density_drop"])
    if dimension == 2:  # a parabola, of which the lattice has eight nodes
        gap = field[0, :, round((4 * UM - model.config.channel.x_start) / dx), 0]
        assert gap.max() == pytest.approx(1.5 * (1 - 1 / 64) * gap[gap != 0].mean(), rel=0.02)


def test_vtk_opens_it_at_the_times_of_the_outlines(folder):
    vtk = pytest.importorskip("vtkmodules.vtkIOHDF")
    from vtkmodules.util.numpy_support import vtk_to_numpy

    with h5py.File(folder / "result.h5") as file:
        times, outlines = np.array(file["snapshots/time"]), np.array(file["snapshots/vertices"])
    reader = vtk.vtkHDFReader()
    reader.SetFileName(str(folder / "fields.vtkhdf"))
    reader.UpdateInformation()
    assert reader.GetNumberOfSteps() == len(times[::4])
    with h5py.File(folder / "fields.vtkhdf") as file:
        assert np.array_equal(np.array(file["VTKHDF/Steps/Values"]), times[::4])
        whole = np.array(file["VTKHDF/PointData/velocity"])
        assert file["VTKHDF/PointData/velocity"].attrs["unit"] == "m/s"
    for step in (0, 3):
        reader.SetStep(step)
        reader.Update()
        image = reader.GetOutput()
        velocity = vtk_to_numpy(image.GetPointData().GetArray("velocity"))
        assert np.array_equal(velocity.reshape(whole[step].shape), whole[step])
        # The image lies where the cell is: the flow at the centroid is about that of the cell.
        place = outlines[4 * step].mean(axis=0)
        at = image.FindPoint(*place, 0.0)
        assert image.GetPoint(at)[:2] == pytest.approx(place, abs=0.65 * UM)
        assert 0 < velocity[at, 0] < 1


def test_nothing_is_left_beside_the_run_and_nothing_without_asking(folder, small_trace, tmp_path):
    assert [path.name for path in folder.parent.iterdir()] == ["run"]
    write_run(tmp_path / "plain", lambda: small_trace, "report", picture=False)
    assert not (tmp_path / "plain" / "fields.vtkhdf").exists()


def test_a_run_without_them_is_named_as_before(small):
    assert "fluid_fields" not in small.to_toml()
    values = small.model_dump(exclude_none=True) | {"output": {"fluid_fields": 2}}
    asked = SimulationConfig.model_validate(values)
    assert asked.digest() != small.digest()
    assert tomllib.loads(asked.to_toml())["output"]["fluid_fields"] == 2


def test_a_slow_run_keeps_every_second_field_too(small, tmp_path):
    trace = simulate(asked_for(small, 2, output={"snapshots": 3}, max_time=6e-5), fields=tmp_path / "kept")
    dt = trace.flow["dt_s"]
    kept = sorted(int(path.stem) for path in (tmp_path / "kept").glob("*.npy"))
    assert kept == [round(time / dt) for time in trace.snapshot_time[::2]]
    assert len(kept) < 4


def test_a_run_killed_after_it_was_thinned_finds_the_fields_of_its_checkpoint(tmp_path, monkeypatch):
    monkeypatch.setattr("sim.fields.sample", lambda model, state: np.zeros(3))
    model = SimpleNamespace(flight=SimpleNamespace(units=SimpleNamespace(dt=1.0)))
    keeper, times = FieldKeeper(tmp_path / "kept", 1), []
    for time_ in range(6):
        times.append(float(time_))
        keeper.follow(times, model, None)
    keeper.checkpointed(times, 1.0)
    keeper.follow([*times[::2], 6.0], model, None)  # thinned
    FieldKeeper(tmp_path / "kept", 1).check(times, 1.0)
    keeper.checkpointed([*times[::2], 6.0], 1.0)
    keeper.follow([*times[::2], 6.0, 8.0], model, None)
    assert sorted(int(path.stem) for path in (tmp_path / "kept").glob("*.npy")) == [0, 2, 4, 6, 8]


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL")
def test_a_killed_run_gives_the_same_bytes(tmp_path):
    (tmp_path / "tiny.toml").write_text(TINY)
    command = [sys.executable, "-m", "sim.run", "tiny.toml", "--quality", "draft", "--quiet"]
    command += ["--output.fluid_fields", "5", "--output.checkpoint_every", "0.02", "--out"]
    subprocess.run([*command, "whole"], cwd=tmp_path, check=True, timeout=300)
    (whole,) = (tmp_path / "whole").iterdir()
    process = subprocess.Popen([*command, "killed"], cwd=tmp_path)
    end = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < end:
        if (
            len(list((tmp_path / "killed").glob(".*.fields/*.npy"))) >= 3
            and checkpoint_path(tmp_path / "killed" / whole.name).exists()
        ):
            os.kill(process.pid, signal.SIGKILL)
        time.sleep(0.002)
    assert process.wait() == -signal.SIGKILL
    subprocess.run([*command, "killed"], cwd=tmp_path, check=True, timeout=300)
    for name in ("fields.vtkhdf", "result.h5", "trace.csv"):
        assert (tmp_path / "killed" / whole.name / name).read_bytes() == (whole / name).read_bytes(), name


def test_fields_that_are_gone_are_missed(small, tmp_path):
    config = asked_for(small, output={"checkpoint_every": 1e-6}, max_time=4e-5)

    class CutOffError(Exception):
        pass

    def cut(sample):
        if sample.phase == "squeeze" and sample.values["time"] > 2e-5:
            raise CutOffError

    with pytest.raises(CutOffError):
        simulate(config, [cut], tmp_path / "checkpoint.npz", tmp_path / "kept")
    next(iter((tmp_path / "kept").glob("*.npy"))).unlink()
    with pytest.raises(InputError, match="fields of a run that was cut off are gone; remove the checkpoint"):
        simulate(config, [], tmp_path / "checkpoint.npz", tmp_path / "kept")


def test_a_full_disk_is_said_before_anything_is_written(small, tmp_path, monkeypatch):
    from sim import fields

    monkeypatch.setattr(fields.shutil, "disk_usage", lambda path: type("", (), {"free": 10})())
    with pytest.raises(OSError, match="No space left"):
        run(asked_for(small, max_time=2e-5), tmp_path / "run")


@pytest.mark.parametrize("every", ["0", "1.5", "many"])
def test_a_wrong_number_is_refused(tmp_path, every):
    (tmp_path / "tiny.toml").write_text(TINY)
    command = [sys.executable, "-m", "sim.run", "tiny.toml", "--output.fluid_fields", every, "--dry-run"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "output.fluid_fields" in done.stderr
