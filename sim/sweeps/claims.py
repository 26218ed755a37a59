"""Who computes what: a claim file for each run that is being computed, so that no one else computes it too.

``FOLDER/.sweep/claims/<name>.json`` says which process has it; while the process lives it touches the file. A claim is
void when its process is gone (on the same host that is seen at once), or when the file has not been touched for
`SILENCE`. A claim saves time and no more: if two processes compute the same run after all, both get the same bytes, and
the first to finish puts its folder in place.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from sim.files import abandoned, here
from sim.sweeps.ledger import HOUSE

HEARTBEAT = 10.0
"""Interval between touches, s."""
SILENCE = 90.0
"""After this time without a touch a claim of another host is void, s."""


@contextlib.contextmanager
def claim(folder: Path, name: str) -> Iterator[int]:
    """Claim something within the block; yield how many processes in a row have had it, or 0 if it cannot be had.

    That is 1 unless the last one died while it had it.

    Parameters
    ----------
    folder
        Of the sweep.
    name
        What is claimed: the name of a run, say.

    Raises
    ------
    OSError
        If the claim cannot be written.
    """
    path = _path(folder, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    mine = _me()
    if not _take(path, mine):
        yield 0
        return
    done = threading.Event()
    thread = threading.Thread(target=_keep_alive, args=(path, done), daemon=True)
    thread.start()
    try:
        yield mine["turn"]
    finally:
        done.set()
        thread.join()
        with contextlib.suppress(OSError):
            if path.read_text(encoding="utf-8") == json.dumps(mine):
                path.unlink()


def claimed(folder: Path) -> set[str]:
    """Return the names of all that is being computed."""
    paths = (folder / HOUSE / "claims").glob("[!.]*.json")
    return {path.stem for path in paths if not _void(path)}


def clean(folder: Path) -> None:
    """Remove void claims, and what processes that are gone have left half written in the folder of a sweep."""
    house = folder / HOUSE
    if (house / "claims").is_dir():
        with _alone(house / "claims"):
            for path in (house / "claims").glob("*.json"):
                if _void(path):
                    path.unlink(missing_ok=True)
    for probe in (house / "claims").glob(".*"):
        if _silent(probe):
            probe.unlink(missing_ok=True)
    for place in (folder, *(path for path in house.glob("*") if path.is_dir())):
        for part in abandoned(place):
            if part.is_dir():
                shutil.rmtree(part, ignore_errors=True)
            else:
                part.unlink(missing_ok=True)


def _path(folder: Path, name: str) -> Path:
    return folder / HOUSE / "claims" / f"{name}.json"


def _me() -> dict[str, Any]:
    pid = os.getpid()
    born = psutil.Process(pid).create_time()
    return {"host": here(), "pid": pid, "born": born, "mark": secrets.token_hex(8), "turn": 1}


def _take(path: Path, mine: dict[str, Any]) -> bool:
    """Write the claim unless someone else has it."""
    fresh = path.with_name(f".{path.stem}.{secrets.token_hex(8)}")
    with _alone(path.parent):
        if not _void(path):
            return False
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            mine["turn"] = 1 + int(json.loads(path.read_text(encoding="utf-8"))["turn"])
        try:
            fresh.write_text(json.dumps(mine), encoding="utf-8")
            os.replace(fresh, path)
        finally:
            fresh.unlink(missing_ok=True)
        return True


@contextlib.contextmanager
def _alone(claims: Path) -> Iterator[None]:
    """Keep all others from changing the claims of a sweep; the lock ends with the process that holds it."""
    with claims.with_suffix(".lock").open("a") as file:
        with contextlib.suppress(OSError):  # a file system without locks: a run may then be computed twice
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _void(path: Path) -> bool:
    """Return whether the claim is of a process that is gone."""
    try:
        owner = json.loads(path.read_text(encoding="utf-8"))
        host, pid, born = owner["host"], int(owner["pid"]), float(owner["born"])
    except FileNotFoundError:
        return True
    except (OSError, ValueError, KeyError, TypeError):
        return _silent(path)
    if host != here():
        return _silent(path)
    try:
        process = psutil.Process(pid)
        return abs(process.create_time() - born) > 1.0 or process.status() == psutil.STATUS_ZOMBIE
    except psutil.Error:
        return True


def _silent(path: Path) -> bool:
    """Return whether a claim has not been touched for long, by the clock of the file system."""
    probe = path.with_name(f".{secrets.token_hex(8)}")
    try:
        probe.touch()
        return probe.stat().st_mtime - path.stat().st_mtime > SILENCE
    except FileNotFoundError:
        return True
    finally:
        probe.unlink(missing_ok=True)


def _keep_alive(path: Path, done: threading.Event) -> None:
    while not done.wait(HEARTBEAT):
        with contextlib.suppress(OSError):
            os.utime(path)
