"""Jobs in processes of their own, which keep what they have imported and compiled and end with their parent."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from typing import Any, TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")

_AHEAD = 4  # jobs handed out for each process: the one at hand, and what must not wait for those before it
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")


def run_all(
    function: Callable[[Job], Result], jobs: Sequence[Job], workers: int, tell: Callable[[Job, int], None]
) -> None:
    """Run a function on every job, `workers` at a time; `tell` is called with each that is done, and their number.

    The first exception ends all; what runs is killed then, as when the parent is interrupted.
    """
    if not jobs:
        return
    with _single_threaded(), _pool(min(workers, len(jobs))) as pool:
        waiting = {pool.submit(function, job): job for job in jobs}
        for done, future in enumerate(as_completed(waiting), 1):
            future.result()
            tell(waiting[future], done)


def in_order(function: Callable[[Job], Result], jobs: Iterable[Job], workers: int) -> Iterator[Result]:
    """Yield what a function makes of each job, in their order, a few of them ahead; exceptions as of `run_all`."""
    waiting: deque[Future[Result]] = deque()
    with _single_threaded(), _pool(workers) as pool:
        for job in jobs:
            waiting.append(pool.submit(function, job))
            if len(waiting) > _AHEAD * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


@contextlib.contextmanager
def _pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _follow_parent)
    try:
        yield pool
    except BaseException:
        for child in multiprocessing.active_children():
            child.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _follow_parent() -> None:
    """Leave an interrupt to the parent, and end when the parent has been killed."""
    from multiprocessing.connection import wait

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent: Any = multiprocessing.parent_process()

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextlib.contextmanager
def _single_threaded() -> Iterator[None]:
    """Let processes that are started meanwhile use one thread each."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name)
            else:
                os.environ[name] = value
