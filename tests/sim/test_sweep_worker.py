"""What a worker does with one job, and the flows that many of them start from."""

import dataclasses
import errno

import pytest

from sim import warmup
from sim.config import parse_config
from sim.sweeps import worker
from sim.sweeps.claims import claim
from sim.sweeps.ledger import entries
from sim.sweeps.plan import Planned, plan_one
from sim.sweeps.session import prepare
from sim.sweeps.worker import Job, compute_flow, compute_run


@pytest.fixture
def planned(small) -> Planned:
    values = small.model_dump(exclude_none=True)
    values["cell"]["ks"] = 5.1e-3
    values["numerics"]["max_time"] = 2e-5
    return plan_one(parse_config(values, "small"))


@pytest.fixture
def job(planned, tmp_path, monkeypatch) -> Job:
    flows = tmp_path / "cache" / "warmup"
    flows.mkdir(parents=True)
    monkeypatch.setattr(warmup, "cache_dir", lambda kind: flows)
    folder = tmp_path / "sweep"
    return Job(str(folder), prepare(folder), planned.run, planned.config.model_dump(), planned.flow)


def test_the_flow_is_computed_once_and_handed_on(job, tmp_path, monkeypatch):
    computed = []
    compute = warmup._compute
    monkeypatch.setattr(warmup, "_compute", lambda *a: (computed.append(1), compute(*a)))
    job = dataclasses.replace(job, share=True)
    assert compute_flow(job).outcome == "FLOW"
    (flow,) = (tmp_path / "cache" / "warmup").iterdir()
    flow.unlink()  # as on another machine
    assert compute_flow(job).outcome == "FLOW"
    flow.unlink()
    done = compute_run(job)
    assert (done.outcome, done.computed) == ("MAX_STEPS", True)
    assert computed == [1]
    again = compute_run(job)
    assert (again.outcome, again.computed) == ("MAX_STEPS", False)


def test_what_someone_else_computes_is_left_to_them(job, tmp_path):
    with claim(tmp_path / "sweep", job.run):
        assert compute_run(job).outcome == "BUSY"
    with claim(tmp_path / "sweep", f"flow-{job.flow}"):
        assert compute_flow(job).outcome == "BUSY"


def test_a_worker_that_sees_another_folder_or_has_another_physics_stops_the_sweep(job):
    done = compute_run(dataclasses.replace(job, token="x"))
    assert done.outcome == "STOP"
    assert "file system that all workers share" in done.reason
    done = compute_run(dataclasses.replace(job, physics=0))
    assert done.outcome == "STOP"
    assert "same version" in done.reason


def test_a_full_disk_stops_the_sweep_and_a_fault_fails_the_run(job, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device", "somewhere")

    monkeypatch.setattr(worker, "write_run", full)
    done = compute_run(job)
    assert (done.outcome, done.reason) == ("STOP", "somewhere: No space left on device")
    assert entries(tmp_path / "sweep") == {}

    def fault(*_, **__):
        raise KeyError("nothing")

    monkeypatch.setattr(worker, "write_run", fault)
    done = compute_run(job)
    assert done.outcome == "FAILED"
    assert "KeyError: 'nothing' (test_sweep_worker.py, line" in done.reason
    assert entries(tmp_path / "sweep")[job.run].outcome == "FAILED"
    monkeypatch.undo()
    assert compute_run(job).computed is False  # until it is asked to be tried again


def test_a_calibration_stops_at_its_limit_and_says_how_far_it_came(job):
    done = compute_run(dataclasses.replace(job, limit=1e-9))
    assert done.outcome == "LIMIT"
    assert 0 <= done.fraction < 1
    assert done.memory > 2**20
