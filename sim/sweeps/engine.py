"""The engine: hands runs to a cluster until each has an outcome, whatever dies in the meantime."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence

import distributed
from distributed import Client, Future
from distributed.scheduler import KilledWorker

from sim.sweeps.cluster import LostError, WorkersGoneError, alive, threads
from sim.sweeps.worker import Done, Job, compute_flow, compute_run

AHEAD = 2
"""Runs handed out for each thread: the one that it computes, and the next, so that it need not wait."""
AGAIN = 2.0
"""Time until what someone else computes is asked for again, s."""
LOOK = 10.0
"""Interval at which the cluster is asked how many threads it has, s."""
GONE = 15.0
"""Time after which a worker of an embedded cluster that has died counts as gone, s.

Dask starts another one at once, but not if that one dies before it is known to have started (distributed 2026.8).
"""


class StopSweepError(Exception):
    """Something that would fail every run; the text says what and where."""


class Engine:
    """What is to be computed, and what is under way.

    Parameters
    ----------
    tell
        Told what became of each run, as it comes.
    tick
        Called several times a second, with the number of threads.
    """

    def __init__(self, tell: Callable[[Job, Done], None], tick: Callable[[int], None]) -> None:
        self._tell, self._tick = tell, tick
        self._waiting: deque[Job] = deque()
        self._held: dict[str, list[Job]] = {}
        self._ready: set[str | None] = {None}
        self._broken: dict[str, str] = {}
        self._later: list[tuple[float, int, Job, bool]] = []
        self._under_way: dict[Future, tuple[Job, bool]] = {}
        self._count: Iterator[int] = itertools.count()

    def run(self, client: Client, jobs: Sequence[Job] = (), workers: int = 0) -> None:
        """Compute some jobs, and those that an earlier call has left over.

        Parameters
        ----------
        client
            Of the cluster.
        jobs
            What is to be computed.
        workers
            How many the cluster must have, as an embedded one does; to others they may come and go.

        Raises
        ------
        LostError
            If the scheduler is gone, or a worker of an embedded cluster; what was under way is kept for the next call.
        StopSweepError
            If nothing can be computed.
        """
        self._waiting.extend(jobs)
        looked, slots, whole = 0.0, 0, time.monotonic()
        try:
            while self._waiting or self._held or self._later or self._under_way:
                if slots == 0 or time.monotonic() - looked > LOOK:
                    slots, looked = threads(client), time.monotonic()
                    whole = looked if slots >= workers else whole
                    if looked - whole > GONE:
                        raise WorkersGoneError(f"{slots} of {workers} workers are left")
                self._hand_out(client, AHEAD * slots)
                self._tick(slots)
                self._wait()
                self._take_in()
                if not alive(client):
                    raise LostError("the connection to the scheduler is lost")
        finally:
            for job, is_flow in self._under_way.values():
                self._put_back(job, is_flow, 0.0)
            self._under_way.clear()

    def _hand_out(self, client: Client, most: int) -> None:
        while self._later and self._later[0][0] <= time.monotonic() and len(self._under_way) < most:
            _, _, job, is_flow = heapq.heappop(self._later)
            self._submit(client, job, is_flow)
        while self._waiting and len(self._under_way) < most:
            job = self._waiting.popleft()
            if job.flow in self._ready:
                self._submit(client, job, False)
            elif job.flow in self._broken:
                self._tell(job, Done(job.run, "UNSTABLE", self._broken[job.flow]))
            elif job.flow in self._held:
                self._held[job.flow].append(job)
            else:
                self._held[str(job.flow)] = [job]
                self._submit(client, job, True)

    def _submit(self, client: Client, job: Job, is_flow: bool) -> None:
        compute = compute_flow if is_flow else compute_run
        try:
            future = client.submit(compute, job, key=f"{job.run}-{next(self._count)}", pure=False)
        except BaseException:
            self._put_back(job, is_flow, 0.0)
            raise
        self._under_way[future] = (job, is_flow)

    def _put_back(self, job: Job, is_flow: bool, delay: float) -> None:
        heapq.heappush(self._later, (time.monotonic() + delay, next(self._count), job, is_flow))

    def _wait(self) -> None:
        if not self._under_way:
            time.sleep(0.2)
            return
        # Of cancelled futures the caller takes care.
        with contextlib.suppress(TimeoutError, OSError, distributed.CancelledError):
            distributed.wait(list(self._under_way), timeout=0.5, return_when="FIRST_COMPLETED")

    def _take_in(self) -> None:
        for future in [one for one in self._under_way if one.status != "pending"]:
            job, is_flow = self._under_way.pop(future)
            done = _result(job, future)
            if done is None or done.outcome == "BUSY":
                self._put_back(job, is_flow, 0.0 if done is None else AGAIN)
            elif done.outcome == "STOP":
                self._put_back(job, is_flow, 0.0)
                raise StopSweepError(done.reason)
            elif is_flow:
                self._take_flow(job, done)
            else:
                self._tell(job, done)

    def _take_flow(self, job: Job, done: Done) -> None:
        """Let the runs go that waited for a flow, or, if it is none, end them."""
        flow = str(job.flow)
        if done.outcome == "FLOW":
            self._ready.add(flow)
        elif done.outcome == "UNSTABLE":
            self._broken[flow] = done.reason
        else:
            raise StopSweepError(f"the flow of the empty channel cannot be had: {done.reason}")
        self._waiting.extendleft(reversed(self._held.pop(flow)))


def _result(job: Job, future: Future) -> Done | None:
    """Return what became of a job, or None if that is lost and has to be asked for again.

    Raises
    ------
    StopSweepError
        If workers cannot even begin.
    """
    if future.status == "error":
        error = future.exception()
        if isinstance(error, KilledWorker):
            return Done(job.run, "FAILED", "its worker died each time that it was computed: out of memory?")
        raise StopSweepError(f"workers cannot compute ({type(error).__name__}: {error}): is mimlab installed there?")
    if future.status != "finished":
        return None
    try:
        return future.result(timeout=30)
    except (OSError, TimeoutError, distributed.CancelledError):
        return None
