"""What this machine has, and its way to end a process."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil

from sim.command import InputError
from sim.sweeps.estimate import Estimate

GIB = 2**30


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def check_disk(folder: Path, needs: Estimate) -> None:
    """Refuse what will not fit onto the disk.

    Raises
    ------
    InputError
        With what is needed and what is free.
    """
    free = shutil.disk_usage(
        next(path for path in (folder.absolute(), *folder.absolute().parents) if path.is_dir())
    ).free
    if needs.disk > free:
        raise InputError(
            f"{folder}: the runs need about {needs.disk / GIB:.3g} GiB, {free / GIB:.3g} GiB are free: "
            "free some space or choose another --out"
        )


def fitting(workers: int, needs: Estimate) -> int:
    """Return how many of some workers fit into this machine's memory.

    Raises
    ------
    InputError
        If not even one does.
    """
    available = psutil.virtual_memory().available
    number = int(available // max(needs.memory, 1))
    if number == 0:
        raise InputError(
            f"a worker needs about {needs.memory / GIB:.3g} GiB, {available / GIB:.3g} GiB of memory are free: "
            "coarsen numerics.dx, or use a larger machine"
        )
    return min(workers, number)


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """Treat SIGTERM as Ctrl-C within the block, so that a batch system's notice ends a sweep in good order."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
