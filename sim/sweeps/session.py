"""One start of a sweep: what is to be done, the clusters that do it, and what is said meanwhile."""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sim.command import Progress, progress, say
from sim.sweeps import cluster, estimate
from sim.sweeps.claims import clean
from sim.sweeps.engine import Engine, StopSweepError
from sim.sweeps.ledger import HOUSE, entry_of, make_entry, record
from sim.sweeps.machine import GIB, check_disk, fitting, terminable
from sim.sweeps.plan import Planned
from sim.sweeps.worker import Done, Job

if TYPE_CHECKING:
    from distributed import Client

PATIENCE = 600.0
"""How long a scheduler may be gone before the sweep gives up, s."""
FRUITLESS = 10
"""How often workers may be started anew one time after the other without a run that is finished."""
MIB = 2**20


class IncompleteError(Exception):
    """A sweep that had to stop; the text says why and how to go on."""


@dataclass(frozen=True)
class Settings:
    """How a sweep is computed.

    Attributes
    ----------
    folder
        Of the sweep.
    workers
        Processes of the embedded cluster.
    scheduler
        Address of the user's, or None for an embedded cluster.
    picture
        Whether each run folder gets its ``summary.png``.
    quiet
        Whether to say nothing but errors.
    """

    folder: Path
    workers: int
    scheduler: str | None = None
    picture: bool = False
    quiet: bool = False


def prepare(folder: Path) -> str:
    """Make the folder of a sweep if it is not there, and return its token: the same for all who ask at once."""
    path = folder / HOUSE / "token"
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".token-{secrets.token_hex(8)}")
    try:
        fresh.write_text(secrets.token_hex(16), encoding="utf-8")
        with contextlib.suppress(FileExistsError):
            os.link(fresh, path)
    finally:
        fresh.unlink(missing_ok=True)
    return path.read_text(encoding="utf-8")


def compute(settings: Settings, runs: Sequence[Planned]) -> int:
    """Say what some runs will take, and compute them, with a bar and a line for each that fails.

    Returns
    -------
    How many were computed; others another sweep has computed meanwhile.

    Raises
    ------
    InputError
        If the machine is too small.
    IncompleteError
        If the sweep has to stop before its end.
    """
    clean(settings.folder)
    if not runs:
        return 0
    news = _News(settings, runs)
    try:
        with terminable():
            _compute(settings, runs, news)
    except (StopSweepError, cluster.LostError) as error:
        raise IncompleteError(f"{error}; what was finished is kept: run the same command again to go on") from error
    finally:
        clean(settings.folder)
    return len(news.computed)


def foresee(settings: Settings, runs: Sequence[Planned]) -> estimate.Estimate:
    """Return, and say, what some runs will take, from one that is timed beside the folder of the sweep and removed."""
    parent = next(path for path in settings.folder.absolute().parents if path.is_dir())
    with tempfile.TemporaryDirectory(prefix=".calibration-", dir=parent) as folder:
        elsewhere = replace(settings, folder=Path(folder), workers=1)
        with _client(elsewhere) as client:
            return _foresee(client, elsewhere, runs, _News(elsewhere, runs))


def _compute(settings: Settings, runs: Sequence[Planned], news: _News) -> None:
    """Compute by one client after the other, as schedulers come and go."""
    token = prepare(settings.folder)
    engine = Engine(news.tell, news.tick)
    jobs = [_job(settings, token, one) for one in runs]
    foreseen, fruitless, computed = False, 0, 0
    while True:
        try:
            with _client(settings) as client:
                news.say_dashboard(client)
                if not foreseen:
                    settings = _make_room(client, settings, _foresee(client, settings, runs, news))
                    foreseen = True
                with progress("cells:", settings.quiet) as news.bar:
                    waiting, jobs = jobs, []
                    engine.run(client, waiting, 0 if settings.scheduler else settings.workers)
                return
        except cluster.WorkersGoneError as error:
            fruitless, computed = fruitless + 1 if len(news.computed) == computed else 1, len(news.computed)
            if fruitless > FRUITLESS:
                raise
            say(f"{error}; all are started anew", settings.quiet)
        except cluster.LostError as error:
            if settings.scheduler is None or isinstance(error, cluster.GivenUpError):
                raise
            say(f"{error}; going on when it is back", settings.quiet)


