"""Where a sweep is computed: processes of this machine, or the user's Dask cluster."""

from __future__ import annotations

import contextlib
import json
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import dask.config
from distributed import Client, LocalCluster

from sim.command import InputError

_SETTINGS = {
    "distributed.worker.profile.enabled": False,  # looks at the stack a hundred times a second
    "distributed.admin.tick.interval": "1s",  # fifty times a second in every process: with the next, 5 % of a core
    "distributed.admin.system-monitor.interval": "5s",
    "distributed.scheduler.allowed-failures": 10,  # a run is not to blame for each death of its worker
}
_CONNECT = 10.0
"""How long one attempt to connect lasts, s."""


class LostError(Exception):
    """There is no scheduler any more, or not yet."""


class GivenUpError(LostError):
    """There was none for too long."""


class WorkersGoneError(LostError):
    """Workers of an embedded cluster have died and are not started again."""


@contextlib.contextmanager
def embedded(workers: int) -> Iterator[Client]:
    """Yield a client of a cluster of processes on this machine, each with one thread, that listens on loopback only.

    A worker's memory is not limited: a run takes what the pre-flight check has said, and a worker that Dask pauses or
    kills for its memory would stop a sweep that the machine could have finished.
    """
    with (
        dask.config.set(_SETTINGS),
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            memory_limit=0,
            dashboard_address="127.0.0.1:0",
            silence_logs=logging.CRITICAL,
            preload=["sim.sweeps.worker"],
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


@contextlib.contextmanager
def remote(address: str, patience: float, tell: Callable[[str], None]) -> Iterator[Client]:
    """Yield a client of a running scheduler, waiting for it if it is not there.

    Parameters
    ----------
    address
        As ``tcp://host:port``, or the path of a scheduler file.
    patience
        How long to wait, s.
    tell
        Told, once, that there is something to wait for.

    Raises
    ------
    GivenUpError
        If there is none in that time.
    """
    end = time.monotonic() + patience
    for name in [one for one in logging.root.manager.loggerDict if one.split(".")[0] == "distributed"]:
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what happens is said in words of one's own
    waiting = False
    while True:
        try:
            client = Client(**_where(address), timeout=_CONNECT)
            break
        except (OSError, TimeoutError, ValueError) as error:
            if time.monotonic() > end:
                raise GivenUpError(f"no scheduler at {address} ({error})") from error
            if not waiting:
                tell(f"waiting for a scheduler at {address}")
                waiting = True
            time.sleep(1.0)
    try:
        yield client
    finally:
        with contextlib.suppress(Exception):  # of a scheduler that is gone
            client.close(timeout=2)


def _where(address: str) -> dict[str, Any]:
    if "://" in address:
        return {"address": address}
    return {"address": json.loads(Path(address).read_text(encoding="utf-8"))["address"]}


def check_address(address: str) -> None:
    """Refuse what is neither an address nor a scheduler file.

    Raises
    ------
    InputError
        With what it should look like.
    """
    if not address.startswith(("tcp://", "tls://")) and not address.endswith(".json"):
        raise InputError(
            f"--scheduler {address}: write tcp://HOST:PORT, tls://HOST:PORT or a scheduler file, FILE.json"
        )


def alive(client: Client) -> bool:
    """Return whether the client is still in contact with the scheduler that it was given its work by."""
    stream = client.scheduler_comm
    return client.status == "running" and stream is not None and not stream.closed()


def threads(client: Client) -> int:
    """Return how many runs the cluster can compute at once.

    Raises
    ------
    LostError
        If it does not answer.
    """
    try:
        return sum(cast(dict[str, int], client.nthreads()).values())
    except (OSError, TimeoutError) as error:
        raise LostError(str(error)) from error


def dashboard(client: Client) -> str:
    """Return the address of Dask's dashboard, empty if it has none."""
    with contextlib.suppress(Exception):
        if client.run_on_scheduler(_has_dashboard):
            return str(client.dashboard_link)
    return ""


def _has_dashboard(dask_scheduler: Any) -> bool:
    return bool(dask_scheduler.http_application.applications)
