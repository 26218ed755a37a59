"""What a worker of a sweep does: one run, or the flow that many runs start from, with its result in files."""

from __future__ import annotations

import errno
import resource
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sim.command import UnstableSimulation
from sim.config import PHYSICS_VERSION, SimulationConfig
from sim.files import here, replacing
from sim.runfolder import checkpoint_path, existing, fields_path, provenance, write_run
from sim.sweeps.claims import claim
from sim.sweeps.ledger import HOUSE, entry_of, forget, make_entry, record

if TYPE_CHECKING:
    from sim.recorder import Sample

_EXHAUSTED = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE)
"""Errors of the machine, not of the run: the sweep stops, and nothing is held against the run."""


DEATHS = 10
"""After so many processes in a row that died over a run it has failed; fewer may have died for other reasons."""


@dataclass(frozen=True)
class Job:
    """What a worker is asked to do.

    Attributes
    ----------
    folder
        Of the sweep, absolute.
    token
        Content of its token file, by which a worker knows that it sees the same folder.
    run
        Name of the run folder.
    config
        The resolved configuration, as a dictionary.
    flow
        Digest of the flow that the run starts from, or None.
    share
        Whether flows are handed on through the sweep's folder, since workers may not share a cache.
    picture
        Whether to draw ``summary.png``.
    limit
        Time after which to stop, for a calibration, s.
    physics
        Version of the physics of whoever asks.
    """

    folder: str
    token: str
    run: str
    config: dict[str, Any]
    flow: str | None
    share: bool = False
    picture: bool = False
    limit: float | None = None
    physics: int = PHYSICS_VERSION


@dataclass(frozen=True)
class Done:
    """What became of a job.

    Attributes
    ----------
    run
        Name of the run folder.
    outcome
        One of `sim.sweep_table.OUTCOMES`; ``FLOW`` for a flow; ``BUSY``: someone else computes it, try later;
        ``LIMIT``: stopped at its limit of time; ``STOP``: something that would fail every run, so the sweep must stop.
    reason
        Why there is no result.
    seconds
        Time on the clock; of a calibration without what precedes the first step.
    fraction
        How much of the run was done in that time.
    memory
        Most memory that the worker's process has had, bytes.
    computed
        Whether it was computed for this job, and not before.
    """

    run: str
    outcome: str
    reason: str = ""
    seconds: float = 0.0
    fraction: float = 1.0
    memory: int = 0
    computed: bool = True


class _StopError(Exception):
    pass


class _LimitError(Exception):
    pass


def dask_setup(worker: Any) -> None:
    """Leave Ctrl-C to the process that started an embedded worker (Dask calls this in the worker)."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def compute_run(job: Job) -> Done:
    """Simulate one cell into its run folder, or record why there is no result; does not raise."""
    return _guarded(job, job.run, _compute_run)


def compute_flow(job: Job) -> Done:
    """Compute the steady flow that a run starts from, where the workers of the sweep find it; does not raise."""
    return _guarded(job, f"flow-{job.flow}", _compute_flow)


def _guarded(job: Job, name: str, compute: Callable[[Job, SimulationConfig], Done]) -> Done:
    """Compute under a claim, and turn what goes wrong into an outcome."""
    started = time.perf_counter()
    try:
        _check_worker(job)
        with claim(Path(job.folder), name) as turn:
            if turn > DEATHS:
                return _failed(job, "its worker died each time that it was computed: out of memory?", started)
            done = compute(job, SimulationConfig.model_validate(job.config)) if turn else Done(job.run, "BUSY")
    except _StopError as error:
        return Done(job.run, "STOP", str(error))
    except OSError as error:
        if error.errno in _EXHAUSTED:
            return Done(job.run, "STOP", f"{error.filename or job.folder}: {error.strerror}")
        return _failed(job, _said(error), started)
    except Exception as error:
        return _failed(job, _said(error), started)
    return replace(done, seconds=done.seconds or time.perf_counter() - started, memory=_memory())


def _check_worker(job: Job) -> None:
    if job.physics != PHYSICS_VERSION:
        raise _StopError(
            f"the worker on {here()} has physics version {PHYSICS_VERSION}, this sweep {job.physics}: "
            "install the same version of mimlab everywhere"
        )
    try:
        token = (Path(job.folder) / HOUSE / "token").read_text(encoding="utf-8")
    except OSError:
        token = ""
    if token != job.token:
        raise _StopError(
            f"the worker on {here()} does not see {job.folder}: the sweep's folder must be on a file system that all "
            "workers share, under the same path"
        )


def _said(error: Exception) -> str:
    """Return what an error says, and where it arose."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({Path(where.filename).name}, line {where.lineno})"