def _make_room(client: Client, settings: Settings, needs: estimate.Estimate) -> Settings:
    """See that disk and memory are large enough, with fewer workers if need be; return the settings with as many."""
    check_disk(settings.folder, needs)
    if settings.scheduler is None and client.cluster is not None:
        number = fitting(settings.workers, needs)
        if number < settings.workers:
            say(f"memory for {number} of {settings.workers} workers", settings.quiet)
            client.cluster.scale(number)
        return replace(settings, workers=number)
    return settings


def _foresee(client: Client, settings: Settings, runs: Sequence[Planned], news: _News) -> estimate.Estimate:
    """Return, and say, what some runs will take, from the run of median work unless an earlier start has timed one."""
    calibration = estimate.read_calibration(settings.folder)
    if calibration is None:
        one = estimate.typical(runs)
        told: list[Done] = []
        with progress("calibration:", settings.quiet) as bar:
            engine = Engine(lambda _, done: told.append(done), lambda _: bar.update(0.0, "one run is timed"))
            job = _job(settings, prepare(settings.folder), one)
            engine.run(client, [replace(job, limit=estimate.LIMIT)], 0 if settings.scheduler else 1)
        done = told[0]
        if done.outcome != "LIMIT":
            news.tell(job, done)
        calibration = estimate.calibrate(one, done.seconds, done.fraction, done.memory, settings.folder / one.run)
        estimate.write_calibration(settings.folder, calibration)
    needs = estimate.estimate(runs, calibration)
    say(
        f"{len(runs)} runs to compute: about {needs.core_hours:.3g} core-hours, "
        f"{needs.memory / MIB:.0f} MiB of memory for each worker, {needs.disk / GIB:.3g} GiB of disk",
        settings.quiet,
    )
    return needs


@contextlib.contextmanager
def _client(settings: Settings) -> Iterator[Client]:
    """Yield a client of the user's cluster, or of an embedded one."""
    if settings.scheduler is None:
        with cluster.embedded(settings.workers) as client:
            yield client
    else:
        with cluster.remote(settings.scheduler, PATIENCE, lambda text: say(text, settings.quiet)) as client:
            yield client


def _job(settings: Settings, token: str, one: Planned) -> Job:
    share = settings.scheduler is not None
    folder = str(settings.folder.absolute())
    return Job(folder, token, one.run, one.config.model_dump(), one.flow, share, settings.picture)


class _News:
    """What is said while runs are computed."""

    def __init__(self, settings: Settings, runs: Sequence[Planned]) -> None:
        self.bar: Progress | None = None
        self.computed: set[str] = set()
        self._settings = settings
        self._runs = {one.run: one for one in runs}
        self._ended: set[str] = set()
        self._failed = 0
        self._told: set[str] = set()

    def say_dashboard(self, client: Client) -> None:
        """Say where Dask's dashboard is, once for each."""
        link = cluster.dashboard(client)
        if link and link not in self._told:
            self._told.add(link)
            say(f"dashboard: {link}", self._settings.quiet)

    def tell(self, job: Job, done: Done) -> None:
        """Count a run; say and record what went wrong."""
        if done.computed:
            self.computed.add(job.run)
        if job.run in self._ended:
            return
        self._ended.add(job.run)
        if done.outcome in ("UNSTABLE", "FAILED"):
            self._failed += 1
            folder, one = self._settings.folder, self._runs[job.run]
            if entry_of(folder, job.run) is None:  # its worker could not
                record(folder, make_entry(job.run, done.outcome, done.reason, one.config, {}))
            say(f"{done.outcome} {job.run}: {done.reason}", self._settings.quiet)

    def tick(self, slots: int) -> None:
        """Move the bar."""
        if self.bar is None:
            return
        total, ended = len(self._runs), len(self._ended)
        failed = f", {self._failed} failed" if self._failed else ""
        self.bar.update(ended / total, f"{ended} of {total} cells{failed}; {slots} workers")
