"""A run that goes on from a checkpoint is the run that was never cut off."""

import numpy as np
import pytest

from sim.checkpoint import read_checkpoint, write_checkpoint
from sim.config import SimulationConfig
from sim.recorder import Recorder
from sim.simulation import advance, build, init, simulate


def with_checkpoints(config, dimension):
    values = config.model_dump(exclude_none=True)
    values["output"]["checkpoint_every"] = 1e-6
    values["numerics"] |= {"dimension": dimension, "max_time": 4e-5}
    values["channel"]["depth"] = 10.4e-6
    return SimulationConfig.model_validate(values)


class CutOffError(Exception):
    pass


@pytest.mark.parametrize("dimension", [2, 3])
def test_a_run_cut_off_twice_is_the_same(small, tmp_path, dimension):
    config = with_checkpoints(small, dimension)
    whole = simulate(config)
    path = tmp_path / "checkpoint.npz"
    for last in (5, 9):
        seen = []

        def cut(sample, seen=seen, last=last):
            seen.append(sample)
            if sample.phase == "squeeze" and sample.values["time"] > last / 15 * 4e-5:
                raise CutOffError

        with pytest.raises(CutOffError):
            simulate(config, [cut], path)
        assert path.is_file()
    resumed = []
    again = simulate(config, [resumed.append], path)
    assert 0 < len([s for s in resumed if s.phase == "squeeze"]) < len(whole["time"])
    assert all(np.array_equal(again[name], whole[name]) for name in whole.samples)
    assert np.array_equal(again.snapshots, whole.snapshots)
    assert again.flow == whole.flow
    assert not path.exists()


def begun(config):
    model = build(config)
    state = init(model)
    recorder = Recorder(model, state)
    recorder.record(state, 0.0, ())
    return model, state, recorder


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[: len(data) // 2],
        lambda data: b"",
        lambda data: b"x" + data[1:],
        lambda data: data.replace(b"velocity.npy", b"velocitz.npy"),
        lambda data: data.replace(b"vertices.npy", b"verticez.npy"),
    ],
)
def test_a_damaged_checkpoint_is_not_used(small, tmp_path, damage):
    model, state, recorder = begun(small)
    path = tmp_path / "checkpoint.npz"
    write_checkpoint(path, model, state, recorder)
    path.write_bytes(damage(path.read_bytes()))
    for _ in range(2):
        advance(model, state)  # so that what is read in part would be seen
    before = state.fluid.f.copy(), state.cell.x.copy()
    assert not read_checkpoint(path, model, state, recorder)
    assert np.array_equal(state.fluid.f, before[0])
    assert np.array_equal(state.cell.x, before[1])


def test_a_checkpoint_of_another_run_is_not_used(small, tmp_path):
    model, state, recorder = begun(small)
    for _ in range(4):
        advance(model, state)
    path = tmp_path / "checkpoint.npz"
    write_checkpoint(path, model, state, recorder)
    other = SimulationConfig.model_validate(small.model_dump(exclude_none=True) | {"seed": 3})
    model, state, recorder = begun(other)
    assert not read_checkpoint(path, model, state, recorder)
    assert state.steps == 0