def _failed(job: Job, reason: str, started: float) -> Done:
    """Record a run that failed for a reason of its own which is no outcome: a fault of the program, say."""
    try:
        _record(job, "FAILED", reason, time.perf_counter() - started)
    except OSError as another:
        return Done(job.run, "STOP", f"{another.filename or job.folder}: {another.strerror}")
    return Done(job.run, "FAILED", reason)


def _record(job: Job, outcome: str, reason: str, seconds: float) -> None:
    config = SimulationConfig.model_validate(job.config)
    record(Path(job.folder), make_entry(job.run, outcome, reason, config, provenance(datetime.now(UTC), seconds)))


def _compute_run(job: Job, config: SimulationConfig) -> Done:
    from sim.describe import describe
    from sim.preflight import preflight
    from sim.simulation import simulate

    folder = Path(job.folder) / job.run
    result, entry = existing(folder), entry_of(Path(job.folder), job.run)
    if result is None and entry is not None:
        return Done(job.run, entry.outcome, entry.reason, computed=False)
    if result is None:
        _fetch_flow(job, config)
        checkpoint, seen, started = checkpoint_path(folder), _Seen(), time.perf_counter()
        watch = [_watch(job.limit, seen)] if job.limit else []
        try:
            text = describe(preflight(config))
            fields = fields_path(folder)
            result = write_run(folder, lambda: simulate(config, watch, checkpoint, fields), text, picture=job.picture)
        except UnstableSimulation as error:
            checkpoint.unlink(missing_ok=True)
            _record(job, "UNSTABLE", str(error), time.perf_counter() - started)
            return Done(job.run, "UNSTABLE", str(error), seen.seconds, seen.fraction)
        except _LimitError:
            return Done(job.run, "LIMIT", "", seen.seconds, seen.fraction)
        forget(Path(job.folder), job.run)
        return Done(job.run, result["outcome"], "", seen.seconds)
    forget(Path(job.folder), job.run)
    return Done(job.run, result["outcome"], computed=False)


@dataclass
class _Seen:
    """How much of a run was done in which time, without what precedes its first sample: imports and compilation."""

    start: float = 0.0
    seconds: float = 0.0
    fraction: float = 0.0


def _watch(limit: float, seen: _Seen) -> Callable[[Sample], None]:
    """Return what keeps how fast a run goes, and stops it after a time."""

    def look(sample: Sample) -> None:
        if sample.phase != "squeeze":
            return
        seen.start = seen.start or time.perf_counter()
        seen.seconds, seen.fraction = time.perf_counter() - seen.start, sample.fraction
        if seen.seconds > limit:
            raise _LimitError

    return look


def _compute_flow(job: Job, config: SimulationConfig) -> Done:
    from sim.simulation import build, init
    from sim.warmup import flow_path

    _fetch_flow(job, config)
    try:
        init(build(config))
    except UnstableSimulation as error:
        return Done(job.run, "UNSTABLE", str(error))
    path, shared = flow_path(config), _shared_flow(job)
    if job.share and path.is_file() and not shared.is_file():
        with replacing(shared) as part:
            shutil.copyfile(path, part)
    return Done(job.run, "FLOW")


def _fetch_flow(job: Job, config: SimulationConfig) -> None:
    """Bring the flow into this machine's cache if another one has computed it."""
    from sim.warmup import flow_path

    path, shared = flow_path(config), _shared_flow(job)
    if job.flow and not path.is_file() and shared.is_file():
        with replacing(path) as part:
            shutil.copyfile(shared, part)


def _shared_flow(job: Job) -> Path:
    return Path(job.folder) / HOUSE / "flows" / f"{job.flow}.npz"


def _memory() -> int:
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else 1024 * most
